"""The full sweep: its rounds, what it passes over, and how old the oldest reading is."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from cpd_exporter.model.page import PageState
from cpd_exporter.model.watermark import FollowUpSweep, FullSweep, Watermark
from cpd_exporter.planner.full_sweep import FullSweepPlanner
from cpd_exporter.planner.sweep_planner import SweepPlanner
from tests.support.fakes import FakeTimeline
from tests.support.samples import START, TENANT, page

DAY = timedelta(days=1)
END = START + 20 * DAY
NOW = START + 50 * DAY
BACKFILLED = START - 10 * DAY
INTERVAL = 30 * DAY  # so a round takes 24 days, and three days are recent
FOLLOW_UP = FollowUpSweep(START, END, NOW)


def timeline_with(*, start: datetime = START, **facts: Any) -> FakeTimeline:
    """A timeline without pages, exported from ``start`` to ``END``."""
    timeline = FakeTimeline(TENANT)
    timeline.stored_watermark = Watermark("e" * 16, start, END, start, END, **facts)
    return timeline


def plan(timeline: FakeTimeline, max_sweeps: int = 10) -> FullSweep:
    tokens = map(str, count())
    sweep_planner = SweepPlanner(timeline, lambda: NOW, tokens.__next__)
    watermark = timeline.stored_watermark
    assert watermark is not None
    planner = FullSweepPlanner(timeline, sweep_planner, lambda: NOW, INTERVAL)
    planner.plan(watermark, [], max_sweeps)
    after = timeline.stored_watermark
    assert after is not None
    assert after.full_sweep is not None
    return after.full_sweep


def test_before_the_first_export_ends_everything_was_read_since_now() -> None:
    assert plan(timeline_with()) == FullSweep(NOW, START, NOW, origin=START)


def test_where_the_full_sweep_was_off_nothing_was_read_before_its_own_time() -> None:
    assert plan(timeline_with(follow_up=FOLLOW_UP)) == FullSweep(NOW, START, START, origin=START)


def test_a_round_that_ends_hands_its_beginning_to_the_next() -> None:
    began = NOW - 24 * DAY
    round_ = FullSweep(began, END - DAY, began, origin=START)
    after = plan(timeline_with(start=BACKFILLED, full_sweep=round_, follow_up=FOLLOW_UP))
    assert after == FullSweep(NOW, BACKFILLED, began, began, BACKFILLED, previous_origin=START)


def test_the_oldest_reading_is_the_last_visit_of_the_page_next_in_turn() -> None:
    began, before = NOW - 12 * DAY, NOW - 40 * DAY
    round_ = FullSweep(began, START, START, before, START, START)
    after = plan(timeline_with(full_sweep=round_))
    assert after.cursor == START + 10 * DAY
    assert after.read_since == before + 12 * DAY - 3 * DAY


def test_no_page_was_visited_later_than_its_round_ended() -> None:
    began = NOW - 12 * DAY
    round_ = FullSweep(began, START, START, began - DAY, START, START)
    assert plan(timeline_with(full_sweep=round_)).read_since == began - 3 * DAY


def test_pages_that_were_read_lately_are_passed_over() -> None:
    timeline = timeline_with(full_sweep=FullSweep(NOW - 24 * DAY, START, START, origin=START))
    ages = (1, 2, 4, 2)
    for n, age in enumerate(ages):
        start = START + n * 5 * DAY
        done = page(5 * 86_400, start=start, state=PageState.DONE)
        timeline.stored_pages[start] = replace(done, read_at=NOW - age * DAY)
    plan(timeline)
    assert [sweep.window.start for sweep in timeline.sweeps()] == [START + 10 * DAY]
