"""What the core promises besides exactness: what a replay tells, what a verification finds, what
waits for whom, and what becomes of entries that turn faulty.
"""

import gzip
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import pytest
import simplejson

from cpd_exporter.errors import FilterError
from cpd_exporter.model.event import Event
from cpd_exporter.model.message import PageMessage
from cpd_exporter.model.page import PageState
from cpd_exporter.model.timestamps import format_instant
from cpd_exporter.model.window import Window
from cpd_exporter.worker import sweep as sweeping
from simulator.seeding import FAULTY_SORTS, FaultySort
from tests.simulation import scenario as scenarios
from tests.simulation import trials
from tests.simulation.lake_text import StoredRow, known_in
from tests.simulation.processes import Fate, Process
from tests.simulation.scenario import MONTH, Scenario
from tests.simulation.schedules import Doom, Fault, OneByOne, Timing, faults_met
from tests.simulation.simulation import REPLAY_QUEUE, Simulation
from tests.simulation.source import SourceChange, within
from tests.simulation.trials import sweep

HOUR = timedelta(hours=1)
SECOND = timedelta(seconds=1)
LATER = timedelta(minutes=15)


def at_rest(scenario: Scenario, seed: int = 1) -> OneByOne:
    schedule = OneByOne(Simulation(scenario, seed))
    schedule.come_to_rest()
    return schedule


def exported(simulation: Simulation) -> Window:
    stands = simulation.timeline.stored_watermark
    assert stands is not None
    return Window(stands.exported_from, stands.exported_through)


def swept() -> OneByOne:
    """Some pages that hold rows of several objects, among them some that are not the last."""
    schedule = at_rest(scenarios.parted())
    for change in (
        SourceChange.EDIT,
        SourceChange.BACK_DATE,
        SourceChange.EDIT,
        SourceChange.DELETE,
    ):
        schedule.simulation.source.change(change, exported(schedule.simulation))
        for _ in range(2):
            sweep(schedule)
    return schedule


def rows(simulation: Simulation, change: str) -> list[StoredRow]:
    return [row for row in simulation.oracle.rows if row["change"] == change]


def tick(simulation: Simulation) -> Process:
    process = simulation.tick()
    simulation.finish(process)
    return process


def entry_in(schedule: OneByOne, nth: int) -> str:
    return schedule.simulation.scenario.entries[nth].log_entry_id


# ── replays ──────────────────────────────────────────────────────────────────────────────────────


def known(simulation: Simulation, window: Window) -> set[tuple[str, str]]:
    """Where the last row of each known entry of a window is, by the lake alone."""
    found: set[tuple[str, str]] = set()
    for page in simulation.timeline.stored_pages.values():
        if page.state is not PageState.DONE:
            continue
        for entry_id, row in known_in(page, simulation.lake.objects).items():
            if datetime.fromisoformat(row["entryDate"]) in window:
                held = simulation.oracle._rows.items()
                [key] = [key for key, rows in held if rows.get(entry_id) == row]
                found.add((simulation.lake.uri(key), entry_id))
    return found


def places(events: list[Event]) -> set[tuple[str, str]]:
    bodies = [json.loads(event.body) for event in events]
    return {(body["data"]["lakeUri"], body["subject"]) for body in bodies}


def replayed(
    queue_arn: str | None, whole: bool, faults: Mapping[int, Fault]
) -> tuple[OneByOne, int]:
    schedule = swept()
    simulation = schedule.simulation
    window = exported(simulation) if whole else Window(MONTH + 3 * SECOND, MONTH + 202 * SECOND)
    expected = known(simulation, window)
    assert len(expected) > 1
    before = list(simulation.topic.published)
    command: dict[str, Any] = {"command": "replay"}
    command |= {"from": format_instant(window.start), "to": format_instant(window.end)}
    command |= {"queueArn": queue_arn} if queue_arn else {}
    schedule._run(simulation.command(command))
    begun = len(schedule.met)
    schedule.faults = {begun + point: fault for point, fault in faults.items()}
    schedule.come_to_rest()
    to_all = simulation.topic.published[len(before) :]
    to_one = simulation.replay_queue.delivered[REPLAY_QUEUE]
    got, other = (to_one, to_all) if queue_arn else (to_all, to_one)
    assert places(got) == expected
    assert not other
    assert {event.id: event for event in got}.items() <= {e.id: e for e in before}.items()
    return schedule, begun


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("queue_arn", [None, REPLAY_QUEUE])
def test_a_replay_tells_the_last_row_of_each_entry_and_nothing_else(
    queue_arn: str | None, whole: bool
) -> None:
    replayed(queue_arn, whole, {})


