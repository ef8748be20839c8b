"""Trials: single runs, each with a name that says all there is to it, to run it again."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice, product
from random import Random

from cpd_exporter.errors import FilterError
from cpd_exporter.model.instants import format_instant
from cpd_exporter.model.windows import Window
from local.simulator.behaviour import Behaviour, Fault
from tests.simulation.invariants import Invariant, check
from tests.simulation.scenario import MONTH, SCENARIOS, at_random, parted, sane
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
from tests.simulation.schedules import Fault as Struck
from tests.simulation.simulation import Simulation
from tests.simulation.source import Change, date_of


@dataclass(frozen=True, slots=True)
class Trial:
    """One run. ``str`` of it is its name, which ``read_trial`` understands."""

    kind: str
    arguments: tuple[str, ...]

    def __str__(self) -> str:
        return " ".join((self.kind, *self.arguments))

    def run(self) -> Run:
        """Raises ``Violation``, with the command that shows it again."""
        try:
            return KINDS[self.kind](*self.arguments)
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


def _faults(scenario: str, change: str, seed: str, faults: str) -> Run:
    """One process after the other, with faults at certain points: ``12:die-after,30:pause``."""
    return one_by_one(scenario, change, seed, _read_faults(faults))[0]


def _reborn(seed: str) -> Run:
    """An export, then another one of the same source, after the timeline was lost."""
    simulation = Simulation(at_random(int(seed)), int(seed))
    OneByOne(simulation).come_to_rest()
    simulation.lose_timeline()
    return Run(simulation, OneByOne(simulation).come_to_rest())


def _doomed(scenario: str, change: str, call: str, fault: str, times: str) -> Run:
    """The same fault again and again; of ``worker:call``, where workers meet it, else everybody."""
    simulation = Simulation(SCENARIOS[scenario]())
    by, _, name = call.rpartition(":")
    doom = Doom(name, fault_of(fault), int(times), by=by)
    schedule = OneByOne(simulation, {}, None if change == "none" else Change(change), doom)
    return Run(simulation, schedule.come_to_rest())


def _swept(scenario: str, change: str, seed: str, faults: str) -> Run:
    """An export; then others change the source, and sweeps find out, in spite of faults at certain
    points of them; then they find nothing any more.
    """
    return swept(scenario, change, seed, _read_faults(faults))[0]


def _operated(seed: str) -> Run:
    """Everything at once, commands too; then sweeps until there is nothing left to tell."""
    scenario = sane(at_random(int(seed)))
    simulation = Simulation(scenario, int(seed))
    chaos = Chaos(simulation, Random(f"chaos {seed}"), commanding=0.1, skews=(timedelta(0),))
    chaos.run(400)
    schedule = OneByOne(simulation)
    schedule.come_to_rest()
    return Run(simulation, sweep_until_quiet(schedule))


_LIES = ((0.0, True), (0.5, True), (0.5, False), (1.0, True), (0.0, False))
"""Which share is listed, and whether every ID is answered with 404."""


def _lied_to(scenario: str, case: str) -> Run:
    """An API that for hours tells nonsense: nobody downstream hears of it. Then it is well again,
    and what was deleted meanwhile is told.
    """
    simulation = Simulation(SCENARIOS[scenario]())
    schedule = OneByOne(simulation)
    schedule.come_to_rest()
    simulation.oracle.sweeps.api_is_sane = False
    simulation.api.lists, simulation.api.knows_nobody = _LIES[int(case)]
    for _ in range(3):
        sweep(schedule)
    told = {row["change"] for row in simulation.oracle.rows}
    check(Invariant.EXACT, told == {"created"}, f"nonsense was told: {told}")
    simulation.api.lists, simulation.api.knows_nobody = 1.0, False
    simulation.oracle.sweeps.api_is_sane = True
    simulation.source.change(Change.DELETE, _exported(simulation))
    return Run(simulation, sweep_until_quiet(schedule))


def _held(case: str) -> Run:
    """Many deletions at once: they wait for the operator's word, and then are told."""
    simulation = Simulation(SCENARIOS["guarded"](), int(case))
    schedule = OneByOne(simulation)
    schedule.come_to_rest()
    for _ in range(3):
        simulation.source.change(Change.DELETE, _exported(simulation))
    for _ in range(4):
        sweep(schedule)
    held = sum(page.held for page in simulation.timeline.stored.values())
    check(Invariant.EXACT, held >= 1, "nothing is held")
    simulation.api.knows_nobody = True  # so that nothing is told yet ...
    schedule.command({"command": "confirm-deletions"})
    simulation.now += timedelta(minutes=1)
    for _ in range(2):  # ... while there are more, which nobody confirmed
        simulation.source.change(Change.DELETE, _exported(simulation))
    for _ in range(2):
        sweep(schedule)
    simulation.api.knows_nobody = False
    for _ in range(3):
        sweep(schedule)
    schedule.command({"command": "confirm-deletions"})
    return Run(simulation, sweep_until_quiet(schedule))


