"""Dense pages: seconds with more entries than a response holds, where calls cost time."""

from datetime import timedelta

import pytest

from cpd_exporter.model.timestamps import SECOND
from tests.simulation.dense_stage import DENSE, Stage


def test_thirty_thousand_entries_in_one_second_arrive() -> None:
    """A crash repeats at most 1,000 events, and costs minutes."""
    stage = Stage({DENSE: 30_000}, kills=[("events", 9000), ("events", 18_500)])
    took = stage.run(ticks=36)
    stage.assert_all_arrived()
    assert stage.outcomes["killed"] == 2
    assert stage.published.total() - stage.count <= 2 * 1000
    assert took < timedelta(hours=2)


def test_the_neighbours_of_a_dense_second_become_no_holes() -> None:
    around = {DENSE - SECOND: 3, DENSE: 5000, DENSE + SECOND: 3, DENSE + 60 * SECOND: 3}
    stage = Stage(around, kills=[("calls", 30)])
    stage.run(ticks=36)
    stage.assert_all_arrived()


def test_a_listing_in_another_order_each_time_arrives() -> None:
    stage = Stage({DENSE: 2500}, shuffled=True)
    stage.run(ticks=40)
    stage.assert_all_arrived()


def test_a_dense_second_arrives_at_twenty_calls_a_minute() -> None:
    stage = Stage({DENSE: 4500}, max_rows=300, calls_per_minute=20)
    stage.run(ticks=60)
    stage.assert_all_arrived()


def test_a_reading_longer_than_a_workers_life_goes_on_in_the_next() -> None:
    stage = Stage({DENSE: 600}, max_rows=1)  # one reading of 600 offset pages takes 1,200 s
    stage.run(ticks=40)
    stage.assert_all_arrived()
    assert stage.outcomes["paused"] >= 2


@pytest.mark.parametrize("max_rows", [1, 7, 400])
def test_a_response_over_the_size_limit_is_asked_for_in_smaller_pages(max_rows: int) -> None:
    stage = Stage({DENSE: 300, DENSE + timedelta(days=19): 100}, max_rows=max_rows)
    stage.run(ticks=20)
    stage.assert_all_arrived()


def test_a_slow_topic_gets_each_row_once() -> None:
    """At two events a second, 4,000 rows outlast two workers."""
    stage = Stage({DENSE: 4000}, events_per_second=2)
    stage.run(ticks=30)
    stage.assert_all_arrived()
    assert stage.outcomes["paused"] >= 2
    assert stage.published.total() == 4000


def test_a_hole_forgets_no_progress() -> None:
    stage = Stage({DENSE: 4000}, events_per_second=100)
    stage.kills = [("events", 500)] * 5 + [("events", 1500), ("events", 2600)]
    stage.run(ticks=60)
    stage.assert_all_arrived()