@pytest.mark.parametrize("queue_arn", [None, REPLAY_QUEUE])
def test_every_single_fault_of_a_replay_sampled(queue_arn: str | None) -> None:
    schedule, begun = replayed(queue_arn, True, {})
    for point, fault in islice(faults_met(schedule.met, begun), 0, None, 11):
        replayed(queue_arn, True, {point - begun: fault})


def test_a_replay_of_many_messages() -> None:
    schedule = at_rest(crowd(origin=MONTH))
    simulation = schedule.simulation
    simulation.hurried = True
    window = exported(simulation)
    told = len(simulation.topic.published)
    span = {"from": format_instant(window.start), "to": format_instant(window.end)}
    schedule.command({"command": "replay", **span})
    assert places(simulation.topic.published[told:]) == known(simulation, window)


def test_a_replay_whose_message_is_lost() -> None:
    simulation = swept().simulation
    window = exported(simulation)
    told = len(simulation.topic.published)
    span = {"from": format_instant(window.start), "to": format_instant(window.end)}
    simulation.finish(simulation.command({"command": "replay", **span}))
    tick(simulation)
    simulation.messages.clear()
    OneByOne(simulation).come_to_rest()
    assert places(simulation.topic.published[told:]) == known(simulation, window)


def test_every_fault_of_a_replay_s_own_writes() -> None:
    schedule, begun = replayed(None, True, {})
    for point, fault in faults_met(schedule.met, begun):
        if schedule.met[point][0] == "topic.publish" and isinstance(fault, Fate):
            replayed(None, True, {point - begun: fault})


def test_who_wakes_late_puts_other_rows_at_the_key_just_before_another_does() -> None:
    for trial in trials.late_wakers("lone", "edit", call="lake."):
        trial.run()


# ── verifications ────────────────────────────────────────────────────────────────────────────────


def is_report(key: str) -> bool:
    return key.startswith("reports/") and "/through-" not in key


def verify(schedule: OneByOne) -> dict[str, Any]:
    simulation = schedule.simulation
    window = exported(simulation)
    before = set(simulation.lake.objects)
    span = {"from": format_instant(window.start), "to": format_instant(window.end)}
    schedule.command({"command": "verify", **span})
    [report] = [key for key in simulation.lake.objects.keys() - before if is_report(key)]
    found: dict[str, Any] = json.loads(simulation.lake.objects[report])
    return found


def test_a_sound_lake_is_found_to_be_clean() -> None:
    schedule = swept()
    report = verify(schedule)
    assert report["clean"], report
    assert report["entries"] == len(known(schedule.simulation, exported(schedule.simulation)))


@pytest.mark.parametrize("hurried", [False, True])
@pytest.mark.parametrize("harm", ["gone", "spoilt", "another content"])
def test_harm_of_any_object_is_found(harm: str, hurried: bool) -> None:
    schedule = swept()
    simulation = schedule.simulation
    simulation.hurried = hurried
    uris = {uri for uri, _ in known(simulation, exported(simulation))}
    for key in [key for key in simulation.lake.objects if simulation.lake.uri(key) in uris]:
        body = simulation.lake.objects[key]
        lines = gzip.decompress(body).splitlines()
        changed = [
            simplejson.dumps(simplejson.loads(line, use_decimal=True) | {"description": "!"})
            for line in lines
        ]
        bodies = {"gone": None, "spoilt": body[:-9], "another content": _zipped(changed)}
        simulation.lake.broken = {key: bodies[harm]}
        report = verify(schedule)
        simulation.now += HOUR
        assert not report["clean"]
        assert key in {damage["object"] for damage in report["damages"]}


def _zipped(lines: list[str]) -> bytes:
    return gzip.compress("".join(line + "\n" for line in lines).encode())