def _wandering(rests: str) -> Run:
    """An entry that goes to another page, comes back as it was, and is deleted in the end; after
    each of these some sweeps, before the next.
    """
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
    told = [row for row in simulation.oracle.rows if row["logEntryId"] == traveller.log_entry_id]
    deletions = sum(row["change"] == "deleted" for row in told)
    check(Invariant.EXACT, deletions == 1, f"its deletion is told {deletions} times")
    return Run(simulation, ticks)


def _backfilled(change: str, seed: str, faults: str) -> Run:
    """An export from a date on; then the past, in spite of faults at certain points."""
    return backfilled(change, seed, _read_faults(faults))[0]


def _overlapping() -> Run:
    """A sweep is asked for while another one of the same stretch is under way."""
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
    """A sweep whose workers meet the same fault again and again."""
    simulation = Simulation(SCENARIOS["parted"](), 1)
    schedule = OneByOne(simulation)
    schedule.come_to_rest()
    for one in (Change.EDIT, Change.DELETE, Change.BACK_DATE, Change.MOVE):
        simulation.source.change(one, _exported(simulation))
    schedule.doom = Doom(call, fault_of(fault), int(times), by="worker")
    return Run(simulation, sweep_until_quiet(schedule))


_BLINDNESS = (
    None,
    Behaviour(filter_offset_seconds=7200),
    Behaviour(filter_offset_seconds=-36_000),
    Behaviour(faults=(Fault(kind="ignore-filter"),)),
)


def _blind(case: str) -> Run:
    """A filter that does not work as assumed: nothing moves, loudly, until it is mended."""
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
        check(Invariant.EXACT, stuck, "the filter is broken, and nobody says so")
        check(Invariant.EXACT, not simulation.timeline.stored, "planned by a broken filter")
    simulation.api.finds_nothing = False
    simulation.source.simulator.behaviour = Behaviour()
    return Run(simulation, OneByOne(simulation).come_to_rest())


