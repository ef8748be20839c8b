"""Trials of the world around the interleavings: ties, lies, limits, settings, old work.

``KINDS`` names them as ``trials.KINDS`` does.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product
from random import Random
from typing import Any

from cpd_exporter.model.message import PageMessage
from cpd_exporter.model.timestamps import format_instant
from cpd_exporter.planner.index_cleanup import INDEX_GRACE
from local.stack.template import template
from simulator.behaviour import Behaviour
from simulator.entry_writer import EntryWriter
from simulator.source import StoredEntry, to_ms
from tests.simulation.invariants import Invariant, Violation, check
from tests.simulation.processes import Process
from tests.simulation.runs import sweep, sweep_until_quiet, tick_and_work
from tests.simulation.scenario import MONTH, SCENARIOS, Scenario, at_random, sane
from tests.simulation.schedules import Chaos, Doom, OneByOne, Run, fault_of
from tests.simulation.simulation import Simulation
from tests.simulation.source import SourceChange, date_of
from tests.simulation.trials import Trial
from tests.simulation.world import Costs, Lie

TICK = timedelta(minutes=15)
MAX_ITEM_BYTES = 400_000


# ── ties ─────────────────────────────────────────────────────────────────────────────────────────


def _tied(direction: str, sweeps: str) -> Run:
    """Two pages store an entry at one instant, because it moves between their readings.

    No subscriber can order the two rows. A sweep decides which one counts, whether it covers both
    pages (``merged``) or one (``apart``).
    """
    simulation = Simulation(replace(SCENARIOS["parted"](), behaviour=Behaviour(), target=2))
    schedule = OneByOne(simulation)
    simulation.finish(simulation.tick())
    first, last = simulation.scenario.entries[0], simulation.scenario.entries[-1]
    traveller, aim = (first, last) if direction == "forth" else (last, first)
    id_, goal = traveller.log_entry_id, date_of(aim) + timedelta(seconds=1)
    while id_ not in simulation.oracle.stored_ids:
        messages = simulation.receivable
        near = [
            message
            for message in messages
            if isinstance(message.work, PageMessage) and date_of(traveller) in message.work.window
        ]
        simulation.finish(simulation.deliver((near or messages)[0]))
    simulation.source.move(id_, goal)
    schedule.come_to_rest()
    rows = [row for row in simulation.oracle.rows if row["logEntryId"] == id_]
    tied = len(rows) == 2 and len({row["exportedAt"] for row in rows}) == 1
    check(Invariant.REST, tied, "the trial did not make a tie")
    if sweeps == "merged":
        simulation.change_settings(target=800)
    return Run(simulation, sweep_until_quiet(schedule))


# ── lies ─────────────────────────────────────────────────────────────────────────────────────────

_PARAMETERS = template()["Parameters"]
_SHORT, _LONG = (_PARAMETERS[f"{name}SweepLookback"]["Default"] for name in ("Short", "Long"))
LONG_AGO = datetime.fromisoformat("2024-03-01T00:00:00Z")


def years() -> Scenario:
    """Entries of two years, a few a month."""
    writer = EntryWriter(Random(5))  # made-up data, the same each time
    step = (MONTH - LONG_AGO) / 60
    entries: tuple[StoredEntry, ...] = tuple(
        writer.write(to_ms(LONG_AGO + step * n + timedelta(minutes=7))) for n in range(60)
    )
    return Scenario(entries, origin=LONG_AGO)


def _misled(kind: str, wider_than_days: str, hours: str) -> Run:
    """The API lies about wide ranges while exporting, for some hours; then it is right again.

    A few weeks on the default schedules mend the lake, without a word of the operator's.
    """
    simulation = Simulation(years())
    oracle = simulation.oracle
    oracle.is_lied_to = True
    until = simulation.now + timedelta(hours=float(hours))
    simulation.api.lie = Lie(kind, timedelta(days=float(wider_than_days)), until)
    while simulation.now < until:
        tick_and_work(simulation)
        simulation.now += TICK
    oracle.sweeps.api_is_sane = True
    ticks = _live_by_the_schedules(simulation, days=65)
    oracle.judge_view()
    return Run(simulation, ticks)


def _live_by_the_schedules(simulation: Simulation, *, days: int) -> int:
    """Days on the template's default sweeps, with a tick every six hours; returns the ticks."""
    ticks = days * 4
    for tick in range(ticks):
        lookback = _LONG if tick % 4 == 1 else _SHORT
        simulation.finish(simulation.command({"command": "sweep", "lookback": lookback}))
        tick_and_work(simulation)
        simulation.now += timedelta(hours=6)
    return ticks


