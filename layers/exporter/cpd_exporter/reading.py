"""Reading one window out of the API exactly, whatever order, bounds and totals it answers with.

Nothing here relies on sort order, on inclusive or exclusive bounds, or on totals: one response is
the largest unit that is trusted, and where a window holds more, the union of many readings is.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cpd_exporter.errors import (
    FilterError,
    InconsistentListingError,
    MalformedResponseError,
    PermanentError,
)
from cpd_exporter.model.entries import Entry, FaultyEntry, Listing
from cpd_exporter.model.instants import SECOND, floor_second, format_instant
from cpd_exporter.model.windows import Window
from cpd_exporter.ports import EntriesApi

MOST_PER_PAGE = 1000
"""The largest page size that the API documents."""

_RE_READS = 3
_DENSE_READS = 30
_MOST_PAGES = 500
_PARTS = 8
"""Of a window that cannot be counted whole."""

_PROOF_SAMPLES = ((1, 100), (1, 1), (2, 1), (3, 1))
"""Pages and page sizes. One entry that spoils every listing it is in spoils not all of them."""

_PROOF_SINCE = datetime(1970, 1, 1, tzinfo=UTC)
"""Any entry may prove the filter, those before the first date to export too: they may be all that
the API gives without a filter. An earlier date is a slip of somebody's hand."""


@dataclass(frozen=True, slots=True)
class Reading:
    """All of a window: its entries by date and ID, and the records that may be of it, but faulty.

    A faulty record without a readable date is told by every window whose response holds it.
    """

    entries: tuple[Entry, ...]
    faulty: tuple[FaultyEntry, ...]


@dataclass(frozen=True, slots=True)
class Overflow:
    """The window holds more than one response does: ``per_page``, of at least ``total``."""

    total: int
    per_page: int


@dataclass(frozen=True, slots=True)
class Count:
    """How many entries a window has at the least, as far as the API's total can be believed."""

    total: int
    served_at: datetime | None


def count(api: EntriesApi, window: Window, slack: timedelta) -> Count:
    """Ask for a window's total. Zero only where neither the total nor a row says otherwise."""
    listing = _query(api, window.widened(slack), slack, per_page=1)
    return Count(max(listing.total, len(listing.records)), listing.served_at)


def count_part(api: EntriesApi, window: Window, slack: timedelta) -> Count | None:
    """The count of some part of a window that cannot be counted whole: then something within it is
    at fault. ``None`` if no part can be counted: then it is the API.
    """
    for part in window.cut(_PARTS, floor=max(SECOND, slack)):
        with suppress(PermanentError):
            return count(api, part, slack)
    return None


def read_window(
    api: EntriesApi, window: Window, slack: timedelta, *, may_split: bool
) -> Reading | Overflow:
    """Read a window, asking ``slack`` wider on both sides and keeping exactly ``[start, end)``.

    More than one response: ``Overflow`` where the caller may split the window, else the union of
    repeated complete readings. Raises ``FilterError`` and ``InconsistentListingError``, and stores
    nothing then.
    """
    asked = window.widened(slack)
    answer = _read_response(api, asked, slack)
    if isinstance(answer, Overflow):
        if may_split:
            return answer
        answer = _read_union(api, asked, slack, answer.per_page)
    entries = (record for record in answer if isinstance(record, Entry))
    faulty = (record for record in answer if isinstance(record, FaultyEntry))
    return Reading(
        tuple(sorted((e for e in entries if e.date in window), key=lambda e: (e.date, e.id))),
        tuple(f for f in faulty if f.date is None or f.date in window),
    )


def prove_filter(api: EntriesApi, slack: timedelta, *, until: datetime) -> bool:
    """Find an entry by its second that the API gave without a filter.

    A filter that returns nothing would look like an empty API. ``False``: there is no entry from
    before ``until`` to prove it with. Raises ``FilterError`` if of several entries none is found,
    and ``MalformedResponseError`` if no answer can be read.
    """
    spoilt: MalformedResponseError | FilterError | None = None
    for page, per_page in _PROOF_SAMPLES:
        try:
            sample = api.query(None, page=page, per_page=per_page).records
            usable = (e for e in sample if isinstance(e, Entry) and _PROOF_SINCE <= e.date < until)
            known = max(usable, key=lambda e: e.date, default=None)
            if known is None:
                break
            if _is_found(api, slack, known):
                return True
        except (MalformedResponseError, FilterError) as error:
            spoilt = error
    if spoilt is not None:
        raise spoilt
    return False


def _is_found(api: EntriesApi, slack: timedelta, known: Entry) -> bool:
    """Whether the filter finds an entry; ``False`` if it is gone by now."""
    second = Window(floor_second(known.date), floor_second(known.date) + SECOND)
    found = _query(api, second.widened(slack), slack)
    # A full response may leave any one out; that its rows lie where they should, is known.
    full = len(found.records) >= found.per_page
    if full or any(record.id == known.id for record in found.records):
        return True
    still = api.entry(known.id)
    if isinstance(still, Entry) and still.date == known.date:
        raise FilterError(
            f"the API has an entry at {format_instant(known.date)}, but asked for that second "
            f"(widened by {slack // SECOND} s) it does not list it. If it filters in another "
            "time zone, set FilterSlackSeconds to at least the difference"
        )
    return False


