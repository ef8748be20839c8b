"""Instants as text."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpd_exporter.model.timestamps import (
    floor_second,
    format_instant,
    format_timestamp,
    parse_instant,
)

INSTANTS = st.datetimes(
    min_value=datetime(1, 1, 3),  # noqa: DTZ001  # Hypothesis adds the zone
    max_value=datetime(9999, 12, 29),  # noqa: DTZ001
    timezones=st.just(UTC),
)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-01-31T23:59:59Z", datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)),
        ("2026-01-31T23:59:59.999Z", datetime(2026, 1, 31, 23, 59, 59, 999000, tzinfo=UTC)),
        ("2026-01-31t23:59:59z", datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)),
        ("2026-01-31 23:59:59+00:00", datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)),
        ("2026-02-01T01:00:00+02:00", datetime(2026, 1, 31, 23, tzinfo=UTC)),
        ("2026-01-31T18:30:00-05:30", datetime(2026, 2, 1, tzinfo=UTC)),
        # Beyond the microsecond: dropped, never rounded up into the next second.
        ("2026-01-31T23:59:59.9999999Z", datetime(2026, 1, 31, 23, 59, 59, 999999, tzinfo=UTC)),
    ],
)
def test_rfc_3339_is_read_as_utc(text: str, instant: datetime) -> None:
    read = parse_instant(text)
    assert read == instant
    assert read.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2026-01-31",
        "2026-01-31T23:59:59",  # no offset: whose midnight?
        "2026-01-31T23:59Z",
        "2026-01-31T23:59:59.Z",
        "2026-01-31T23:59:59,5Z",
        "2026-01-31T23:59:59+0000",
        "2026-01-31T23:59:59+00:00:30",
        "2026-02-30T00:00:00Z",
        "2026-01-31T24:00:00Z",
        "2026-01-31T23:59:60Z",
        "2026-W05-6T23:59:59Z",
        "20260131T235959Z0000",
        "2026-01-31T23:59:59Z\n",
        "٢٠٢٦-01-31T23:59:59Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        # Python's own reader stops at a NUL behind a Z.
        "2026-01-31T12:Z\0:59.999Z",
        "2026-01-31T12:00:Z\0.000Z",
        "2026-01-31T12:00:00.0Z\0Z",
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_instant(text)


USUAL = "2026-01-31T23:59:59.999Z"


@given(st.lists(st.tuples(st.integers(0, 23), st.sampled_from("09-+:.,ZTzW ٣\0")), max_size=3))
def test_what_looks_like_the_usual_text_is_read_as_any_other(slips: list[tuple[int, str]]) -> None:
    text = USUAL
    for at, character in slips:
        text = text[:at] + character + text[at + 1 :]
    # A digit more makes the text unusual, and means nothing.
    longer = text.removesuffix("Z") + "0Z"
    try:
        expected = parse_instant(longer) if text.endswith("Z") else None
    except ValueError:
        expected = None
    if expected:
        assert parse_instant(text) == expected
    elif text.endswith("Z"):
        with pytest.raises(ValueError, match=r"."):
            parse_instant(text)


@given(INSTANTS)
def test_reading_what_was_written_gives_the_millisecond(instant: datetime) -> None:
    again = parse_instant(format_instant(instant))
    assert timedelta(0) <= instant - again < timedelta(milliseconds=1)


@given(INSTANTS, INSTANTS)
def test_whole_seconds_sort_as_text(one: datetime, other: datetime) -> None:
    one, other = floor_second(one), floor_second(other)
    assert (format_instant(one) < format_instant(other)) == (one < other)


def test_another_zone_is_written_as_utc() -> None:
    east = timezone(timedelta(hours=2))
    assert format_instant(datetime(2026, 2, 1, 1, tzinfo=east)) == "2026-01-31T23:00:00Z"


def test_milliseconds_are_written_only_where_there_are_any() -> None:
    whole = datetime(2026, 1, 1, tzinfo=UTC)
    assert format_instant(whole) == "2026-01-01T00:00:00Z"
    assert format_instant(whole + timedelta(milliseconds=5)) == "2026-01-01T00:00:00.005Z"
    assert format_instant(whole + timedelta(microseconds=5)) == "2026-01-01T00:00:00Z"


@given(INSTANTS, st.integers(0, 2_000_000))
def test_timestamps_sort_as_text(one: datetime, later_by: int) -> None:
    other = one + timedelta(microseconds=later_by)
    first, second = format_timestamp(one), format_timestamp(other)
    assert first <= second
    assert len(first) == len(second) == len("2026-01-01T00:00:00.000Z")
    assert (first == second) == (parse_instant(first) == parse_instant(second))
