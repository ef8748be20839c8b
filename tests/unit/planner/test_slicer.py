"""How time is sliced into windows."""

from datetime import UTC, datetime, timedelta

import pytest

from cpd_exporter.model.page import PageState
from tests.support.planning_worlds import HORIZON, SETTLE, assert_tiles, planned_through, world
from tests.support.world import NOW, ORIGIN


def test_time_without_entries_is_done_at_once_month_by_month() -> None:
    it = world(origin=datetime(2025, 11, 20, tzinfo=UTC))
    report = it.planner.tick()
    assert [(page.state, page.object) for page in it.pages] == [(PageState.DONE, None)] * 5
    assert_tiles(it)
    assert report.exported_through == HORIZON
    assert report.sent == 0
    # Four to check the filter, which finds no sample, and one to count each month.
    assert it.api.calls == 9


def test_twenty_empty_years_are_planned_at_once() -> None:
    it = world(origin=datetime(2000, 1, 1, tzinfo=UTC))
    assert it.planner.tick().exported_through == HORIZON
    assert len(it.pages) == 26 * 12 + 3
    assert_tiles(it)


def test_a_total_of_some_responses_leaves_the_cuts_to_the_worker() -> None:
    it = world(3000)
    it.planner.tick()
    assert [page.window.start.month for page in it.pages] == [1, 2, 3]
    assert all(page.counted for page in it.pages)


def test_totals_slice_no_finer_than_the_floor() -> None:
    origin = NOW - SETTLE - timedelta(hours=2)
    it = world(700, origin=origin, totals_factor=10)
    it.slice_target = 800
    it.planner.tick()
    lengths = [page.window.length for page in it.pages]
    assert len(lengths) == 8
    assert min(lengths) >= timedelta(minutes=15)
    assert_tiles(it)


@pytest.mark.parametrize("total", [3_000_000, 10**12, 10**18])
def test_a_total_that_is_absurd_is_one_page_a_month(total: int) -> None:
    it = world(10, totals_extra=total)
    it.planner.tick()
    assert [page.window.start.month for page in it.pages] == [1, 2, 3]


def test_the_apis_clock_decides_where_it_is_behind() -> None:
    it = world(10, clock_skew_seconds=-3600.5)
    it.planner.tick()
    assert planned_through(it) == HORIZON - timedelta(seconds=3601)
    assert_tiles(it)


def test_the_own_clock_decides_where_the_apis_is_ahead() -> None:
    it = world(10, clock_skew_seconds=86400)
    it.planner.tick()
    assert planned_through(it) == HORIZON


def test_an_api_clock_before_everything_plans_nothing() -> None:
    it = world(10, clock_skew_seconds=-(NOW - ORIGIN).total_seconds() - 86400)
    assert it.planner.tick().planned == 0