@pytest.mark.parametrize("minutes", [0, 10_000])
def test_minutes_that_differ_are_found(minutes: int) -> None:
    schedule = at_rest(scenarios.parted())
    store = schedule.simulation.source.store
    schedule.simulation.source.untouched.discard(entry_in(schedule, 3))
    store.edit(entry_in(schedule, 3), durationMinutes=minutes)
    report = verify(schedule)
    assert [finding["usersDiffering"] for finding in report["minutes"]] == [1]


def test_pages_that_are_not_done_are_named() -> None:
    schedule = at_rest(scenarios.parted())
    simulation = schedule.simulation
    simulation.source.change(SourceChange.INSERT)
    simulation.now += HOUR
    tick(simulation)
    [page] = simulation.undone
    span = {"from": format_instant(page.window.start), "to": format_instant(page.window.end)}
    simulation.finish(simulation.command({"command": "verify", **span}))
    tick(simulation)
    [job] = [m for m in simulation.messages if not isinstance(m.work, PageMessage)]
    simulation.finish(simulation.deliver(job))
    [report] = [key for key in simulation.lake.objects if is_report(key)]
    assert [f["from"] for f in json.loads(simulation.lake.objects[report])["unexported"]] == [
        span["from"]
    ]


# ── deletions ────────────────────────────────────────────────────────────────────────────────────


def several_pages(max_deletions: int = 1) -> Scenario:
    """Each of some sweeps may have a deletion to tell."""
    return replace(scenarios.guarded(), target=2, max_deletions=max_deletions)


def test_the_day_s_deletions_are_those_of_all_sweeps_and_a_new_day_frees_none() -> None:
    schedule = at_rest(several_pages())
    simulation = schedule.simulation
    for nth in (0, 6):
        simulation.source.delete(entry_in(schedule, nth))
    for _ in range(4):
        sweep(schedule)
    assert len(rows(simulation, "deleted")) == 1
    for _ in range(3):
        simulation.now += timedelta(days=1)
        sweep(schedule)
    assert len(rows(simulation, "deleted")) == 1


def test_two_sweeps_that_tell_deletions_at_once() -> None:
    schedule = at_rest(several_pages())
    simulation = schedule.simulation
    for nth in (0, 6):
        simulation.source.delete(entry_in(schedule, nth))
    sweep(schedule)
    start = format_instant(exported(simulation).start)
    simulation.finish(simulation.command({"command": "sweep", "from": start}))
    tick(simulation)
    workers = [simulation.deliver(message) for message in list(simulation.messages)]
    for worker in workers:
        while worker.call is not None and worker.call.name != "timeline.commit":
            simulation.resume(worker)
    for worker in workers:
        simulation.finish(worker)
    schedule.come_to_rest()
    assert len(rows(simulation, "deleted")) == 1


@pytest.mark.parametrize("fault", [Fate.DIE_AFTER, Fate.LOSE_ANSWER])
@pytest.mark.parametrize("call", ["timeline.commit", "lake.put_new"])
def test_a_sweep_that_is_done_again_counts_its_deletions_once(call: str, fault: Fate) -> None:
    schedule = at_rest(several_pages())
    schedule.simulation.source.delete(entry_in(schedule, 0))
    sweep(schedule)
    schedule.doom = Doom(call, fault, 1, by="worker")
    sweep(schedule)
    assert len(rows(schedule.simulation, "deleted")) == 1


def test_the_operator_s_word_holds_until_it_is_carried_out() -> None:
    schedule = at_rest(scenarios.guarded())
    simulation = schedule.simulation
    for nth in (0, 4, 6):
        simulation.source.delete(entry_in(schedule, nth))
    for _ in range(3):
        sweep(schedule)
    assert not rows(simulation, "deleted")
    simulation.api.knows_nobody = True
    schedule.command({"command": "confirm-deletions"})
    for _ in range(2):
        sweep(schedule)
    simulation.api.knows_nobody = False
    sweep(schedule)
    assert len(rows(simulation, "deleted")) == 3


def test_what_is_confirmed_is_told_without_another_word(monkeypatch: pytest.MonkeyPatch) -> None:
    schedule = at_rest(scenarios.guarded())
    simulation = schedule.simulation
    for nth in (0, 4, 6):
        simulation.source.delete(entry_in(schedule, nth))
    for _ in range(3):
        sweep(schedule)
    monkeypatch.setattr(sweeping, "MAX_LOOKUPS_PER_SWEEP", 2)
    schedule.command({"command": "confirm-deletions"})
    assert len(rows(simulation, "deleted")) == 3


