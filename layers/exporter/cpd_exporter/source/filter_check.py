"""Checks that the API's date filter finds entries by their second.

A filter in another time zone, or one that returns nothing, looks like an empty API.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from enum import Enum, auto

from cpd_exporter.errors import (
    AccessError,
    ExporterError,
    FilterError,
    PermanentError,
    TransientError,
)
from cpd_exporter.model.entry import Entry
from cpd_exporter.model.timestamps import SECOND, floor_second, format_instant
from cpd_exporter.model.window import Window
from cpd_exporter.ports import EntriesApi
from cpd_exporter.source.filter_zone import FilterOffset, explain_offsets, find_offset
from cpd_exporter.source.response import MAX_PER_PAGE, SLACK, query_window

type Place = Window | None
"""Where a sample may come from: a window, or a listing without a filter."""

_UNFILTERED = ((1, 100), (1, 1), (2, 1), (3, 1))
_FILTERED = ((1, MAX_PER_PAGE), (1, 1))
"""Offset pages and page sizes. An entry that spoils every listing with it does not spoil them all."""

_MAX_SAMPLES = 3
"""Entries of one listing that the filter is asked for: one record alone may be at fault."""

_EARLIEST_SAMPLE = datetime(1970, 1, 1, tzinfo=UTC)
"""The earliest date that counts; an earlier one is a slip of somebody's hand.

Entries before the first date to export count: they may be all that the API lists without a filter.
"""


@dataclass(frozen=True, slots=True)
class FilterCheck:
    """The result of a check: whether the first places had a sample that the filter ``found``, and
    a ``warning`` if they had none though one was due, or if one sample of several contradicts.
    """

    found: bool
    warning: str | None = None


class _Verdict(Enum):
    FOUND = auto()
    GONE = auto()
    CONTRADICTS = auto()


@dataclass(slots=True)
class _Samples:
    """What the samples of alternative places showed."""

    found: Entry | None = None
    contradicting: dict[str, Entry] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def check_filter(
    api: EntriesApi,
    groups: Sequence[Sequence[Place]],
    *,
    until: datetime,
    zone: tzinfo | None = None,
) -> FilterCheck:
    """Ask the filter for the second of an entry of each group of places.

    The places of a group are alternatives; the first group is the recent one. Entries count that
    are dated before ``until``. Raises
    ``FilterError`` if the filter finds no sample of a group that has some; with the filter's
    supposed ``zone``, the message names the zones that would explain it.
    """
    results = [_sample(api, groups[0], until, is_recent=True)]
    if results[0] != _Samples():  # else the API is empty
        results += [_sample(api, places, until, is_recent=False) for places in groups[1:]]
    contradicting = [
        sample
        for result in results
        if not result.found
        for sample in list(result.contradicting.values())[:1]
    ]
    if contradicting:
        found = [result.found for result in results if result.found]
        raise FilterError(_explain(api, contradicting, found, zone))
    recent = results[0]
    faults = [] if recent.found else recent.faults
    faults += [_missed(sample) for result in results for sample in result.contradicting.values()]
    warning = f"the filter could not be checked fully: {faults[0]}" if faults else None
    return FilterCheck(recent.found is not None, warning)


def _sample(
    api: EntriesApi, places: Sequence[Place], until: datetime, *, is_recent: bool
) -> _Samples:
    """Try the places in turn, until the filter finds a sample or several contradict.

    One record alone may be at fault. A sample of any time, listed without a filter, does not
    outweigh it.
    """
    result = _Samples()
    for place in places:
        if len(result.contradicting) > 1 or (result.contradicting and place is None):
            break
        for page, per_page in _UNFILTERED if place is None else _FILTERED:
            try:
                listed = api.query(place, page=page, per_page=per_page).records
                usable = [
                    e for e in listed if isinstance(e, Entry) and _EARLIEST_SAMPLE <= e.date < until
                ]
                if not usable:
                    break
                for sample in _latest(usable):
                    verdict = _judge(api, sample)
                    if verdict is _Verdict.FOUND:
                        result.found = sample
                        return result
                    if verdict is _Verdict.CONTRADICTS:
                        result.contradicting[sample.id] = sample
            except PermanentError as error:
                result.faults.append(str(error))
            except TransientError as error:
                # A listing of much may be too slow for the API. Any other failure is an outage.
                if (is_recent and place is not None) or isinstance(error, AccessError):
                    raise
                result.faults.append(str(error))
                break
            else:
                if result.contradicting:
                    break
    return result


def _latest(entries: Sequence[Entry]) -> Iterator[Entry]:
    """The latest entries, each of another second."""
    by_second = {floor_second(e.date): e for e in sorted(entries, key=lambda e: (e.date, e.id))}
    for second in sorted(by_second, reverse=True)[:_MAX_SAMPLES]:
        yield by_second[second]


def _judge(api: EntriesApi, sample: Entry) -> _Verdict:
    """Look for an entry by its second."""
    second = Window(floor_second(sample.date), floor_second(sample.date) + SECOND)
    try:
        found = query_window(api, second.widened(SLACK))
    except FilterError:
        return _Verdict.CONTRADICTS
    # A full response may leave out any entry, but all of its rows lie in the window.
    full = len(found.records) >= found.per_page
    if full or any(record.id == sample.id for record in found.records):
        return _Verdict.FOUND
    still = api.entry(sample.id)
    if isinstance(still, Entry) and still.date == sample.date:
        return _Verdict.CONTRADICTS
    return _Verdict.GONE


def _explain(
    api: EntriesApi,
    contradicting: Sequence[Entry],
    found: Sequence[Entry],
    zone: tzinfo | None,
) -> str:
    message = "; ".join(map(_missed, contradicting))
    if zone is None:
        return message
    observed = [FilterOffset.of(zone, sample.date) for sample in found]
    try:
        offsets = [find_offset(api, sample, zone) for sample in contradicting]
    except ExporterError as error:
        return f"{message}. Its time zone could not be found out: {error}"
    return f"{message}. {explain_offsets(offsets, observed)}"


def _missed(sample: Entry) -> str:
    return (
        f"the API has an entry at {format_instant(sample.date)}, but a query for that second does "
        "not list it, or lists others"
    )