def _read_response(
    api: EntriesApi, asked: Window, slack: timedelta
) -> Overflow | Iterable[Entry | FaultyEntry]:
    """Everything in one response, or the knowledge that it does not fit."""
    agreed: dict[str, str] | None = None
    for _ in range(_RE_READS):
        listing = _query(api, asked, slack)
        if len(listing.records) >= listing.per_page:
            return Overflow(max(listing.total, len(listing.records)), listing.per_page)
        records = _by_identity(listing.records)
        if records is None:
            continue
        versions = {identity: _version(record) for identity, record in records.items()}
        if listing.total <= len(records) or versions == agreed:
            return records.values()
        # Fewer rows than the total: believed only if there is no second page, and twice. Asked for
        # by the size that this answer had: an API that caps its pages may not skip by the cap.
        if _query(api, asked, slack, page=2, per_page=max(1, len(listing.records))).records:
            return Overflow(listing.total, max(1, len(listing.records)))
        agreed = versions
    raise InconsistentListingError(
        f"the API's answers for {asked} contradict each other: rows, totals or two versions of one "
        f"ID, {_RE_READS} times running"
    )


def _read_union(
    api: EntriesApi, asked: Window, slack: timedelta, per_page: int
) -> Iterable[Entry | FaultyEntry]:
    """The union by identity of complete readings, until it is as large as an unchanging total, and
    a second union, begun after it, has the same members.

    Once would not do: while one row goes and another comes, a union may hold the one, lack a third
    that slipped between two pages, and still be as large as the total. Members of both unions were
    there before and after the first one's total was told: so they are all that it counted.

    The page size varies, so that an order which repeats per page size cannot hide the same rows
    each time. A total that changes between two readings starts the union anew: it may hold rows
    that are gone.
    """
    earlier: dict[str, Entry | FaultyEntry] = {}
    union: dict[str, Entry | FaultyEntry] = {}
    total = -1
    for reading in range(_DENSE_READS):
        totals, records = _read_pages(
            api, asked, slack, per_page - reading * 61 % (per_page // 2 + 1)
        )
        if len(records) > max(totals):
            break  # no total to be believed, or rows came and went: another attempt will tell
        if totals != {total} or len(union) > total:
            union = {}
        union |= records
        total = max(totals)
        if totals == {len(union)}:
            if union.keys() == earlier.keys():
                return union.values()
            earlier, union = union, {}
    raise InconsistentListingError(
        f"{asked} cannot be split further and holds more than one response: its readings, up to "
        f"{_DENSE_READS}, are not twice running the same records, as many as its total names"
    )


def _read_pages(
    api: EntriesApi, asked: Window, slack: timedelta, per_page: int
) -> tuple[set[int], dict[str, Entry | FaultyEntry]]:
    totals: set[int] = set()
    records: dict[str, Entry | FaultyEntry] = {}
    for listing in _pages(api, asked, slack, per_page):
        totals.add(listing.total)
        records |= {_identity(record): record for record in listing.records}
    return totals, records


def _pages(api: EntriesApi, asked: Window, slack: timedelta, per_page: int) -> Iterator[Listing]:
    for page in range(1, _MOST_PAGES + 1):
        listing = _query(api, asked, slack, page=page, per_page=per_page)
        yield listing
        # One page beyond what the total says: were there a row on it, the total would be wrong.
        if (
            len(listing.records) < listing.per_page
            or (page - 1) * listing.per_page >= listing.total
        ):
            return
    raise InconsistentListingError(
        f"{asked} has no end after {_MOST_PAGES} pages of at most {per_page} records"
    )


def _query(
    api: EntriesApi,
    asked: Window,
    slack: timedelta,
    *,
    page: int = 1,
    per_page: int = MOST_PER_PAGE,
) -> Listing:
    """One response, every row of which lies where the filter could have put it."""
    listing = api.query(asked, page=page, per_page=per_page)
    believable = asked.widened(slack)
    for record in listing.records:
        if record.date is not None and record.date not in believable:
            raise FilterError(
                f"asked for {asked}, the API answered an entry of {format_instant(record.date)}: "
                "its date filter does not work as assumed, so nothing of this answer is stored. "
                "If it filters in another time zone, set FilterSlackSeconds to at least the "
                "difference"
            )
    return listing


def _by_identity(
    records: Iterable[Entry | FaultyEntry],
) -> dict[str, Entry | FaultyEntry] | None:
    """The records without repetitions; ``None`` if one ID came in two versions."""
    distinct: dict[str, Entry | FaultyEntry] = {}
    for record in records:
        if _version(distinct.setdefault(_identity(record), record)) != _version(record):
            return None
    return distinct


def _identity(record: Entry | FaultyEntry) -> str:
    """An entry's ID; a faulty record's own text, since its ID may be what is wrong with it."""
    return f"id:{record.id}" if isinstance(record, Entry) else f"source:{record.source!r}"


def _version(record: Entry | FaultyEntry) -> str:
    """What tells two versions of one record apart; volatile members do not."""
    return record.fingerprint if isinstance(record, Entry) else ""