KINDS: dict[str, Callable[..., Run]] = {
    "random": _random,
    "faults": _faults,
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


# ── all of a kind ────────────────────────────────────────────────────────────────────────────────


def undisturbed(scenario: str) -> Trial:
    return _trial(scenario, "none", 0)


def doomed_trials() -> Iterator[Trial]:
    """What fails so often that a page becomes a hole, in each of its states, and gets well."""
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
    """Every single fault that a scenario can meet, and none; or those that such calls can."""
    yield _trial(scenario, change, seed)
    _, schedule = one_by_one(scenario, change, str(seed), {})
    for point, fault in faults_met(schedule.met, 0):
        if schedule.met[point][0].startswith(call):
            yield _trial(scenario, change, seed, (point, fault))


def backfill_faults(change: str, seed: int = 0) -> Iterator[Trial]:
    """Every single fault that a backfill can meet, and none at all."""
    yield Trial("backfilled", (change, str(seed), "-"))
    _, schedule, begun = backfilled(change, str(seed), {})
    for point, fault in faults_met(schedule.met, begun):
        yield Trial("backfilled", (change, str(seed), f"{point - begun}:{fault}"))


def swept_faults(
    scenario: str, change: str = "none", seed: int = 0, *, call: str = ""
) -> Iterator[Trial]:
    """Every single fault that the sweeps of a scenario can meet; or that one kind of call can."""
    yield Trial("swept", (scenario, change, str(seed), "-"))
    _, schedule, struck = swept(scenario, change, str(seed), {})
    for point, fault in faults_met(schedule.met[: struck.stop], struck.start):
        if not schedule.met[point][0].startswith(call):
            continue
        yield Trial("swept", (scenario, change, str(seed), f"{point - struck.start}:{fault}"))


def source_changes(scenario: str, change: str, seed: int, *, call: str = "api.") -> Iterator[Trial]:
    """A change of the source before any such call, and nothing else."""
    _, schedule = one_by_one(scenario, change, str(seed), {})
    for point, (name, _) in enumerate(schedule.met):
        if name.startswith(call):
            yield _trial(scenario, change, seed, (point, Timing.CHANGE))


def late_wakers(scenario: str, change: str, *, call: str = "") -> Iterator[Trial]:
    """A worker falls asleep before such a call, others take over, and it wakes anywhere in what
    they do.
    """
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
    """Every pair of faults: the second strikes in the run that the first one led to.

    Or one in so many of them, chosen by ``seed``.
    """
    chance = Random(f"pairs {scenario} {change} {seed}")  # reproducible by intent
    _, schedule = one_by_one(scenario, change, str(seed), {})
    for first in faults_met(schedule.met, 0):
        if one_in > 1 and chance.randrange(one_in) >= 20:
            continue  # the run that shows what the second one may be is not free either
        _, then = one_by_one(scenario, change, str(seed), dict([first]))
        for second in faults_met(then.met, first[0] + 1):
            if one_in == 1 or chance.randrange(max(1, min(one_in, 20))) == 0:
                yield _trial(scenario, change, seed, first, second)


def quick_trials() -> Iterator[Trial]:
    """What every mutant goes through, the most telling first."""
    yield from blind_trials()
    yield from map(undisturbed, SCENARIOS)
    yield from reborn_trials(5)
    yield Trial("doomed", ("one-page", "none", "timeline.advance", "pause", "1"))
    yield from source_changes("behind", "insert", 0, call="timeline.")
    yield from single_faults("nearly-full", "back-date", call="lake.")
    yield from single_faults("lone", "delete", call="lake.")
    yield from single_faults("one-page", "edit")
    yield from late_wakers("lone", "delete", call="lake.")
    yield from doomed_trials()
    yield from source_changes("unstable", "replace", 2)
    yield from source_changes("dense", "replace", 1)
    yield from single_faults("lone", "delete")
    yield from random_trials(0, 200)
    yield from late_wakers("lone", "delete")
    yield from islice(single_faults("small", "move"), 0, None, 3)


def quick_sweeps() -> Iterator[Trial]:
    """The same for sweeps and commands."""
    yield Trial("backfilled", ("none", "0", "-"))
    yield Trial("overlapping", ())
    for scenario, change in product(("anchored", "parted"), ("none", Change.MOVE)):
        yield Trial("swept", (scenario, change, "1", "-"))
    yield from lied_to_trials()
    yield from held_trials(1)
    for rests in ("313", "000", "120"):
        yield Trial("wandering", (rests,))
    yield from swept_faults("brimful", "back-date", call="lake.")
    yield Trial("doomed-sweep", ("api.query", "malform", "9"))
    yield from operated_trials(0, 40)


def _trial(scenario: str, change: str, seed: int, *faults: tuple[int, Struck]) -> Trial:
    named = ",".join(f"{point}:{fault}" for point, fault in faults) or "-"
    return Trial("faults", (scenario, change, str(seed), named))


def _read_faults(text: str) -> dict[int, Struck]:
    if text == "-":
        return {}
    pairs = (fault.split(":") for fault in text.split(","))
    return {int(point): fault_of(name) for point, name in pairs}


def backfilled(change: str, seed: str, faults: Mapping[int, Struck]) -> tuple[Run, OneByOne, int]:
    """A run with a backfill, its schedule, and the point at which the backfill began."""
    simulation = Simulation(SCENARIOS["late"](), int(seed))
    schedule = OneByOne(simulation)
    schedule.come_to_rest()
    begun = len(schedule.met)
    schedule.faults = {begun + point: fault for point, fault in faults.items()}
    schedule.change = None if change == "none" else Change(change)
    past = parted().origin
    command = {"command": "backfill", "from": format_instant(past)}
    ticks = schedule.command(command)
    stands = simulation.timeline.stands
    if stands is not None and stands.origin > past:  # the command itself was lost: once more
        ticks += schedule.command(command)
    reached = simulation.timeline.stands
    check(Invariant.REST, reached and reached.exported_from == past, "the past is not exported")
    return Run(simulation, ticks), schedule, begun


def swept(
    scenario: str, change: str, seed: str, faults: Mapping[int, Struck]
) -> tuple[Run, OneByOne, range]:
    """A run with sweeps, its schedule, and the points at which faults may strike the sweeps."""
    simulation = Simulation(SCENARIOS[scenario](), int(seed))
    schedule = OneByOne(simulation)
    schedule.come_to_rest()
    for one in (Change.EDIT, Change.DELETE, Change.BACK_DATE, Change.MOVE):
        simulation.source.change(one, _exported(simulation))
    begun = len(schedule.met)
    schedule.faults = {begun + point: fault for point, fault in faults.items()}
    schedule.change = None if change == "none" else Change(change)
    ticks = max(sweep(schedule) for _ in range(2))
    struck = range(begun, len(schedule.met))
    schedule.faults = {}
    return Run(simulation, max(ticks, sweep_until_quiet(schedule))), schedule, struck


def sweep_until_quiet(schedule: OneByOne) -> int:
    """Sweep all that is exported, for some hours: then the lake says what the source does, and one
    more sweep writes and tells nothing. Returns the ticks of the slowest sweep.
    """
    simulation = schedule.simulation
    ticks = max(sweep(schedule, hasty=True) for _ in range(7))
    simulation.oracle.judge_view()
    rows = [key for key in simulation.lake.objects if key.startswith("entries/")]
    told = len(simulation.topic.published)
    sweep(schedule)
    again = [key for key in simulation.lake.objects if key.startswith("entries/")]
    check(Invariant.EXACT, again == rows, "a sweep without changes wrote rows")
    check(Invariant.EXACT, len(simulation.topic.published) == told, "a sweep told what is known")
    return ticks


def sweep(schedule: OneByOne, *, hasty: bool = False) -> int:
    """Sweep all that is exported; then the time goes by that a deletion waits, or half of it.

    Returns the ticks that it took.
    """
    exported = _exported(schedule.simulation)
    ticks = schedule.command({"command": "sweep", "from": format_instant(exported.start)})
    delay = schedule.simulation.scenario.deletion_delay / (2 if hasty else 1)
    schedule.simulation.now += delay + timedelta(minutes=1)
    return ticks


def _exported(simulation: Simulation) -> Window:
    stands = simulation.timeline.stands
    assert stands is not None
    return Window(stands.exported_from, stands.exported_through)


def one_by_one(
    scenario: str, change: str, seed: str, faults: Mapping[int, Struck]
) -> tuple[Run, OneByOne]:
    """A run, and the schedule that tells what it met."""
    simulation = Simulation(SCENARIOS[scenario](), int(seed))
    schedule = OneByOne(simulation, faults, None if change == "none" else Change(change))
    return Run(simulation, schedule.come_to_rest()), schedule