# ── limits of the world ──────────────────────────────────────────────────────────────────────────


def crowded(count: int, costs: Costs, cap: int | None) -> Scenario:
    """So many entries in one second, and one in each second beside it."""
    writer = EntryWriter(Random(7))  # made-up data, the same each time
    seconds = [1.0, *(2 + n / count for n in range(count)), 3.0]
    entries = tuple(writer.write(to_ms(MONTH + timedelta(seconds=s))) for s in seconds)
    return Scenario(entries, Behaviour(per_page_cap=cap), origin=MONTH, costs=costs)


_TWO_SECONDS, _TWO_MINUTES = timedelta(seconds=2), timedelta(minutes=2)
_COSTS: dict[str, Scenario] = {
    "slow-calls": crowded(40, Costs(_TWO_SECONDS, _TWO_MINUTES), cap=10),
    "longer-than-a-worker": crowded(160, Costs(_TWO_SECONDS, timedelta(seconds=20)), cap=10),
    "topic-rate": crowded(
        200, Costs(time_out=timedelta(seconds=12), events_per_second=10), cap=None
    ),
    "body-limit": crowded(400, Costs(max_body_bytes=50_000), cap=None),
}


def _costly(case: str) -> Run:
    """Calls take time, and the services have limits; what was there in time is exported anyway."""
    simulation = Simulation(_COSTS[case])
    for _ in range(12):
        tick_and_work(simulation)
        watermark = simulation.timeline.stored_watermark
        holes = [page for page in simulation.undone if page.hole_since is not None]
        passed = watermark is not None and watermark.exported_through > MONTH + timedelta(minutes=1)
        if passed and not holes:
            break
        simulation.now += TICK if not holes else timedelta(hours=7)
    else:
        raise Violation(Invariant.PROGRESS, f"{simulation.undone[:1]}")
    simulation.change_settings(costs=Costs())  # else new time passes with each tick
    return Run(simulation, OneByOne(simulation).come_to_rest())


def _all_missing() -> Run:
    """An outage lets all entries of a full page go missing: its item must stay small enough."""
    scenario = crowded(300, Costs(max_item_bytes=MAX_ITEM_BYTES), cap=None)
    simulation = Simulation(scenario)
    schedule = OneByOne(simulation)
    schedule.come_to_rest()
    simulation.oracle.sweeps.api_is_sane = False
    simulation.api.lists = 0.0
    for _ in range(2):
        sweep(schedule)
    simulation.api.lists = 1.0
    simulation.oracle.sweeps.api_is_sane = True
    return Run(simulation, sweep_until_quiet(schedule))


# ── settings and members that change ─────────────────────────────────────────────────────────────


def _resettled(seed: str) -> Run:
    """The operator changes settings again and again amid chaos; then sweeps find no more."""
    simulation = Simulation(sane(at_random(int(seed))), int(seed))
    rng = Random(f"settings {seed}")  # reproducible by intent
    chaos = Chaos(simulation, rng, commanding=0.05, skews=(timedelta(0),))
    for _ in range(6):
        chaos.run(60)
        simulation.change_settings(
            target=rng.choice((1, 2, 4, 800)),
            floor=timedelta(seconds=rng.choice((1, 7, 900))),
            outstanding=rng.choice((4, 8, 500)),
            sweeps=rng.choice((1, 3, 50)),
            lease=timedelta(minutes=rng.choice((0, 2, 10))),
        )
    schedule = OneByOne(simulation)
    schedule.come_to_rest()
    return Run(simulation, sweep_until_quiet(schedule))


