"""The order of processes and their faults: one by one with chosen faults, or at random."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from random import Random
from typing import Any

from cpd_exporter.model.timestamps import format_instant
from tests.simulation.invariants import Invariant, Violation
from tests.simulation.processes import Fate, Process
from tests.simulation.scenario import MONTH, at_random
from tests.simulation.simulation import QueuedMessage, Simulation
from tests.simulation.source import SourceChange

MAX_TICKS = 200
"""After so many ticks without rest, the system counts as restless."""


class Timing(StrEnum):
    """Faults of time, messages and the source, beside the fates of calls."""

    PAUSE = "pause"
    AWAKEN = "awaken"
    CHANGE = "change"
    LOSE_MESSAGE = "lose-message"
    REPEAT_MESSAGE = "repeat-message"


type Strike = Fate | Timing


@dataclass(slots=True)
class Doom:
    """The next ``times`` calls of this name, by processes of kind ``by``, meet this fault."""

    call: str
    fault: Strike
    times: int
    by: str = ""

    def strikes(self, call: str, process: str) -> bool:
        if call != self.call or not self.times or not process.startswith(self.by):
            return False
        self.times -= 1
        return True


_DELIVERY: tuple[Strike, ...] = (Timing.LOSE_MESSAGE, Timing.REPEAT_MESSAGE)


def fault_of(name: str) -> Strike:
    return Fate(name) if name in list(Fate) else Timing(name)


@dataclass
class OneByOne:
    """Runs each process to its end before the next one starts, with ``faults`` at some points.

    Points are counted through the whole run, deliveries included. A paused process sleeps until the
    others are at rest, or until ``AWAKEN`` lets all sleepers run at once. Others ``change`` the
    source at the first fault and at every ``CHANGE``. ``met`` records each point and its possible
    faults.
    """

    simulation: Simulation
    faults: Mapping[int, Strike] = field(default_factory=dict)
    change: SourceChange | None = None
    doom: Doom | None = None
    met: list[tuple[str, tuple[Strike, ...]]] = field(default_factory=list)
    sleepers: list[Process] = field(default_factory=list)
    _changed: bool = False

    def come_to_rest(self) -> int:
        """Tick and deliver until no work is left, and judge the whole; returns the ticks."""
        simulation = self.simulation
        for ticks in range(1, MAX_TICKS + 1):
            tick = simulation.tick()
            self.run(tick)
            while receivable := simulation.receivable:
                self.deliver(receivable[0])
            if simulation.rests_after(tick):
                if not self.sleepers:
                    simulation.oracle.at_rest()
                    simulation.alarms.judge()
                    return ticks
                # Sleepers wake late: time and the watermark have moved on.
                simulation.now += timedelta(minutes=15)
                self.run(simulation.tick())
                self._wake()
            elif not simulation.worked_off:  # else the next tick moves the watermark at once
                simulation.now += _until_next_tick(simulation)
        raise Violation(Invariant.REST, f"still not at rest after {MAX_TICKS} ticks")

    def command(self, event: dict[str, Any]) -> int:
        """Send a command, and tick and deliver until its work is done."""
        self.run(self.simulation.command(event))
        return self.come_to_rest()

    def run(self, process: Process) -> None:
        """Run a process to its end, or until it pauses."""
        while process.alive:
            assert process.call is not None
            timings: tuple[Strike, ...] = (Timing.PAUSE,)
            if self.sleepers:
                timings += (Timing.AWAKEN,)
            if self.change is not None:
                timings += (Timing.CHANGE,)
            fault = self._meet(process.call.name, process.call.fates + timings, process.name)
            if fault is Timing.PAUSE:
                self.sleepers.append(process)
                self.simulation.counts["paused"] += 1
                self._change(process, fault)
                return
            if fault is Timing.AWAKEN:
                self._wake()
            if fault is Timing.CHANGE:
                self._change(process, fault)
            simulation_fate = fault if isinstance(fault, Fate) else Fate.PROCEED
            self.simulation.resume(process, simulation_fate)
            if fault is not None and fault is not Timing.CHANGE:
                self._change(process, fault)

    def deliver(self, message: QueuedMessage) -> None:
        """Deliver a message, with the fault that this point has."""
        fault = self._meet("deliver", _DELIVERY)
        if fault is Timing.LOSE_MESSAGE:
            self.simulation.lose(message)
            return
        if fault is Timing.REPEAT_MESSAGE:
            self.simulation.repeat(message)
        self.run(self.simulation.deliver(message))

    def _wake(self) -> None:
        sleepers, self.sleepers = self.sleepers, []
        for sleeper in sleepers:
            self.run(sleeper)

    def _meet(self, name: str, faults: tuple[Strike, ...], process: str = "") -> Strike | None:
        fault = self.faults.get(len(self.met))
        if self.doom is not None and self.doom.strikes(name, process):
            fault = self.doom.fault
        if fault not in faults:
            fault = None
        self.met.append((name, faults))
        return fault

    def _change(self, process: Process, fault: Strike) -> None:
        if self.change is not None and (fault is Timing.CHANGE or not self._changed):
            self.simulation.source.change(self.change, self.simulation.window_of(process))
            self._changed = True


def _until_next_tick(simulation: Simulation) -> timedelta:
    """The schedule's quarter of an hour; longer if only holes wait for their next attempt."""
    undone = simulation.undone
    only_holes = bool(undone) and all(page.hole_since for page in undone)
    return timedelta(hours=7) if only_holes else timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Run:
    """The outcome of a run, for the figures."""

    simulation: Simulation
    ticks: int

    @property
    def repeated_events(self) -> int:
        published = self.simulation.topic.published
        return len(published) - len({event.id for event in published})


