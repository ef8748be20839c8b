"""Where rows lie, by those that were seen."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest

from cpd_exporter.model.row_places import RowPlaces
from cpd_exporter.model.timestamps import SECOND
from cpd_exporter.model.window import Window

START = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = Window(START, START + timedelta(hours=1))


def at(seconds: Iterable[float]) -> list[datetime]:
    return [START + second * SECOND for second in seconds]


def bounds(places: RowPlaces, step: int) -> list[int]:
    return [(bound - START) // SECOND for bound in places.bounds(step)]


def test_a_bound_lies_at_a_row_that_was_seen() -> None:
    assert bounds(RowPlaces(HOUR, 40, at(range(0, 200, 10))), 10) == [100, 191, 1814]


def test_a_bound_after_the_last_row_seen_lies_beside_it_however_far_the_next_one_is() -> None:
    places = RowPlaces(HOUR, 30, at(range(10)))
    places.add(20, at(range(3000, 3010)))
    assert bounds(places, 10) == [10, 3000]


@pytest.mark.parametrize("step", [7, 10, 13])
def test_a_descending_order_gives_the_same_bounds_but_for_a_row(step: int) -> None:
    dates = at(range(0, 3600, 36))
    ascending = RowPlaces(HOUR, 100, dates)
    descending = RowPlaces(HOUR, 100, dates[::-1])
    mirrored = [3600 - bound for bound in bounds(descending, step)]
    assert bounds(ascending, step) == pytest.approx(mirrored, abs=36)


def test_rows_in_no_order_are_a_sample() -> None:
    places = RowPlaces(HOUR, 4000, at([1900, 100, 1000, 2900, 500, 3500, 1500, 2400, 3000, 2100]))
    assert not places.is_sorted
    assert bounds(places, 1000) == [1000, 2000, 2900]


def test_of_a_dense_second_both_ends_are_cuts() -> None:
    assert set(bounds(RowPlaces(HOUR, 100, at([7.5] * 100)), 30)) == {7, 8}


@pytest.mark.parametrize(
    ("dates", "is_even"),
    [(range(0, 360, 4), True), (range(90), False), ([5] * 90, False)],
)
def test_rows_are_even_if_the_rest_is_as_dense(dates: Iterable[int], *, is_even: bool) -> None:
    places = RowPlaces(HOUR, 900, at(dates))
    assert places.is_even(89, 900, beside=90) == is_even


@pytest.mark.parametrize("total", [3, 10**18])
def test_rows_that_contradict_the_total_or_the_window_do_no_harm(total: int) -> None:
    places = RowPlaces(HOUR, total, at([-5, 10, 9999]))
    places.add(total // 2, at([8000, 3]))
    parts = HOUR.split_at(places.bounds(-(-total // 16)))
    assert (parts[0].start, parts[-1].end) == (HOUR.start, HOUR.end)
