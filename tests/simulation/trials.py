"""Trials: single runs, each with a name from which it can be run again."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice, product
from random import Random

from cpd_exporter.errors import FilterError
from cpd_exporter.model.timestamps import format_instant
from simulator.behaviour import Behaviour, InjectedFault
from tests.simulation.invariants import Invariant, check
from tests.simulation.runs import (
    backfilled,
    exported_window,
    one_by_one,
    sweep,
    sweep_until_quiet,
    swept,
)
from tests.simulation.scenario import MONTH, SCENARIOS, at_random, sane
from tests.simulation.schedules import (
    Chaos,
    Doom,
    OneByOne,
    Run,
    Timing,
    fault_of,
    faults_met,
    run_at_random,
)
from tests.simulation.schedules import Strike as Struck
from tests.simulation.simulation import Simulation
from tests.simulation.source import SourceChange, date_of


@dataclass(frozen=True, slots=True)
class Trial:
    """One run. Its ``str`` is its name, which ``read_trial`` reads."""

    kind: str
    arguments: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join((self.kind, *self.arguments))

    def run(self) -> Run:
        """Run the trial; raises ``Violation`` with the command that shows the trial again."""
        try:
            return _kind(self.kind)(*self.arguments)
        except Exception as error:
            error.add_note(f"Again: .venv/bin/python -m tests.simulation.replay {self}")
            raise


def read_trial(name: str) -> Trial:
    kind, *arguments = name.split()
    return Trial(kind, tuple(arguments))


# ── the kinds ────────────────────────────────────────────────────────────────────────────────────


def _random(seed: str) -> Run:
    """Everything at once, at random."""
    return run_at_random(int(seed))


def faults_of(scenario: str, change: str, seed: str, faults: str) -> Run:
    """One process after the other, with faults at given points: ``12:die-after,30:pause``."""
    return one_by_one(scenario, change, seed, _read_faults(faults))[0]


def _reborn(seed: str) -> Run:
    """An export; then another one of the same source, after the loss of the timeline."""
    simulation = Simulation(at_random(int(seed)), int(seed))
    OneByOne(simulation).come_to_rest()
    simulation.lose_timeline()
    return Run(simulation, OneByOne(simulation).come_to_rest())


def _doomed(scenario: str, change: str, call: str, fault: str, times: str) -> Run:
    """The same fault again and again; with ``worker:call``, only workers meet it."""
    simulation = Simulation(SCENARIOS[scenario]())
    by, _, name = call.rpartition(":")
    doom = Doom(name, fault_of(fault), int(times), by=by)
    schedule = OneByOne(simulation, {}, None if change == "none" else SourceChange(change), doom)
    return Run(simulation, schedule.come_to_rest())


def _swept(scenario: str, change: str, seed: str, faults: str) -> Run:
    """Sweeps find the changes of others in spite of faults at given points, and then no more."""
    return swept(scenario, change, seed, _read_faults(faults))[0]


def _operated(seed: str) -> Run:
    """Chaos with commands; then sweeps until nothing is left to publish."""
    scenario = sane(at_random(int(seed)))
    simulation = Simulation(scenario, int(seed))
    chaos = Chaos(simulation, Random(f"chaos {seed}"), commanding=0.1, skews=(timedelta(0),))
    chaos.run(400)
    schedule = OneByOne(simulation)
    schedule.come_to_rest()
    return Run(simulation, sweep_until_quiet(schedule))


_LIES = ((0.0, True), (0.5, True), (0.5, False), (1.0, True), (0.0, False))
"""The share of entries that is listed, and whether the API answers every ID with 404."""


def _lied_to(scenario: str, case: str) -> Run:
    """No subscriber hears of an API that answers nonsense for hours, but of later deletions."""
    simulation = Simulation(SCENARIOS[scenario]())
    schedule = OneByOne(simulation)
    schedule.come_to_rest()
    simulation.oracle.sweeps.api_is_sane = False
    simulation.api.lists, simulation.api.knows_nobody = _LIES[int(case)]
    for _ in range(3):
        sweep(schedule)
    changes = {row["change"] for row in simulation.oracle.rows}
    check(Invariant.EXACT, changes == {"created"}, f"nonsense was stored: {changes}")
    simulation.api.lists, simulation.api.knows_nobody = 1.0, False
    simulation.oracle.sweeps.api_is_sane = True
    simulation.source.change(SourceChange.DELETE, exported_window(simulation))
    return Run(simulation, sweep_until_quiet(schedule))


def _held(case: str) -> Run:
    """Many deletions at once: they wait for the operator's confirmation and are then published."""
    simulation = Simulation(SCENARIOS["guarded"](), int(case))
    schedule = OneByOne(simulation)
    schedule.come_to_rest()
    for _ in range(3):
        simulation.source.change(SourceChange.DELETE, exported_window(simulation))
    for _ in range(4):
        sweep(schedule)
    pages = simulation.timeline.stored_pages.values()
    held = sum(bool(entry.held_at) for page in pages for entry in page.missing.values())
    check(Invariant.EXACT, held >= 1, "nothing is held")
    simulation.api.knows_nobody = True  # so that no deletion is published yet ...
    schedule.command({"command": "confirm-deletions"})
    simulation.now += timedelta(minutes=1)
    for _ in range(2):  # ... while more entries go, unconfirmed
        simulation.source.change(SourceChange.DELETE, exported_window(simulation))
    for _ in range(2):
        sweep(schedule)
    simulation.api.knows_nobody = False
    for _ in range(3):
        sweep(schedule)
    schedule.command({"command": "confirm-deletions"})
    return Run(simulation, sweep_until_quiet(schedule))


