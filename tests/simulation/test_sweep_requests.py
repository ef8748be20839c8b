"""Sweeps beside other work, and the requests that operators and workers leave."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from itertools import islice

import pytest

from cpd_exporter.model.page import PageState
from cpd_exporter.model.timestamps import format_instant
from tests.simulation import runs
from tests.simulation import scenario as scenarios
from tests.simulation.duties import (
    HOUR,
    SECOND,
    at_rest,
    crowd,
    entry_in,
    exported,
    rows,
    several_pages,
    tick,
)
from tests.simulation.processes import Fate
from tests.simulation.runs import sweep, sweep_until_quiet
from tests.simulation.scenario import MONTH
from tests.simulation.schedules import Doom, OneByOne, Strike, Timing, faults_met
from tests.simulation.simulation import Simulation
from tests.simulation.source import SourceChange, within


def test_a_sweep_s_worker_wakes_anywhere_in_what_others_do() -> None:
    _, schedule, struck = runs.swept("anchored", "none", "1", {})
    put = next(p - struck.start for p in struck if schedule.met[p][0] == "lake.put_new")
    _, then, met = runs.swept("anchored", "none", "1", {put: Timing.PAUSE})
    met_then = faults_met(then.met[: met.stop], met.start + put + 1)
    awakenings = [point for point, fault in met_then if fault is Timing.AWAKEN]
    for point in awakenings[::3]:
        faults = {put: Timing.PAUSE, point - met.start: Timing.AWAKEN}
        runs.swept("anchored", "none", "1", faults)
    assert len(awakenings) > 10


def test_a_sweep_that_is_writing_is_never_given_up() -> None:
    schedule = at_rest(scenarios.anchored())
    simulation = schedule.simulation
    simulation.source.change(SourceChange.EDIT, exported(simulation))
    schedule.doom = Doom("lake.put_new", Fate.DIE_BEFORE, 1, by="worker")
    start = format_instant(exported(simulation).start)
    simulation.finish(simulation.command({"command": "sweep", "from": start}))
    tick(simulation)
    schedule.deliver(simulation.receivable[0])
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
    simulation.source.renew_snapshot()
    sweep(schedule)
    assert len(rows(simulation, "updated")) == 3


def refreshed(faults: Mapping[int, Strike]) -> tuple[OneByOne, int]:
    schedule = at_rest(scenarios.anchored())
    simulation = schedule.simulation
    simulation.source.change(SourceChange.EDIT, exported(simulation))
    ids = [entry.log_entry_id for entry in simulation.scenario.entries]
    simulation.now += SECOND
    schedule.run(simulation.command({"command": "refresh", "logEntryIds": ids}))
    begun = len(schedule.met)
    schedule.faults = {begun + point: fault for point, fault in faults.items()}
    schedule.come_to_rest()
    simulation.oracle.judge_view()
    return schedule, begun


def test_every_single_fault_of_a_refresh_sampled() -> None:
    schedule, begun = refreshed({})
    for point, fault in islice(faults_met(schedule.met, begun), 0, None, 6):
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


def test_a_request_for_what_is_done_and_not_passed_waits_for_the_watermark() -> None:
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


def test_an_entry_in_two_page_indexes_counts_as_it_was_published_last() -> None:
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


def test_an_entry_that_comes_back_is_published_by_the_page_that_it_left() -> None:
    """Its old page has it in the same version all the time, and publishes nothing."""
    schedule = at_rest(several_pages())
    simulation = schedule.simulation
    traveller = entry_in(schedule, 0)
    home, away = MONTH + 2 * SECOND, MONTH + 209 * SECOND
    start, middle, end = (MONTH, MONTH + 100 * SECOND, MONTH + 300 * SECOND)

    def look(start: datetime, to: datetime) -> list[tuple[str, str]]:
        before = len(simulation.oracle.rows)
        span = {"from": format_instant(start), "to": format_instant(to)}
        schedule.command({"command": "sweep", **span})
        simulation.now += 2 * HOUR
        return [(row["change"], row["entryDate"]) for row in simulation.oracle.rows[before:]]

    simulation.source.move(traveller, away)
    assert look(middle, end) == [("created", "2026-03-01T00:03:29.000Z")]
    simulation.source.move(traveller, home)
    assert look(start, middle) == []
    assert look(middle, end) == []
    assert look(middle, end) == [("updated", "2026-03-01T00:00:02.000Z")]
    sweep_until_quiet(schedule)


def test_an_excluded_member_makes_no_news() -> None:
    schedule = at_rest(scenarios.anchored())
    simulation = schedule.simulation
    simulation.scenario = replace(
        simulation.scenario, fingerprint_exclude=frozenset({"description"})
    )
    simulation.api.fingerprint_exclude = simulation.scenario.fingerprint_exclude
    published = len(simulation.topic.published)
    for _ in range(2):
        sweep(schedule)
    assert len(simulation.topic.published) == published
