"""Reads all entries of one window out of the API, exactly.

Nothing here relies on sort order, on inclusive or exclusive bounds, or on totals. One response is
the largest unit that is trusted; where a window holds more, the union of many readings is.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter

from cpd_exporter.errors import InconsistentListingError
from cpd_exporter.model.entry import Entry, FaultyEntry, identity
from cpd_exporter.model.window import Window
from cpd_exporter.ports import EntriesApi
from cpd_exporter.source.dense_reader import Checkpoint, DenseReading, read_dense
from cpd_exporter.source.reading_progress import decode_progress, encode_progress
from cpd_exporter.source.response import MAX_PER_PAGE, SLACK, query_fitting, query_window

_BY_DATE = attrgetter("date", "id")

_MAX_READINGS = 3
"""Readings of one response whose rows contradict each other."""


type Record = Entry | FaultyEntry


@dataclass(frozen=True, slots=True)
class Reading:
    """All of a window: its entries by date and ID, and the faulty records that may belong to it.

    A faulty record without a readable date belongs to every window whose response holds it.
    ``is_blank``: the API listed nothing, not even in the slack around the window.
    """

    entries: Sequence[Entry]
    faulty: tuple[FaultyEntry, ...]
    is_blank: bool


@dataclass(frozen=True, slots=True)
class Overflow:
    """The window holds at least ``total`` entries, more than a response of ``per_page``.

    ``dates`` are those of the first rows, in the API's order.
    """

    total: int
    per_page: int
    dates: tuple[datetime, ...] = field(default=(), compare=False)


class Unfinished:
    """The worker's time ended before the readings of a dense page did. Their progress is saved."""


def read_window(
    api: EntriesApi,
    window: Window,
    *,
    may_split: bool,
    checkpoint: Checkpoint | None = None,
) -> Reading | Overflow | Unfinished:
    """Read a window: ask a second wider on both sides, and keep exactly ``[start, end)``.

    A window with more than one response gives ``Overflow`` if the caller may split it, otherwise
    the union of repeated complete readings, whose progress goes to ``checkpoint``. Raises
    ``FilterError`` and ``InconsistentListingError``.
    """
    asked = window.widened(SLACK)
    saved = None if may_split or checkpoint is None else checkpoint.load()
    progress = None if saved is None else decode_progress(saved, asked)
    if progress is None:
        answer = _read_response(api, asked)
        if not isinstance(answer, Overflow):
            return _reading(window, answer, is_blank=not answer)
        if may_split:
            return answer
        progress = DenseReading(largest=answer.per_page)
    records = read_dense(
        api,
        window,
        progress,
        checkpoint or _Unsaved(),
        lambda reading: encode_progress(reading, asked),
    )
    if records is None:
        return Unfinished()
    return _reading(window, records, is_blank=not progress.union.members)


class _Unsaved:
    """No checkpoint: a reading that its caller does not mean to continue."""

    is_due = False

    def has_time_left(self) -> bool:
        return True

    def load(self) -> bytes | None:
        return None

    def save(self, progress: bytes) -> None: ...

    def drop(self) -> None: ...


def _reading(window: Window, records: Iterable[Record], *, is_blank: bool) -> Reading:
    belonging = [one for one in records if one.date is None or one.date in window]
    entries = (record for record in belonging if isinstance(record, Entry))
    faulty = tuple(record for record in belonging if isinstance(record, FaultyEntry))
    return Reading(tuple(sorted(entries, key=_BY_DATE)), faulty, is_blank)


def _read_response(api: EntriesApi, asked: Window) -> Overflow | Collection[Record]:
    """Read everything in one response, or learn that it does not fit."""
    agreed: dict[str, str] | None = None
    per_page = MAX_PER_PAGE
    for _ in range(_MAX_READINGS):
        listing, per_page = query_fitting(api, asked, per_page)
        if len(listing.records) >= listing.per_page:
            return Overflow(
                max(listing.total, len(listing.records)),
                listing.per_page,
                _dates(listing.records),
            )
        records = _by_identity(listing.records)
        if records is None:
            continue
        if listing.total <= len(records):
            return records.values()
        versions = {identity: _version(record) for identity, record in records.items()}
        if versions == agreed:
            return records.values()
        # Fewer rows than the total are believed only twice, and only without a second page. That
        # page has the size of this answer: an API that caps its pages may not skip by the cap. A
        # row that comes twice may stand in the place of another one, which that page then shows.
        size = max(1, len(records))
        if query_window(api, asked, page=2, per_page=size).records:
            return Overflow(listing.total, size, _dates(records.values()))
        agreed = versions
    raise InconsistentListingError(
        f"the API's answers for {asked} contradict each other: rows, totals or two versions of one "
        f"ID, {_MAX_READINGS} times running"
    )


def _dates(records: Iterable[Record]) -> tuple[datetime, ...]:
    return tuple(record.date for record in records if record.date is not None)


def _by_identity(records: Iterable[Record]) -> dict[str, Record] | None:
    """The records without repetitions; ``None`` if one ID came in two versions."""
    distinct: dict[str, Record] = {}
    for record in records:
        first = distinct.setdefault(identity(record), record)
        if first is not record and _version(first) != _version(record):
            return None
    return distinct


def _version(record: Record) -> str:
    """The fingerprint of an entry. A faulty record's identity is its version."""
    return record.fingerprint if isinstance(record, Entry) else ""