def _wandering(rests: str) -> Run:
    """An entry moves away, back and away, and is deleted; ``rests`` sweeps follow each move."""
    simulation = Simulation(SCENARIOS["parted"]())
    schedule = OneByOne(simulation)
    schedule.come_to_rest()
    traveller = simulation.scenario.entries[0]
    home, away = date_of(traveller), MONTH + timedelta(seconds=202)
    for there, number in zip((away, home, away), rests, strict=False):
        simulation.source.move(traveller.log_entry_id, there)
        for _ in range(int(number)):
            sweep(schedule)
    ticks = sweep_until_quiet(schedule)
    simulation.source.delete(traveller.log_entry_id)
    ticks = max(ticks, sweep_until_quiet(schedule))
    rows = [row for row in simulation.oracle.rows if row["logEntryId"] == traveller.log_entry_id]
    deletions = sum(row["change"] == "deleted" for row in rows)
    check(Invariant.EXACT, deletions == 1, f"its deletion is stored {deletions} times")
    return Run(simulation, ticks)


def _backfilled(change: str, seed: str, faults: str) -> Run:
    """An export from a date on; then a backfill, in spite of faults at given points."""
    return backfilled(change, seed, _read_faults(faults))[0]


def _overlapping() -> Run:
    """A command for a sweep arrives while another sweep of the same range is under way."""
    simulation = Simulation(SCENARIOS["parted"](), 1)
    schedule = OneByOne(simulation)
    schedule.come_to_rest()
    for start in (simulation.scenario.origin, MONTH + timedelta(seconds=150)):
        command = {"command": "sweep", "from": format_instant(start)}
        simulation.finish(simulation.command(command))
        simulation.finish(simulation.tick())
    schedule.come_to_rest()
    return Run(simulation, sweep_until_quiet(schedule))


def _doomed_sweep(call: str, fault: str, times: str) -> Run:
    """Sweeps whose workers meet the same fault again and again."""
    simulation = Simulation(SCENARIOS["parted"](), 1)
    schedule = OneByOne(simulation)
    schedule.come_to_rest()
    for one in (SourceChange.EDIT, SourceChange.DELETE, SourceChange.BACK_DATE, SourceChange.MOVE):
        simulation.source.change(one, exported_window(simulation))
    schedule.doom = Doom(call, fault_of(fault), int(times), by="worker")
    return Run(simulation, sweep_until_quiet(schedule))


_BLINDNESS = (
    None,
    Behaviour(filter_offset_seconds=7200),
    Behaviour(filter_offset_seconds=-36_000),
    Behaviour(faults=(InjectedFault(kind="ignore-filter"),)),
)


def _blind(case: str) -> Run:
    """A broken filter: the export stops with an error until the filter works again."""
    simulation = Simulation(SCENARIOS["small"]())
    broken = _BLINDNESS[int(case)]
    if broken is None:
        simulation.api.finds_nothing = True
    else:
        simulation.source.simulator.behaviour = broken
    for _ in range(3):
        tick = simulation.tick()
        simulation.finish(tick)
        stuck = tick.result is not None and isinstance(tick.result.error, FilterError)
        check(Invariant.EXACT, stuck, "the filter is broken, but no tick reports it")
        check(Invariant.EXACT, not simulation.timeline.stored_pages, "planned by a broken filter")
    simulation.api.finds_nothing = False
    simulation.source.simulator.behaviour = Behaviour()
    return Run(simulation, OneByOne(simulation).come_to_rest())


