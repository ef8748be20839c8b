"""Instants as text: UTC, RFC 3339. All other code uses aware datetimes."""

import re
from datetime import UTC, datetime, timedelta

SECOND = timedelta(seconds=1)

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
"""The earliest date that counts; an earlier one is a slip of somebody's hand."""

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)

_REFUSAL = "not an RFC 3339 date and time with an offset"
_USUAL_LENGTH = len("2026-01-31T12:00:00.000Z")


def parse_instant(text: str) -> datetime:
    """Read an RFC 3339 date and time with an offset; raises ``ValueError`` for anything else.

    It drops the digits beyond the microsecond, so that the second stays the same.
    """
    if len(text) == _USUAL_LENGTH and text[4:20:3] == "--T::." and text[-1] == "Z":
        # As the API writes them. With all marks in place, Python reads nothing but digits between
        # them, and only a NUL behind an earlier Z would end the text.
        if "\0" in text:
            raise ValueError(_REFUSAL)
        return datetime.fromisoformat(text)
    if not _RFC_3339.fullmatch(text):
        raise ValueError(_REFUSAL)
    try:
        instant = datetime.fromisoformat(text.upper())
        return instant if instant.tzinfo is UTC else instant.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("beyond the calendar") from error


def format_instant(instant: datetime) -> str:
    """Write ``2026-01-31T12:00:00Z``, with milliseconds only where there are any.

    The earlier of two instants on whole seconds sorts first as text.
    """
    return _format(instant, "milliseconds" if instant.microsecond >= 1000 else "seconds")


def format_timestamp(instant: datetime) -> str:
    """Write ``2026-01-31T12:00:00.000Z``. The earlier of two instants sorts first as text."""
    return _format(instant, "milliseconds")


def _format(instant: datetime, precision: str) -> str:
    return instant.astimezone(UTC).isoformat(timespec=precision).replace("+00:00", "Z")


def floor_second(instant: datetime) -> datetime:
    """The start of the second that ``instant`` is in."""
    return instant.replace(microsecond=0)


def age_seconds(since: datetime, now: datetime) -> int:
    """The whole seconds between two instants."""
    return int((now - since).total_seconds())