def test_who_cannot_be_looked_up_holds_up_nobody_else() -> None:
    schedule = at_rest(scenarios.anchored())
    simulation = schedule.simulation
    simulation.source.delete(entry_in(schedule, 0))
    sweep(schedule)
    simulation.api.finds_by_id = False
    simulation.source.change(SourceChange.BACK_DATE, exported(simulation))
    sweep(schedule)
    assert len(rows(simulation, "created")) == 4
    assert not rows(simulation, "deleted")


@pytest.mark.parametrize("sort", FAULTY_SORTS)
def test_an_entry_that_turns_faulty_is_kept_and_not_deleted(sort: FaultySort) -> None:
    schedule = at_rest(scenarios.anchored())
    simulation = schedule.simulation
    entry_id = entry_in(schedule, 0)
    simulation.source.spoil(entry_id, sort)
    for _ in range(4):
        sweep(schedule)
    assert not rows(simulation, "deleted")
    if sort in ("missing-field", "wrong-type", "bad-date"):  # its ID can be read
        assert all(
            entry_id not in page.missing for page in simulation.timeline.stored_pages.values()
        )


# ── sweeps ──────────────────────────────────────────────────────────────────────────────────────


def test_a_sweep_s_worker_wakes_anywhere_in_what_others_do() -> None:
    _, schedule, struck = trials.swept("anchored", "none", "1", {})
    puts = [p - struck.start for p in struck if schedule.met[p][0] == "lake.put_new"]
    tried = 0
    for put in puts[:2]:
        _, then, met = trials.swept("anchored", "none", "1", {put: Timing.PAUSE})
        for point, fault in faults_met(then.met[: met.stop], met.start + put + 1):
            if fault is Timing.AWAKEN:
                faults = {put: Timing.PAUSE, point - met.start: Timing.AWAKEN}
                trials.swept("anchored", "none", "1", faults)
                tried += 1
    assert tried > 20


def test_a_sweep_that_is_writing_is_never_given_up() -> None:
    schedule = at_rest(scenarios.anchored())
    simulation = schedule.simulation
    simulation.source.change(SourceChange.EDIT, exported(simulation))
    schedule.doom = Doom("lake.put_new", Fate.DIE_BEFORE, 1, by="worker")
    start = format_instant(exported(simulation).start)
    simulation.finish(simulation.command({"command": "sweep", "from": start}))
    tick(simulation)
    schedule._deliver(simulation.receivable[0])
    schedule.doom = Doom("api.query", Fate.MALFORM, 9, by="worker")
    schedule.come_to_rest()
    simulation.oracle.judge_view()


@pytest.mark.parametrize("scenario", ["anchored", "brimful"])
def test_an_event_is_later_than_any_of_its_page_before_it_whatever_the_clock(scenario: str) -> None:
    schedule = at_rest(scenarios.SCENARIOS[scenario]())
    simulation = schedule.simulation
    simulation.oracle.sweeps.clocks_differ = 9 * HOUR
    simulation.source.change(SourceChange.EDIT, exported(simulation))
    sweep(schedule)
    sweep(schedule)
    for change in (SourceChange.EDIT, SourceChange.EDIT, SourceChange.BACK_DATE):
        simulation.source.change(change, exported(simulation))
    start = format_instant(exported(simulation).start)
    simulation.finish(simulation.command({"command": "sweep", "from": start}))
    for _ in range(3):
        tick(simulation)
        while receivable := simulation.receivable:
            simulation.finish(simulation.deliver(receivable[0], skew=-8 * HOUR))
    schedule.come_to_rest()
    assert rows(simulation, "updated")


def test_what_no_message_attribute_can_hold_is_left_out() -> None:
    schedule = at_rest(scenarios.anchored())
    simulation = schedule.simulation
    for nth, type_ in enumerate(("x" * 257, "\x00", "")):
        entry_id = entry_in(schedule, nth)
        simulation.source.untouched.discard(entry_id)
        simulation.source.store.edit(entry_id, activity={"type": type_, "name": "n"})
    simulation.source._snapshot = None
    sweep(schedule)
    assert len(rows(simulation, "updated")) == 3


# ── wishes ───────────────────────────────────────────────────────────────────────────────────────