KINDS: dict[str, Callable[..., Run]] = {
    "random": _random,
    "faults": faults_of,
    "doomed": _doomed,
    "swept": _swept,
    "operated": _operated,
    "lied-to": _lied_to,
    "held": _held,
    "wandering": _wandering,
    "doomed-sweep": _doomed_sweep,
    "backfilled": _backfilled,
    "overlapping": _overlapping,
    "reborn": _reborn,
    "blind": _blind,
}


def _kind(name: str) -> Callable[..., Run]:
    from tests.simulation import departure_trials, world_trials  # made of this module's parts

    return (KINDS | world_trials.KINDS | departure_trials.KINDS)[name]


# ── all of a kind ────────────────────────────────────────────────────────────────────────────────


def undisturbed(scenario: str) -> Trial:
    return _trial(scenario, "none", 0)


def doomed_trials() -> Iterator[Trial]:
    """Faults that turn a page into a hole, in each of its states, and then end."""
    for times in (4, 6, 9):
        for scenario, call in product(("one-page", "small"), _DOOMED):
            for fault in ("die-before", "die-after"):
                yield Trial("doomed", (scenario, "edit", call, fault, str(times)))
    for scenario, times in product(("nearly-full", "small"), (6, 28, 40)):
        yield Trial("doomed", (scenario, "none", "worker:api.query", "malform", str(times)))


_DOOMED = ("timeline.commit", "timeline.update", "lake.put_new", "topic.publish", "queue.send")


def random_trials(first: int, count: int) -> Iterator[Trial]:
    for seed in range(first, first + count):
        yield Trial("random", (str(seed),))


def operated_trials(first: int, count: int) -> Iterator[Trial]:
    for seed in range(first, first + count):
        yield Trial("operated", (str(seed),))


def lied_to_trials() -> Iterator[Trial]:
    for scenario, case in product(("anchored", "parted"), range(len(_LIES))):
        yield Trial("lied-to", (scenario, str(case)))


def held_trials(count: int) -> Iterator[Trial]:
    for case in range(count):
        yield Trial("held", (str(case),))


def wandering_trials() -> Iterator[Trial]:
    for rests in product("0123", repeat=3):
        yield Trial("wandering", ("".join(rests),))


def doomed_sweep_trials() -> Iterator[Trial]:
    for times in ("9", "3", "6"):
        for call, fault in (
            ("api.query", "malform"),
            ("api.query", "die-before"),
            ("timeline.commit", "die-before"),
            ("timeline.commit", "die-after"),
            ("lake.put_new", "die-before"),
            ("lake.put_new", "die-after"),
            ("topic.publish", "lose-answer"),
        ):
            yield Trial("doomed-sweep", (call, fault, times))


def reborn_trials(count: int) -> Iterator[Trial]:
    for seed in range(count):
        yield Trial("reborn", (str(seed),))


def blind_trials() -> Iterator[Trial]:
    for case in range(len(_BLINDNESS)):
        yield Trial("blind", (str(case),))


def single_faults(
    scenario: str, change: str = "none", seed: int = 0, *, call: str = ""
) -> Iterator[Trial]:
    """No fault, and every single fault of a scenario at calls that begin with ``call``."""
    yield _trial(scenario, change, seed)
    _, schedule = one_by_one(scenario, change, str(seed), {})
    for point, fault in faults_met(schedule.met, 0):
        if schedule.met[point][0].startswith(call):
            yield _trial(scenario, change, seed, (point, fault))


def backfill_faults(change: str, seed: int = 0) -> Iterator[Trial]:
    """No fault, and every single fault that a backfill can meet."""
    yield Trial("backfilled", (change, str(seed), "-"))
    _, schedule, begun = backfilled(change, str(seed), {})
    for point, fault in faults_met(schedule.met, begun):
        yield Trial("backfilled", (change, str(seed), f"{point - begun}:{fault}"))


def swept_faults(
    scenario: str, change: str = "none", seed: int = 0, *, call: str = ""
) -> Iterator[Trial]:
    """No fault, and every single fault of its sweeps at calls that begin with ``call``."""
    yield Trial("swept", (scenario, change, str(seed), "-"))
    _, schedule, struck = swept(scenario, change, str(seed), {})
    for point, fault in faults_met(schedule.met[: struck.stop], struck.start):
        if not schedule.met[point][0].startswith(call):
            continue
        yield Trial("swept", (scenario, change, str(seed), f"{point - struck.start}:{fault}"))


