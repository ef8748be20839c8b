"""Reads a window that holds more entries than one response and cannot be split: a dense page.

One reading of its offset pages proves nothing, because rows move between two responses. The reader
joins complete readings until two unions in a row agree. A reading may take longer than one worker
lives, so its progress is saved, and the next worker goes on from there.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from cpd_exporter.errors import InconsistentListingError, OversizedResponseError, TransientError
from cpd_exporter.model.entry import Entry, FaultyEntry, Listing, identity
from cpd_exporter.model.window import Window
from cpd_exporter.ports import EntriesApi
from cpd_exporter.source.response import SLACK, query_window
from cpd_exporter.source.union import Union, page_size

MAX_DENSE_READINGS = 30
"""Complete readings of a dense page, however many workers share them."""

MAX_STALE_PAGES = 100
"""Offset pages in a row without a new record. The API then serves a listing without an end."""


class Checkpoint(Protocol):
    """The place where a reading's progress outlives its worker."""

    @property
    def is_due(self) -> bool:
        """Whether so much was read since the last ``save`` that it is worth another."""

    def has_time_left(self) -> bool:
        """Whether the worker may ask for more offset pages."""

    def load(self) -> bytes | None:
        """The progress that was saved last, if any."""

    def save(self, progress: bytes) -> None:
        """Save the progress, and keep other workers away a while longer."""

    def drop(self) -> None:
        """Forget the progress: the next attempt starts anew."""


@dataclass(slots=True)
class DenseReading:
    """The progress of a dense page's readings.

    ``records`` holds each record of the window once. The unions and the reading under way
    hold identities only, also of records outside the window: the API's total counts them.
    """

    largest: int
    reading: int = 0
    page: int = 1
    stale: int = 0
    totals: set[int] = field(default_factory=set)
    current: dict[str, None] = field(default_factory=dict)
    union: Union[None] = field(default_factory=Union)
    earlier: dict[str, None] = field(default_factory=dict)
    records: dict[str, Entry | FaultyEntry] = field(default_factory=dict)

    @property
    def per_page(self) -> int:
        """The page size of the reading under way."""
        return page_size(self.largest, self.reading)

    def add(self, listing: Listing, window: Window) -> bool:
        """Add the next offset page; returns whether it ends the reading."""
        before = len(self.current)
        self.totals.add(listing.total)
        for record in listing.records:
            name = identity(record)
            self.current[name] = None
            if record.date is None or record.date in window:
                self.records[name] = record
            else:
                self.records.pop(name, None)  # the entry has moved since an earlier reading
        self.stale = 0 if len(self.current) > before else self.stale + 1
        # One page beyond the total is asked for: a row on it would contradict the total.
        is_last = (
            len(listing.records) < listing.per_page
            or (self.page - 1) * listing.per_page >= listing.total
        )
        self.page += 1
        return is_last

    def begin(self, reading: int) -> None:
        """Begin a reading at its first offset page."""
        self.reading, self.page, self.stale = reading, 1, 0
        self.totals, self.current = set(), {}

    def agrees(self) -> bool:
        """Join the complete reading; returns whether two unions in a row have the same members.

        One union is not enough. While one row goes and another comes, a union may hold the first,
        lack a third that slipped between two pages, and still be as large as the total. Members of
        both unions were there before and after the first one's total, so they are all that it
        counted.
        """
        if self.union.add(self.totals, self.current):
            if self.union.members.keys() == self.earlier.keys():
                return True
            self.earlier, self.union.members = self.union.members, {}
        return False


def read_dense(
    api: EntriesApi,
    window: Window,
    reading: DenseReading,
    checkpoint: Checkpoint,
    encode: Callable[[DenseReading], bytes],
) -> list[Entry | FaultyEntry] | None:
    """Read until two unions agree; ``None`` if the worker's time ended first.

    Raises ``FilterError`` and ``InconsistentListingError``.
    """
    asked = window.widened(SLACK)
    unsaved = False
    while reading.reading < MAX_DENSE_READINGS:
        try:
            complete = _read_page(api, window, reading)
        except TransientError:
            if unsaved:
                checkpoint.save(encode(reading))
            raise
        unsaved = True
        if complete:
            if len(reading.current) > max(reading.totals):
                break  # the total cannot be believed, or rows came and went
            if reading.agrees():
                found = reading.union.members
                return [reading.records[name] for name in found if name in reading.records]
            reading.begin(reading.reading + 1)
        elif reading.stale >= MAX_STALE_PAGES:
            break
        if not checkpoint.has_time_left():
            checkpoint.save(encode(reading))
            return None
        if checkpoint.is_due:
            checkpoint.save(encode(reading))
            unsaved = False
    checkpoint.drop()
    raise InconsistentListingError(
        f"{asked} cannot be split further and holds more than one response. Of up to "
        f"{MAX_DENSE_READINGS} readings, no two unions in a row have the same records, as many as "
        "their total"
    )


def _read_page(api: EntriesApi, window: Window, reading: DenseReading) -> bool:
    """Ask for the next offset page; returns whether the reading is complete.

    If the response is too large, the reading begins again with smaller offset pages.
    """
    asked, per_page = window.widened(SLACK), reading.per_page
    try:
        listing = query_window(api, asked, page=reading.page, per_page=per_page)
    except OversizedResponseError:
        if per_page == 1:
            raise
        reading.largest = per_page // 2
        reading.begin(reading.reading)
        return False
    return reading.add(listing, window)