def refreshed(faults: Mapping[int, Fault]) -> tuple[OneByOne, int]:
    schedule = at_rest(scenarios.anchored())
    simulation = schedule.simulation
    simulation.source.change(SourceChange.EDIT, exported(simulation))
    ids = [entry.log_entry_id for entry in simulation.scenario.entries]
    simulation.now += SECOND
    schedule._run(simulation.command({"command": "refresh", "logEntryIds": ids}))
    begun = len(schedule.met)
    schedule.faults = {begun + point: fault for point, fault in faults.items()}
    schedule.come_to_rest()
    simulation.oracle.judge_view()
    return schedule, begun


def test_every_single_fault_of_a_refresh_sampled() -> None:
    schedule, begun = refreshed({})
    for point, fault in islice(faults_met(schedule.met, begun), 0, None, 3):
        refreshed({point - begun: fault})


@pytest.mark.parametrize("ticks", [0, 1])
def test_a_refresh_that_comes_while_the_page_is_swept_is_another_sweep(ticks: int) -> None:
    schedule = at_rest(scenarios.anchored())
    simulation = schedule.simulation
    ids = [entry.log_entry_id for entry in simulation.scenario.entries]
    simulation.finish(simulation.command({"command": "refresh", "logEntryIds": ids}))
    tick(simulation)
    [message] = simulation.messages
    worker = simulation.deliver(message)
    while worker.call is not None and worker.call.name != "timeline.commit":
        simulation.resume(worker)
    simulation.source.change(SourceChange.EDIT, exported(simulation))
    simulation.now += SECOND
    simulation.finish(simulation.command({"command": "refresh", "logEntryIds": ids}))
    for _ in range(ticks):
        tick(simulation)
    simulation.finish(worker)
    schedule.come_to_rest()
    simulation.oracle.judge_view()


def test_a_wish_for_what_is_done_and_not_passed_waits_for_the_watermark() -> None:
    """Else the watermark would find the page merged with others, and stop before it."""
    simulation = Simulation(crowd(origin=MONTH))
    tick(simulation)
    simulation.finish(simulation.deliver(simulation.messages[5]))
    [done] = [
        page for page in simulation.timeline.stored_pages.values() if page.state is PageState.DONE
    ]
    ids = list(within(simulation.source.snapshot(), done.window))
    simulation.finish(simulation.command({"command": "refresh", "logEntryIds": ids}))
    tick(simulation)
    assert not simulation.timeline.stored_sweeps
    schedule = OneByOne(simulation)
    schedule.come_to_rest()


def test_an_entry_that_two_pages_know_is_known_as_it_was_told_last() -> None:
    schedule = at_rest(several_pages())
    simulation = schedule.simulation
    away = MONTH + 209 * SECOND
    simulation.source.move(entry_in(schedule, 0), away)
    schedule.command({"command": "sweep", "from": format_instant(MONTH + 150 * SECOND)})
    assert len(rows(simulation, "created")) == 8
    simulation.now += SECOND
    simulation.scenario = replace(simulation.scenario, target=800)
    sweep(schedule)
    assert not rows(simulation, "updated")


def test_an_entry_that_goes_to_and_fro_is_told_each_time_once() -> None:
    """It goes away, comes back and goes away again, each time before its last page forgot it; and
    the page that it left asks for it once more, while it is being told.
    """
    schedule = at_rest(several_pages())
    simulation = schedule.simulation
    traveller = simulation.scenario.entries[0]
    home, away = MONTH + 2 * SECOND, MONTH + 209 * SECOND
    start, middle, end = (MONTH, MONTH + 100 * SECOND, MONTH + 300 * SECOND)

    def ask_for(start: datetime, to: datetime) -> None:
        span = {"from": format_instant(start), "to": format_instant(to)}
        simulation.finish(simulation.command({"command": "sweep", **span}))

    def look(start: datetime, to: datetime) -> None:
        ask_for(start, to)
        schedule.come_to_rest()
        simulation.now += 2 * HOUR

    simulation.source.move(traveller.log_entry_id, away)
    look(middle, end)
    simulation.source.move(traveller.log_entry_id, home)
    look(middle, end)
    look(middle, end)  # away misses it, and asks home, which tells it
    simulation.source.move(traveller.log_entry_id, away)
    look(start, middle)
    ask_for(start, middle)
    tick(simulation)
    while simulation.receivable:  # home misses it, and asks away ...
        simulation.finish(simulation.deliver(simulation.receivable[0]))
    tick(simulation)
    simulation.now += 2 * HOUR
    works = {m.work.start: m for m in simulation.messages if isinstance(m.work, PageMessage)}
    [message] = [message for start, message in works.items() if start > middle]
    worker = simulation.deliver(message)
    while worker.call is not None and worker.call.name != "timeline.commit":
        simulation.resume(worker)
    simulation.now += SECOND
    ask_for(start, middle)
    tick(simulation)
    for other in simulation.receivable:  # ... and asks again
        simulation.finish(simulation.deliver(other))
    simulation.finish(worker)
    schedule.come_to_rest()
    told = [r for r in simulation.oracle.rows if r["logEntryId"] == traveller.log_entry_id]
    assert len(told) == 4, [(r["change"], r["entryDate"], r["exportedAt"]) for r in told]