def _self_changing(seed: str) -> Run:
    """A member of every entry changes by itself, and is left out of the fingerprint."""
    scenario = replace(sane(SCENARIOS["parted"]()), fingerprint_exclude=frozenset({"description"}))
    simulation = Simulation(scenario, int(seed))
    schedule = OneByOne(simulation)
    schedule.come_to_rest()
    published = len(simulation.topic.published)
    for number in range(2):
        simulation.source.shimmer("description", f"of look {number}")
        sweep(schedule)
    quiet = len(simulation.topic.published) == published
    check(Invariant.EXACT, quiet, "a member that is left out made events")
    simulation.source.change(SourceChange.MOVE)
    simulation.source.change(SourceChange.DELETE)
    return Run(simulation, sweep_until_quiet(schedule))


# ── new entries and old work ─────────────────────────────────────────────────────────────────────

OLD_WORK = ("none", "backfill", "sweep", "replay", "verify", "refresh", "outage", "splits")
_ROOM, _SWEEPS = 8, 4


def _fresh(work: str, seed: str) -> Run:
    """Whatever old work there is, an entry is published two ticks after it settled, at the latest.

    The workers of one tick can do as much as the planner may have under way.
    """
    simulation = Simulation(_busy(work), int(seed))
    capacity = _ROOM + _ROOM // 4 + _SWEEPS + 2
    if work != "splits":
        for _ in range(12):
            tick_and_work(simulation)
            simulation.now += TICK
    if work == "outage":
        simulation.api.away = simulation.window_before(simulation.now - timedelta(days=1))
    arrivals: list[tuple[datetime, str]] = []
    for round_ in range(16):
        if round_ % 4 == 0 and (command := _command(work, simulation)) is not None:
            simulation.finish(simulation.command(command))
        simulation.source.change(SourceChange.INSERT)
        arrivals.append((simulation.now, simulation.source.last_inserted))
        simulation.now += TICK
        tick_and_work(simulation, capacity)
        published = {event.entry_id for event in simulation.topic.published}
        late = [at for at, id_ in arrivals if id_ not in published]
        on_time = not late or simulation.now - late[0] <= 3 * TICK
        check(Invariant.NOT_DELAYED, on_time, f"an entry waits behind {work}: {late[:1]}")
    simulation.api.away = None
    return Run(simulation, OneByOne(simulation).come_to_rest())


def _busy(work: str) -> Scenario:
    scenario = replace(
        years(), target=1, outstanding=_ROOM, sweeps=_SWEEPS, origin=MONTH - timedelta(days=90)
    )
    if work == "splits":  # the API's totals are far too low, so every page overflows
        writer = EntryWriter(Random(9))  # made-up data, the same each time
        old = MONTH - timedelta(days=85)
        entries = [writer.write(to_ms(old + timedelta(minutes=97 * n))) for n in range(400)]
        behaviour = Behaviour(per_page_cap=3, totals_factor=0)
        return replace(scenario, entries=tuple(entries), behaviour=behaviour, may_stay_holes=True)
    return scenario


def _command(work: str, simulation: Simulation) -> dict[str, Any] | None:
    start = format_instant(simulation.scenario.origin)
    span = {"from": start, "to": format_instant(simulation.now - timedelta(days=1))}
    ids = [entry.log_entry_id for entry in simulation.scenario.entries]
    commands: dict[str, dict[str, Any]] = {
        "backfill": {"command": "backfill", "from": format_instant(LONG_AGO)},
        "sweep": {"command": "sweep", "from": start},
        "replay": {"command": "replay", "subscribers": "all", **span},
        "verify": {"command": "verify", **span},
        "refresh": {"command": "refresh", "logEntryIds": ids},
    }
    return commands.get(work)


def _loud(scenario: str) -> Run:
    """Losses stay for hours; the next tick's metrics count each of them."""
    simulation = Simulation(SCENARIOS[scenario]())
    schedule = OneByOne(simulation)
    schedule.come_to_rest()
    simulation.now += timedelta(hours=1)
    return Run(simulation, schedule.come_to_rest())


# ── the breaker, and index objects that no page names ────────────────────────────────────────────


