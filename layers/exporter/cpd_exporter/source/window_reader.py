"""Reads all entries of one window out of the API, exactly.

Nothing here relies on sort order, on inclusive or exclusive bounds, or on totals. One response is
the largest unit that is trusted; where a window holds more, the union of many readings is.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cpd_exporter.errors import InconsistentListingError
from cpd_exporter.model.entry import Entry, FaultyEntry, Listing
from cpd_exporter.model.window import Window
from cpd_exporter.ports import EntriesApi
from cpd_exporter.source.response import SLACK, query_window
from cpd_exporter.source.union import Union, page_sizes

MAX_DENSE_READINGS = 30
"""Complete readings of a dense page: it overflows and cannot be split."""

MAX_OFFSET_PAGES = 500
"""Responses of one complete reading."""

_MAX_READINGS = 3
"""Readings of one response whose rows contradict each other."""

type Record = Entry | FaultyEntry


@dataclass(frozen=True, slots=True)
class Reading:
    """All of a window: its entries by date and ID, and the faulty records that may belong to it.

    A faulty record without a readable date belongs to every window whose response holds it.
    ``is_blank``: the API listed nothing, not even in the slack around the window.
    """

    entries: tuple[Entry, ...]
    faulty: tuple[FaultyEntry, ...]
    is_blank: bool


@dataclass(frozen=True, slots=True)
class Overflow:
    """The window holds at least ``total`` entries, more than a response of ``per_page``."""

    total: int
    per_page: int


def read_window(api: EntriesApi, window: Window, *, may_split: bool) -> Reading | Overflow:
    """Read a window: ask a second wider on both sides, and keep exactly ``[start, end)``.

    A window with more than one response gives ``Overflow`` if the caller may split it, otherwise
    the union of repeated complete readings. Raises ``FilterError`` and
    ``InconsistentListingError``.
    """
    asked = window.widened(SLACK)
    answer = _read_response(api, asked)
    if isinstance(answer, Overflow):
        if may_split:
            return answer
        answer = _read_union(api, asked, answer.per_page)
    answer = tuple(answer)
    entries = (record for record in answer if isinstance(record, Entry))
    faulty = (record for record in answer if isinstance(record, FaultyEntry))
    return Reading(
        tuple(sorted((e for e in entries if e.date in window), key=lambda e: (e.date, e.id))),
        tuple(f for f in faulty if f.date is None or f.date in window),
        is_blank=not answer,
    )


def _read_response(api: EntriesApi, asked: Window) -> Overflow | Iterable[Record]:
    """Read everything in one response, or learn that it does not fit."""
    agreed: dict[str, str] | None = None
    for _ in range(_MAX_READINGS):
        listing = query_window(api, asked)
        if len(listing.records) >= listing.per_page:
            return Overflow(max(listing.total, len(listing.records)), listing.per_page)
        records = _by_identity(listing.records)
        if records is None:
            continue
        versions = {identity: _version(record) for identity, record in records.items()}
        if listing.total <= len(records) or versions == agreed:
            return records.values()
        # Fewer rows than the total are believed only twice, and only without a second page. That
        # page has the size of this answer: an API that caps its pages may not skip by the cap. A
        # row that comes twice may stand in the place of another one, which that page then shows.
        size = max(1, len(records))
        if query_window(api, asked, page=2, per_page=size).records:
            return Overflow(listing.total, size)
        agreed = versions
    raise InconsistentListingError(
        f"the API's answers for {asked} contradict each other: rows, totals or two versions of one "
        f"ID, {_MAX_READINGS} times running"
    )


def _read_union(api: EntriesApi, asked: Window, per_page: int) -> Iterable[Record]:
    """Read until two unions in a row, the second begun after the first, have the same members.

    One union is not enough. While one row goes and another comes, a union may hold the first, lack
    a third that slipped between two pages, and still be as large as the total. Members of both
    unions were there before and after the first one's total, so they are all that it counted.
    """
    earlier: dict[str, Record] = {}
    union: Union[Record] = Union()
    for size in page_sizes(per_page, MAX_DENSE_READINGS):
        totals, records = _read_pages(api, asked, size)
        if len(records) > max(totals):
            break  # the total cannot be believed, or rows came and went
        if union.add(totals, records):
            if union.members.keys() == earlier.keys():
                return union.members.values()
            earlier, union.members = union.members, {}
    raise InconsistentListingError(
        f"{asked} cannot be split further and holds more than one response. Of up to "
        f"{MAX_DENSE_READINGS} readings, no two unions in a row have the same records, as many as "
        "their total"
    )


def _read_pages(
    api: EntriesApi, asked: Window, per_page: int
) -> tuple[set[int], dict[str, Record]]:
    """One complete reading: the totals that its responses name, and its records by identity."""
    totals: set[int] = set()
    records: dict[str, Record] = {}
    for listing in _query_pages(api, asked, per_page):
        totals.add(listing.total)
        records |= {_identity(record): record for record in listing.records}
    return totals, records


def _query_pages(api: EntriesApi, asked: Window, per_page: int) -> Iterator[Listing]:
    for page in range(1, MAX_OFFSET_PAGES + 1):
        listing = query_window(api, asked, page=page, per_page=per_page)
        yield listing
        # One page beyond the total is asked for: a row on it would contradict the total.
        if (
            len(listing.records) < listing.per_page
            or (page - 1) * listing.per_page >= listing.total
        ):
            return
    raise InconsistentListingError(
        f"{asked} has no end after {MAX_OFFSET_PAGES} offset pages of at most {per_page} records"
    )


def _by_identity(records: Iterable[Record]) -> dict[str, Record] | None:
    """The records without repetitions; ``None`` if one ID came in two versions."""
    distinct: dict[str, Record] = {}
    for record in records:
        if _version(distinct.setdefault(_identity(record), record)) != _version(record):
            return None
    return distinct


def _identity(record: Record) -> str:
    """An entry's ID; a faulty record's own text, since its ID may be its fault."""
    return f"id:{record.id}" if isinstance(record, Entry) else f"source:{record.source!r}"


def _version(record: Record) -> str:
    """The fingerprint of an entry. A faulty record's identity is its version."""
    return record.fingerprint if isinstance(record, Entry) else ""
