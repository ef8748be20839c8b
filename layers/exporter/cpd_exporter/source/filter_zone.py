"""Finds the time zone in which the API's filter reads dates, by entries that it does not find."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Self
from zoneinfo import ZoneInfo

from cpd_exporter.errors import ExporterError, PermanentError, TransientError
from cpd_exporter.model.entry import Entry
from cpd_exporter.model.timestamps import SECOND, floor_second, format_instant
from cpd_exporter.model.window import Window
from cpd_exporter.ports import EntriesApi, HasTimeLeft
from cpd_exporter.source.filter_check import FilterCheck
from cpd_exporter.source.response import SLACK

_HOUR = timedelta(hours=1)
_USUAL_ZONES = (
    "UTC",
    "Europe/London",
    "Europe/Berlin",
    "Europe/Athens",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "America/Sao_Paulo",
    "Asia/Dubai",
    "Asia/Kolkata",
    "Asia/Singapore",
    "Asia/Tokyo",
    "Australia/Brisbane",
    "Australia/Adelaide",
    "Australia/Sydney",
    "Pacific/Auckland",
)
"""Zones where services of this kind run. A fixed offset represents all others."""


@dataclass(frozen=True, slots=True)
class FilterOffset:
    """The UTC offset at which the filter reads dates, at the instant ``at``."""

    at: datetime
    offset: timedelta

    @classmethod
    def of(cls, zone: tzinfo, at: datetime) -> Self:
        """The offset that a zone has at an instant."""
        offset = at.astimezone(zone).utcoffset()
        assert offset is not None  # noqa: S101  # a zone of ``zoneinfo`` always has one
        return cls(at, offset)

    def __str__(self) -> str:
        minutes = abs(self.offset) // timedelta(minutes=1)
        sign = "-" if self.offset < timedelta(0) else "+"
        return f"UTC{sign}{minutes // 60:02}:{minutes % 60:02} at {format_instant(self.at)}"


@dataclass(frozen=True, slots=True)
class Explanation:
    """What the filter does not find. ``is_ruled_out``: no time zone would explain it."""

    text: str
    is_ruled_out: bool = False


def explain(
    api: EntriesApi, check: FilterCheck, zone: tzinfo, has_time_left: HasTimeLeft
) -> Explanation:
    """Say what the filter does not find, and name the time zone that would explain it.

    ``zone`` is the one in which the queries' bounds are written. A sample takes some thirty
    requests at most.
    """
    observed = [FilterOffset.of(zone, sample.date) for sample in check.found]
    try:
        offsets = [_find_offset(api, one, zone, has_time_left) for one in check.contradicting]
    except ExporterError as error:
        text = f"{check.contradiction}. Its time zone could not be found out: {error}"
        return Explanation(text)
    text = f"{check.contradiction}. {_explain_offsets(offsets, observed)}"
    return Explanation(text, is_ruled_out=None in offsets)


def _find_offset(
    api: EntriesApi, sample: Entry, zone: tzinfo, has_time_left: HasTimeLeft
) -> FilterOffset | None:
    """Query the seconds at which other offsets would place an entry, until the API lists it."""
    written = FilterOffset.of(zone, sample.date).offset
    second = floor_second(sample.date)
    own = Window(second, second + SECOND).widened(2 * SLACK)
    for offset in _offsets(sample.date):
        shift = offset - written
        if not shift:
            continue
        if not has_time_left():
            raise TransientError("the API answers too slowly")
        asked = Window(second + shift, second + shift + SECOND).widened(SLACK)
        with suppress(PermanentError):
            listing = api.query(asked)
            dates = [record.date for record in listing.records if record.date is not None]
            # A filter that is ignored lists the entry too, and others beside it.
            if all(date in own for date in dates) and sample.id in {r.id for r in listing.records}:
                return FilterOffset(sample.date, offset)
    return None


def _explain_offsets(offsets: Sequence[FilterOffset | None], others: Sequence[FilterOffset]) -> str:
    """Name the zones that agree with all offsets, those of entries that were found included."""
    known = [offset for offset in offsets if offset is not None]
    if len(known) < len(offsets):
        return "No usual time zone of the filter would explain it: ask the API's vendor"
    expected = [*known, *others]
    names = [
        name
        for name in _USUAL_ZONES
        if all(FilterOffset.of(ZoneInfo(name), one.at) == one for one in expected)
    ]
    if not names and len({one.offset for one in expected}) == 1 and not known[0].offset % _HOUR:
        # The signs of these names are the wrong way round, by their definition.
        names = [f"Etc/GMT{-(known[0].offset // _HOUR):+d}"]
    offsets_text = ", ".join(map(str, known))
    if names:
        return f"The filter reads dates in {offsets_text}: set FilterTimeZone to {_either(names)}"
    return f"The filter reads dates in {offsets_text}: set FilterTimeZone to the zone that has it"


def _offsets(at: datetime) -> Iterator[timedelta]:
    """The offsets of the usual zones, then all whole hours."""
    usual = (FilterOffset.of(ZoneInfo(name), at).offset for name in _USUAL_ZONES)
    yield from dict.fromkeys([*usual, *(hour * _HOUR for hour in range(-12, 15))])


def _either(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last