def run_at_random(seed: int, *, steps: int = 250) -> Run:
    """Run a seeded chaos; then let the system come to rest undisturbed."""
    simulation = Simulation(at_random(seed), seed)
    Chaos(simulation, Random(f"chaos {seed}")).run(steps)  # reproducible by intent
    return Run(simulation, OneByOne(simulation).come_to_rest())


SKEWS = tuple(timedelta(seconds=s) for s in (0, 0, 0, -8, 8, -300, 300))
"""How far a worker's clock may be ahead of the planner's."""


@dataclass
class Chaos:
    """A seeded scheduler: any process may run next, and any fault may strike it.

    ``commanding`` is the probability of an operator's command when it chooses the next process.
    """

    simulation: Simulation
    rng: Random
    commanding: float = 0.0
    skews: Sequence[timedelta] = SKEWS

    def run(self, steps: int) -> None:
        simulation, rng = self.simulation, self.rng
        # A worker that sleeps past its lease uses up an attempt without a failure.
        simulation.oracle.outages_only = False
        faulty = rng.choice((0.0, 0.01, 0.05, 0.2))
        changing = rng.choice((0.0, 0.0, 0.01, 0.05))
        stickiness = rng.choice((0.3, 0.9, 0.98))
        fates = rng.sample(list(Fate)[1:], rng.randint(1, len(Fate) - 1))
        current: Process | None = None
        for _ in range(steps):
            if rng.random() < changing:
                self._change()
            if rng.random() < 0.02:
                simulation.now += rng.choice(_STEPS)
            if current is None or not current.alive or rng.random() > stickiness:
                current = self._choose()
            if current is None or not current.alive:
                simulation.now += rng.choice(_STEPS)
                continue
            call = current.call
            assert call is not None
            possible = [fate for fate in call.fates if fate in fates]
            struck = possible and rng.random() < faulty
            simulation.resume(current, rng.choice(possible) if struck else Fate.PROCEED)
        for process in simulation.alive:
            while process.alive:
                simulation.resume(process)

    def _choose(self) -> Process | None:
        """A process under way, a worker for some message, or a new run of the planner."""
        simulation, rng = self.simulation, self.rng
        messages, alive = simulation.receivable, simulation.alive
        if self.commanding and len(alive) < 4 and rng.random() < self.commanding:
            return simulation.command(self._command())
        if alive and (rng.random() < 0.5 or not messages):
            if len(alive) < 4 and rng.random() < 0.1:
                return simulation.tick()
            return rng.choice(alive)
        if messages and rng.random() < 0.9:
            message = rng.choice(messages)
            draw = rng.random()
            if draw < 0.05:
                simulation.lose(message)
                return None
            if draw < 0.15:
                simulation.repeat(message)
            return simulation.deliver(message, skew=rng.choice(self.skews))
        return simulation.tick()

    def _command(self) -> dict[str, Any]:
        """Any command, over the whole timeline or a part of it."""
        simulation, rng = self.simulation, self.rng
        at = sorted([simulation.scenario.origin, MONTH, simulation.now])
        start, to = sorted(rng.sample([*at, MONTH + timedelta(seconds=3)], 2))
        span = {"from": format_instant(start), "to": format_instant(to + timedelta(seconds=1))}
        ids = [entry.log_entry_id for entry in simulation.source.store][:3]
        past = simulation.scenario.origin - timedelta(seconds=rng.choice((1, 90, 86_400)))
        commands: tuple[dict[str, Any], ...] = (
            {"command": "sweep", **span},
            {"command": "sweep", "from": format_instant(simulation.scenario.origin)},
            {"command": "sweep", "lookback": rng.choice(("PT1H", "P1D"))},
            {"command": "refresh", "logEntryIds": [*ids, "unheard of"]},
            {"command": "backfill", "from": format_instant(past)},
            {"command": "replay", "subscribers": "all", **span},
            {
                "command": "replay",
                "subscribers": "all",
                "storedFrom": span["from"],
                "storedTo": span["to"],
            },
            {"command": "verify", **span},
            {"command": "ping", "attributes": {"change": "created"}},
            {"command": "confirm-deletions"},
        )
        return rng.choice(commands)

    def _change(self) -> None:
        windows = [page.window for page in self.simulation.undone]
        near = self.rng.choice(windows) if windows and self.rng.random() < 0.8 else None
        self.simulation.source.change(self.rng.choice(list(SourceChange)), near)


_STEPS = tuple(timedelta(seconds=s) for s in (1, 5, 60, 130, 900, 900, 900, 3600))


def faults_met(
    met: Sequence[tuple[str, tuple[Strike, ...]]], start: int
) -> Iterator[tuple[int, Strike]]:
    """Every single fault that could strike a run from the point ``start`` on."""
    for point, (_, faults) in enumerate(met[start:], start):
        for fault in faults:
            yield point, fault
