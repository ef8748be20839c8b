"""Windows in local time: no reading of the bounds leaves out an instant of the window."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cpd_exporter.model.local_time import local_bounds
from cpd_exporter.model.timestamps import SECOND
from cpd_exporter.model.window import Window

LONDON = ZoneInfo("Europe/London")
SET_BACK = datetime(2026, 10, 25, 1, tzinfo=UTC)
SET_FORWARD = datetime(2026, 3, 29, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)

ZONES = sorted(available_timezones() - {"localtime", "posixrules", "Factory"})
FIRST = datetime(1900, 1, 1, tzinfo=UTC)
SECONDS = int((datetime(2200, 1, 1, tzinfo=UTC) - FIRST) // SECOND)


def transition(zone: ZoneInfo, near: datetime) -> datetime:
    """The first instant with another UTC offset within a year after ``near``; else ``near``."""
    low = near
    for _ in range(60):
        high = low + timedelta(days=7)
        if low.astimezone(zone).utcoffset() != high.astimezone(zone).utcoffset():
            while high - low > SECOND:
                middle = low + ((high - low) // SECOND // 2) * SECOND
                same = low.astimezone(zone).utcoffset() == middle.astimezone(zone).utcoffset()
                low, high = (middle, high) if same else (low, middle)
            return high
        low = high
    return near


@st.composite
def windows(draw: st.DrawFn) -> tuple[ZoneInfo, Window]:
    """Any zone and window, often with a bound close to a change of the zone's clock."""
    zone = ZoneInfo(draw(st.sampled_from(ZONES)))
    start = FIRST + draw(st.integers(0, SECONDS)) * SECOND
    if draw(st.booleans()):
        start = transition(zone, start) + draw(st.integers(-8000, 8000)) * SECOND
    length = draw(st.one_of(st.integers(1, 9000), st.integers(1, 40_000_000)))
    return zone, Window(start, start + length * SECOND)


def readings(clock_time: datetime, zone: ZoneInfo) -> list[datetime]:
    return [clock_time.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)]


@settings(max_examples=100, deadline=None)
@given(windows(), st.data())
@example((LONDON, Window(SET_BACK - HOUR, SET_BACK)), None)
@example((LONDON, Window(SET_BACK, SET_BACK + HOUR)), None)
@example((LONDON, Window(SET_BACK - HOUR, SET_BACK + HOUR)), None)
def test_every_instant_of_the_window_is_inside_by_every_reading(
    case: tuple[ZoneInfo, Window], data: st.DataObject | None
) -> None:
    zone, window = case
    bounds = local_bounds(window, zone)
    # An API may turn the bounds into instants, by either reading of a repeated hour.
    assert max(readings(bounds.start, zone)) <= window.start
    assert min(readings(bounds.end, zone)) >= window.end
    # Or it may turn the entries' dates into the clock's time.
    moments = [window.start, window.end - SECOND]
    if data is not None:
        offsets = st.integers(0, window.length // SECOND - 1)
        moments += [window.start + seconds * SECOND for seconds in data.draw(st.lists(offsets))]
    moments.append(min(max(window.start, transition(zone, window.start)), moments[1]))
    for moment in moments:
        assert bounds.start <= moment.astimezone(zone).replace(tzinfo=None) < bounds.end


@settings(max_examples=100, deadline=None)
@given(windows())
def test_the_span_holds_all_that_the_bounds_may_mean(case: tuple[ZoneInfo, Window]) -> None:
    zone, window = case
    bounds = local_bounds(window, zone)
    assert bounds.span.start <= window.start
    assert bounds.span.end >= window.end
    for at in readings(bounds.start, zone) + readings(bounds.end, zone):
        assert bounds.span.start <= at <= bounds.span.end
    for at in (bounds.span.start - SECOND, bounds.span.end):
        local = at.astimezone(zone).replace(tzinfo=None)
        assert not bounds.start <= local < bounds.end


@given(st.integers(0, SECONDS), st.integers(1, 40_000_000))
def test_in_utc_the_bounds_are_the_window(start: int, length: int) -> None:
    window = Window(FIRST + start * SECOND, FIRST + (start + length) * SECOND)
    bounds = local_bounds(window, ZoneInfo("UTC"))
    assert bounds.start == window.start.replace(tzinfo=None)
    assert bounds.end == window.end.replace(tzinfo=None)
    assert bounds.span == window


@pytest.mark.parametrize(
    ("start", "end", "local", "span"),
    [
        # Winter and summer: the bounds mean the window and nothing else.
        ("2026-01-05T10:00", "2026-01-05T11:00", ("10:00", "11:00"), None),
        ("2026-07-05T10:00", "2026-07-05T11:00", ("11:00", "12:00"), None),
        # Around the skipped hour, from 01:00 to 02:00 of the clock.
        ("2026-03-29T00:30", "2026-03-29T01:00", ("00:30", "02:00"), None),
        ("2026-03-29T01:00", "2026-03-29T01:30", ("02:00", "02:30"), None),
        # The clock shows 01:00 to 02:00 twice: from 00:00 to 01:00 UTC, and then again.
        ("2026-10-24T23:00", "2026-10-25T00:00", ("00:00", "01:00"), ("23:00", "01:00")),
        ("2026-10-25T00:10", "2026-10-25T00:20", ("00:10", "01:20"), ("23:10", "01:20")),
        ("2026-10-25T01:10", "2026-10-25T01:20", ("01:10", "02:20"), ("00:10", "02:20")),
        ("2026-10-25T02:00", "2026-10-25T03:00", ("02:00", "03:00"), None),
    ],
)
def test_london(start: str, end: str, local: tuple[str, str], span: tuple[str, str] | None) -> None:
    window = Window(*(datetime.fromisoformat(f"{text}Z").astimezone(UTC) for text in (start, end)))
    bounds = local_bounds(window, LONDON)
    assert (f"{bounds.start:%H:%M}", f"{bounds.end:%H:%M}") == local
    expected = span or (f"{window.start:%H:%M}", f"{window.end:%H:%M}")
    assert (f"{bounds.span.start:%H:%M}", f"{bounds.span.end:%H:%M}") == expected