def source_changes(scenario: str, change: str, seed: int, *, call: str = "api.") -> Iterator[Trial]:
    """One change of the source before each such call, without other faults."""
    _, schedule = one_by_one(scenario, change, str(seed), {})
    for point, (name, _) in enumerate(schedule.met):
        if name.startswith(call):
            yield _trial(scenario, change, seed, (point, Timing.CHANGE))


def late_wakers(scenario: str, change: str, *, call: str = "") -> Iterator[Trial]:
    """A worker falls asleep before such a call, and wakes at any point of its successors' work."""
    _, schedule = one_by_one(scenario, change, "0", {})
    first_delivery = [name for name, _ in schedule.met].index("deliver")
    for asleep, (name, _) in enumerate(schedule.met):
        if asleep <= first_delivery or not name.startswith(call):
            continue
        pause = (asleep, Timing.PAUSE)
        _, then = one_by_one(scenario, change, "0", dict([pause]))
        for point, fault in faults_met(then.met, asleep + 1):
            if fault is Timing.AWAKEN:
                yield _trial(scenario, change, 0, pause, (point, fault))


def pairs_of_faults(
    scenario: str, change: str = "none", seed: int = 0, *, one_in: int = 1
) -> Iterator[Trial]:
    """Every pair of faults, or ``one_in`` so many; the first decides which seconds there are."""
    chance = Random(f"pairs {scenario} {change} {seed}")  # reproducible by intent
    _, schedule = one_by_one(scenario, change, str(seed), {})
    for first in faults_met(schedule.met, 0):
        if one_in > 1 and chance.randrange(one_in) >= 20:
            continue  # the run that reveals the second faults also takes time
        _, then = one_by_one(scenario, change, str(seed), dict([first]))
        for second in faults_met(then.met, first[0] + 1):
            if one_in == 1 or chance.randrange(max(1, min(one_in, 20))) == 0:
                yield _trial(scenario, change, seed, first, second)


def quick_trials() -> Iterator[Trial]:
    """The trials for every mutant of the export, the most effective first."""
    yield from blind_trials()
    yield from map(undisturbed, SCENARIOS)
    yield from reborn_trials(5)
    yield from (Trial("costly", (case,)) for case in ("topic-rate", "longer-than-a-worker"))
    yield Trial(
        "doomed", ("one-page", "none", "timeline.update_watermark.exported_through", "pause", "1")
    )
    yield from source_changes("behind", "insert", 0, call="timeline.")
    yield from single_faults("nearly-full", "back-date", call="lake.")
    yield from single_faults("lone", "delete", call="lake.")
    yield from single_faults("one-page", "edit")
    yield from late_wakers("lone", "delete", call="lake.")
    yield from doomed_trials()
    yield from source_changes("unstable", "replace", 2)
    yield from source_changes("unstable", "replace", 3)
    yield from source_changes("dense", "replace", 1)
    yield from single_faults("lone", "delete")
    yield from random_trials(0, 200)
    yield from late_wakers("lone", "delete")
    yield from islice(single_faults("small", "move"), 0, None, 3)


def quick_sweeps() -> Iterator[Trial]:
    """The trials for every mutant of sweeps and commands."""
    from tests.simulation import departure_trials, world_trials

    yield from world_trials.tied_trials()
    yield from departure_trials.left_trials()
    yield Trial("backfilled", ("none", "0", "-"))
    yield Trial("overlapping", ())
    for scenario, change in product(("anchored", "parted"), ("none", SourceChange.MOVE)):
        yield Trial("swept", (scenario, change, "1", "-"))
    yield from lied_to_trials()
    yield from held_trials(1)
    yield from world_trials.breaker_trials()
    for rests in ("313", "000", "120"):
        yield Trial("wandering", (rests,))
    yield from swept_faults("brimful", "back-date", call="lake.")
    yield Trial("doomed-sweep", ("api.query", "malform", "9"))
    yield from operated_trials(0, 40)
    yield from world_trials.loud_trials()
    yield from world_trials.self_changing_trials(1)
    yield from world_trials.resettled_trials(3)


def _trial(scenario: str, change: str, seed: int, *faults: tuple[int, Struck]) -> Trial:
    named = ",".join(f"{point}:{fault}" for point, fault in faults) or "-"
    return Trial("faults", (scenario, change, str(seed), named))


def _read_faults(text: str) -> dict[int, Struck]:
    if text == "-":
        return {}
    pairs = (fault.split(":") for fault in text.split(","))
    return {int(point): fault_of(name) for point, name in pairs}