def _counted(call: str, fault: str, times: str) -> Run:
    """The one deletion that a day allows is published, though its sweep is done again."""
    simulation = Simulation(SCENARIOS["guarded"](), 1)
    schedule = OneByOne(simulation)
    schedule.come_to_rest()
    simulation.source.delete(simulation.scenario.entries[0].log_entry_id)
    sweep(schedule)
    schedule.doom = Doom(call, fault_of(fault), int(times), by="worker")
    sweep(schedule)
    schedule.doom = None
    ticks = sweep_until_quiet(schedule)
    held = [page for page in simulation.timeline.stored_pages.values() if page.missing]
    check(Invariant.EXACT, not held, "the deletion counts twice, and is held")
    return Run(simulation, ticks)


def _tidied(case: str) -> Run:
    """Days after sweeps, the lake holds the indexes that pages name, and no others.

    ``asleep``: a worker sleeps through that day, between its index and its merge.
    """
    simulation = Simulation(SCENARIOS["guarded"](), 1)
    schedule = OneByOne(simulation)
    schedule.come_to_rest()
    exported = simulation.window_before(simulation.now)
    for _ in range(2):
        simulation.source.change(SourceChange.EDIT, exported)
        simulation.source.change(SourceChange.BACK_DATE, exported)
        sweep(schedule)
    sleepers = _begin_merges(simulation) if case == "asleep" else []
    simulation.now += INDEX_GRACE + TICK
    simulation.finish(simulation.tick())
    for worker in sleepers:
        simulation.finish(worker)
    for _ in range(4):  # each day has sweeps of its own, which hold pages
        simulation.now += INDEX_GRACE + TICK
        schedule.come_to_rest()
    named = {page.index_key for page in simulation.timeline.stored_pages.values()}
    there = {key for key in simulation.lake.objects if key.startswith("index/")}
    check(Invariant.INDEX_FROM_LAKE, there <= named, f"no page names {there - named}")
    return Run(simulation, sweep_until_quiet(schedule))


def _begin_merges(simulation: Simulation) -> list[Process]:
    """Begin sweeps, and stop each worker just before it merges."""
    start = format_instant(simulation.scenario.origin)
    simulation.source.change(SourceChange.EDIT, simulation.window_before(simulation.now))
    simulation.finish(simulation.command({"command": "sweep", "from": start}))
    simulation.finish(simulation.tick())
    workers = [simulation.deliver(message) for message in list(simulation.receivable)]
    for worker in workers:
        while worker.call is not None and worker.call.name != "timeline.commit":
            simulation.resume(worker)
    return workers


# ── all of a kind ────────────────────────────────────────────────────────────────────────────────

KINDS: dict[str, Callable[..., Run]] = {
    "tied": _tied,
    "misled": _misled,
    "costly": _costly,
    "all-missing": _all_missing,
    "resettled": _resettled,
    "self-changing": _self_changing,
    "fresh": _fresh,
    "loud": _loud,
    "counted": _counted,
    "tidied": _tidied,
}


def tied_trials() -> Iterator[Trial]:
    for direction, sweeps in product(("back", "forth"), ("merged", "apart")):
        yield Trial("tied", (direction, sweeps))


def misled_trials() -> Iterator[Trial]:
    for kind, days in product(("empty", "short", "fewer", "repeated"), ("0", "7", "40")):
        yield Trial("misled", (kind, days, "3"))


def costly_trials() -> Iterator[Trial]:
    for case in _COSTS:
        yield Trial("costly", (case,))
    yield Trial("all-missing", ())


def resettled_trials(count: int) -> Iterator[Trial]:
    for seed in range(count):
        yield Trial("resettled", (str(seed),))


def self_changing_trials(count: int) -> Iterator[Trial]:
    for seed in range(count):
        yield Trial("self-changing", (str(seed),))


def fresh_trials() -> Iterator[Trial]:
    for work in OLD_WORK:
        yield Trial("fresh", (work, "0"))


def loud_trials() -> Iterator[Trial]:
    for scenario in ("refused", "poisoned", "spoilt"):
        yield Trial("loud", (scenario,))


def breaker_trials() -> Iterator[Trial]:
    for times, fault in product(("1", "2"), ("die-after", "lose-answer")):
        for call in ("timeline.commit", "lake.put_new", "topic.publish"):
            yield Trial("counted", (call, fault, times))
    # The next attempt begins in ``WRITING``, where the count stays.
    yield Trial("counted", ("lake.put_new", "die-before", "1"))
    for case in ("awake", "asleep"):
        yield Trial("tidied", (case,))
