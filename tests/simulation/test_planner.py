"""What waits for whom, what is bounded, and what fails for good."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from cpd_exporter.errors import FilterError
from cpd_exporter.model.message import PageMessage
from cpd_exporter.model.timestamps import format_instant
from cpd_exporter.model.window import Window
from tests.simulation import scenario as scenarios
from tests.simulation.duties import HOUR, SECOND, at_rest, crowd, exported, tick
from tests.simulation.processes import Fate
from tests.simulation.runs import sweep
from tests.simulation.scenario import MONTH, Scenario
from tests.simulation.schedules import Doom, OneByOne
from tests.simulation.simulation import Simulation
from tests.simulation.source import SourceChange

LATER = timedelta(minutes=15)


def test_a_filter_that_breaks_later_is_noticed_within_a_day() -> None:
    simulation = at_rest(scenarios.parted()).simulation
    simulation.api.finds_nothing = True
    simulation.now += timedelta(days=1, minutes=1)
    report = tick(simulation).result
    assert isinstance(report.error, FilterError)
    assert not report.planned


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
    assert sent_first(simulation, 12 * HOUR) >= simulation.scenario.origin


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
    entries = scenarios.entries_at(*range(0, 484, 2))
    half = MONTH + 242 * SECOND
    schedule = at_rest(Scenario(entries, origin=half, target=1))
    simulation = schedule.simulation
    assert len(simulation.timeline.stored_pages) > 100
    schedule.command(BACKFILL)
    simulation.scenario = replace(simulation.scenario, target=800)
    sweep(schedule)
    assert len(simulation.timeline.stored_pages) < 5


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
        schedule.run(simulation.tick())
        while receivable := simulation.receivable:
            schedule.deliver(receivable[0])
        simulation.now += LATER
    page = min(simulation.timeline.stored_pages.values(), key=lambda page: page.window)
    assert page.hole_since is not None
    assert page.window.end <= exported(simulation).end
    assert page.window.length > timedelta(minutes=1), "an outage shatters nothing"