def test_a_volatile_member_makes_no_news() -> None:
    schedule = at_rest(scenarios.anchored())
    simulation = schedule.simulation
    simulation.scenario = replace(
        simulation.scenario, fingerprint_exclude=frozenset({"description"})
    )
    simulation.api.fingerprint_exclude = simulation.scenario.fingerprint_exclude
    told = len(simulation.topic.published)
    for _ in range(2):
        sweep(schedule)
    assert len(simulation.topic.published) == told


# ── the planner ──────────────────────────────────────────────────────────────────────────────────


def test_a_filter_that_breaks_later_is_noticed_within_a_day() -> None:
    simulation = at_rest(scenarios.parted()).simulation
    simulation.api.finds_nothing = True
    simulation.now += timedelta(days=1, minutes=1)
    report = tick(simulation).result
    assert isinstance(report.error, FilterError)
    assert not report.planned


def crowd(**settings: Any) -> Scenario:
    """A dozen entries, each a page of its own, most of them before the first date to export."""
    entries = scenarios._entries(*range(0, 240, 20))
    scenario = Scenario(entries, origin=MONTH + 200 * SECOND, target=1)
    return replace(scenario, **settings)


BACKFILL = {"command": "backfill", "from": format_instant(MONTH)}


def test_a_tick_wakes_anywhere_in_what_another_does() -> None:
    for calls in range(100):
        simulation = Simulation(scenarios.parted())
        tick(simulation)
        while receivable := simulation.receivable:
            simulation.finish(simulation.deliver(receivable[0]))
        sleeper = simulation.tick()
        for _ in range(calls):
            if sleeper.alive:
                simulation.resume(sleeper)
        if not sleeper.alive:
            assert calls > 10
            return
        simulation.source.change(SourceChange.INSERT)
        simulation.now += HOUR
        tick(simulation)
        simulation.finish(sleeper)
        OneByOne(simulation).come_to_rest()


def test_what_is_planned_and_not_done_is_bounded() -> None:
    simulation = Simulation(crowd(origin=MONTH, outstanding=4))
    for _ in range(4):
        tick(simulation)
        assert len(simulation.undone) <= 4


def crowded(outstanding: int = 8) -> Simulation:
    """New entries, and a backfill with more to do than there is room for."""
    simulation = at_rest(crowd(outstanding=outstanding)).simulation
    simulation.source.change(SourceChange.INSERT)
    simulation.now += HOUR
    simulation.finish(simulation.command(BACKFILL))
    tick(simulation)
    return simulation


def test_a_backfill_has_a_quarter_of_the_room_and_comes_last() -> None:
    simulation = crowded()
    origin = simulation.scenario.origin
    sent = [m.work.start for m in simulation.messages if isinstance(m.work, PageMessage)]
    past = [start < origin for start in sent]
    assert sum(past) == 2
    assert past == sorted(past)
    assert not past[0]
    for _ in range(2):
        tick(simulation)
        assert sum(page.window.start < origin for page in simulation.undone) == 2


def sent_first(simulation: Simulation, later: timedelta) -> datetime:
    """Where the page starts that a later tick sends, if it has room for one."""
    simulation.messages.clear()
    simulation.now += later
    simulation.scenario = replace(simulation.scenario, outstanding=1)
    tick(simulation)
    [message] = simulation.messages
    assert isinstance(message.work, PageMessage)
    return message.work.start


