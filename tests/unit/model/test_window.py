"""Windows: what is in, and how time is sliced."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpd_exporter.model.timestamps import SECOND
from cpd_exporter.model.window import Window, next_month

EVE = datetime(1999, 12, 31, tzinfo=UTC)
WINDOWS = st.builds(
    lambda start, length: Window(EVE + start * SECOND, EVE + (start + length) * SECOND),
    st.integers(0, 10**9),
    st.integers(1, 2 * 10**8),
)


def tiles(windows: list[Window]) -> Window:
    """What the windows cover, if they join without gap or overlap."""
    assert all(one.end == other.start for one, other in pairwise(windows))
    return Window(windows[0].start, windows[-1].end)


def test_the_start_is_in_and_the_end_is_out() -> None:
    window = Window(EVE, EVE + SECOND)
    assert EVE in window
    assert EVE + timedelta(microseconds=999_999) in window
    assert EVE + SECOND not in window
    assert EVE - timedelta(microseconds=1) not in window


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (EVE, EVE),
        (EVE + SECOND, EVE),
        (EVE, EVE + timedelta(milliseconds=1500)),
        (EVE + timedelta(microseconds=1), EVE + SECOND),
        (EVE.astimezone(timezone(timedelta(hours=1))), EVE + SECOND),
    ],
)
def test_bounds_are_whole_seconds_of_utc_in_order(start: datetime, end: datetime) -> None:
    with pytest.raises(ValueError, match="window"):
        Window(start, end)


@given(WINDOWS, st.integers(-3, 200), st.integers(1, 10**6))
def test_a_slice_tiles_evenly_and_not_below_the_floor(
    window: Window, parts: int, floor_seconds: int
) -> None:
    floor = floor_seconds * SECOND
    slices = window.split(parts, floor=floor)
    assert tiles(slices) == window
    assert len(slices) == max(1, min(parts, window.length // floor))
    lengths = {part.length for part in slices}
    assert max(lengths) - min(lengths) <= SECOND
    assert len(slices) == 1 or min(lengths) >= floor


def test_a_split_at_some_seconds_leaves_out_those_beyond_and_repeated_ones() -> None:
    window = Window(EVE, EVE + 10 * SECOND)
    inside = [EVE + 7 * SECOND, EVE + 2 * SECOND, EVE + 7 * SECOND]
    outside = [EVE - SECOND, window.start, window.end, window.end + SECOND]
    assert [part.length // SECOND for part in window.split_at([*inside, *outside])] == [2, 5, 3]
    assert window.split_at(outside) == [window]


@given(WINDOWS)
def test_months_tile_and_none_crosses_the_calendar(window: Window) -> None:
    months = list(window.months())
    assert tiles(months) == window
    assert all(month.within_one_month for month in months)
    assert all(month.start.day == 1 and month.start.hour == 0 for month in months[1:])
    assert len({f"{month.start:%Y-%m}" for month in months}) == len(months)


@pytest.mark.parametrize(
    ("instant", "following"),
    [
        (datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)),
        (datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)),
        (datetime(2024, 2, 29, 12, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC)),
        (datetime(2026, 12, 31, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
    ],
)
def test_the_next_month(instant: datetime, following: datetime) -> None:
    assert next_month(instant) == following


def test_a_whole_month_is_within_one_month_and_a_second_more_is_not() -> None:
    february = Window(datetime(2026, 2, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC))
    assert february.within_one_month
    assert not Window(february.start, february.end + SECOND).within_one_month
    assert not Window(february.start - SECOND, february.start + SECOND).within_one_month


@given(WINDOWS, st.integers(0, 10**5))
def test_widening_adds_on_both_sides(window: Window, seconds: int) -> None:
    wide = window.widened(seconds * SECOND)
    assert (window.start - wide.start, wide.end - window.end) == (seconds * SECOND,) * 2


def test_it_is_written_as_it_is_meant() -> None:
    assert str(Window(EVE, EVE + SECOND)) == "[1999-12-31T00:00:00Z, 1999-12-31T00:00:01Z)"