def test_old_work_that_waits_hides_nothing_new() -> None:
    simulation = crowded()
    assert sent_first(simulation, HOUR) >= simulation.scenario.origin


def test_holes_come_last() -> None:
    simulation = crowded()
    simulation.oracle.outages_only = False
    hole = min(simulation.undone, key=lambda page: page.window)
    simulation.timeline.stored_pages[hole.window.start] = replace(
        hole, attempts=5, error="?", hole_since=simulation.now
    )
    assert sent_first(simulation, 24 * HOUR) >= simulation.scenario.origin


def test_a_backfill_that_fails_holds_up_no_sweep() -> None:
    schedule = at_rest(crowd())
    simulation = schedule.simulation
    window = exported(simulation)
    simulation.finish(simulation.command(BACKFILL))
    start = format_instant(window.start)
    simulation.finish(simulation.command({"command": "sweep", "from": start}))
    simulation.api.away = Window(MONTH, window.start - 5 * SECOND)
    report = tick(simulation).result
    assert report.error is not None
    assert simulation.timeline.stored_sweeps
    simulation.api.away = None
    schedule.come_to_rest()
    assert exported(simulation).start == MONTH


def test_what_is_planned_is_sent_whatever_stops_the_planning() -> None:
    schedule = at_rest(scenarios.parted())
    simulation = schedule.simulation
    simulation.source.change(SourceChange.INSERT)
    simulation.now += HOUR
    tick(simulation)
    assert len(simulation.undone) == len(simulation.messages) == 1
    simulation.messages.clear()
    simulation.now += HOUR
    simulation.api.away = Window(MONTH, simulation.now.replace(microsecond=0) + HOUR)
    report = tick(simulation).result
    assert report.error is not None
    assert len(simulation.messages) == 1
    simulation.api.away = None
    schedule.come_to_rest()


def test_sweeps_under_way_are_bounded_and_none_is_left_out() -> None:
    schedule = at_rest(crowd(origin=MONTH, sweeps=2))
    simulation = schedule.simulation
    for _ in range(4):
        simulation.source.change(SourceChange.EDIT, exported(simulation))
    start = format_instant(exported(simulation).start)
    simulation.finish(simulation.command({"command": "sweep", "from": start}))
    for _ in range(3):
        tick(simulation)
        assert len(simulation.timeline.stored_sweeps) <= 2
    schedule.come_to_rest()
    simulation.oracle.judge_view()


def test_a_further_backfill_goes_further() -> None:
    schedule = at_rest(crowd())
    simulation = schedule.simulation
    nearer = {"command": "backfill", "from": format_instant(MONTH + 100 * SECOND)}
    simulation.finish(simulation.command(nearer))
    schedule.command(BACKFILL)
    assert exported(simulation).start == MONTH


def test_more_pages_than_one_transaction_takes() -> None:
    entries = scenarios._entries(*range(0, 484, 2))
    half = MONTH + 242 * SECOND
    schedule = at_rest(Scenario(entries, origin=half, target=1))
    simulation = schedule.simulation
    assert len(simulation.timeline.stored_pages) > 100
    schedule.command(BACKFILL)
    simulation.scenario = replace(simulation.scenario, target=800)
    sweep(schedule)
    assert len(simulation.timeline.stored_pages) < 5


# ── what fails for good ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("call", "fault"),
    [
        ("lake.put_new", Fate.DIE_BEFORE),
        ("api.query", Fate.DIE_BEFORE),
        ("api.query", Fate.MALFORM),
    ],
)
def test_what_always_fails_is_a_hole_that_the_watermark_passes(call: str, fault: Fate) -> None:
    simulation = Simulation(scenarios.one_page())
    simulation.oracle.scenario = replace(simulation.scenario, may_stay_holes=True)
    simulation.oracle.outages_only = False
    schedule = OneByOne(simulation, doom=Doom(call, fault, 100_000, by="worker"))
    for _ in range(30):
        schedule._run(simulation.tick())
        while receivable := simulation.receivable:
            schedule._deliver(receivable[0])
        simulation.now += LATER
    page = min(simulation.timeline.stored_pages.values(), key=lambda page: page.window)
    assert page.hole_since is not None
    assert page.window.end <= exported(simulation).end
    assert page.window.length > timedelta(minutes=1), "an outage shatters nothing"
