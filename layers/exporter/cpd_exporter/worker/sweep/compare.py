"""Compares the index of the swept pages with the window as the API lists it now."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from cpd_exporter.model.entry import Entry, fingerprint
from cpd_exporter.model.page import MissingEntry, Page
from cpd_exporter.model.page_index import IndexEntry, PageIndex
from cpd_exporter.model.row import Change, RowWriter, StoredRows
from cpd_exporter.model.window import Window
from cpd_exporter.ports import Lake
from cpd_exporter.source.window_reader import Reading
from cpd_exporter.worker.context import WorkerContext
from cpd_exporter.worker.lake_reader import LakeReader


@dataclass(frozen=True, slots=True)
class SweepInput:
    """The pages that a sweep covers, with their entries' index and their missing entries."""

    pages: list[Page]
    index: PageIndex
    missing: dict[str, MissingEntry]

    @property
    def window(self) -> Window:
        """The window that the neighbouring pages cover."""
        return Window(self.pages[0].window.start, self.pages[-1].window.end)

    @property
    def stored_at(self) -> datetime | None:
        """When the latest row of any of the pages was stored."""
        return max((page.stored_at for page in self.pages if page.stored_at), default=None)

    @property
    def read_at(self) -> datetime | None:
        """When the page that has waited longest was read.

        ``None`` if one page's time is unknown.
        """
        read = [page.read_at for page in self.pages]
        return None if None in read else min(filter(None, read))


@dataclass(slots=True)
class SweepResult:
    """The rows of a sweep, and its missing entries.

    Of those, the API has ``unlisted`` ones: at dates outside the window, or its listing left them
    out. The index drops the ones that were ``handed_over`` to the pages of their dates. The sweep
    holds further deletions since ``held_at``: the merge opens the breaker for them. ``sweep_again``
    asks for another sweep soon. The API listed all this at ``read_at``. An ``error`` says why
    ``unjudged`` missing entries, which are due, can be neither published nor called present.
    """

    rows: StoredRows = field(default_factory=StoredRows)
    missing: dict[str, MissingEntry] = field(default_factory=dict)
    unlisted: list[Entry] = field(default_factory=list)
    handed_over: set[str] = field(default_factory=set)
    quarantined: int = 0
    faults: dict[str, str] = field(default_factory=dict)
    read_at: datetime | None = None
    held_at: datetime | None = None
    sweep_again: bool = False
    unjudged: int = 0
    error: str | None = None


def load_input(lake: Lake, pages: list[Page]) -> SweepInput:
    """Join the indexes of neighbouring pages.

    An entry that moved may be in two of them. Its latest row counts, and only the page of that row
    may miss it. Different rows of one instant are tied, until a sweep publishes the entry anew.
    """
    index: dict[str, IndexEntry] = {}
    missing: dict[str, MissingEntry] = {}
    for page in pages:
        for id_, entry in LakeReader(lake).read_index(page).items():
            indexed = index.get(id_)
            if indexed and indexed.stored_at >= entry.stored_at:
                is_same = entry.fingerprint == indexed.fingerprint and not entry.is_tied
                if indexed.stored_at == entry.stored_at and not is_same:
                    index[id_] = replace(indexed, is_tied=True)
                continue
            index[id_] = entry
            missing.pop(id_, None)
            if id_ in page.missing:
                missing[id_] = page.missing[id_]
    return SweepInput(pages, index, missing)


def writer_after(before: SweepInput, context: WorkerContext) -> RowWriter:
    """A writer of rows that are later than any earlier row of the same pages: an entry's events are
    ordered.
    """
    now = context.clock()
    if before.stored_at is not None:
        now = max(now, before.stored_at + timedelta(milliseconds=1))
    return RowWriter(context.timeline.tenant_id, now, context.limits.fingerprint_exclude)


def changed_rows(
    context: WorkerContext,
    before: SweepInput,
    reading: Reading,
    writer: RowWriter,
    last: LakeReader,
) -> StoredRows:
    """The rows of the entries that are new or that changed, in the reading's order."""
    changed = StoredRows()
    for entry in reading.entries:
        indexed = before.index.get(entry.id)
        if indexed is None:
            changed.append(writer.write(entry, Change.CREATED))
        elif read_is_changed(context, before, entry, last):
            changed.append(writer.write(entry, Change.UPDATED))
    return changed


def missing_ids(before: SweepInput, reading: Reading) -> list[str]:
    """The indexed entries that the reading lacks. A faulty record is present."""
    present = {entry.id for entry in reading.entries} | {fault.id for fault in reading.faulty}
    return [id_ for id_ in before.index if id_ not in present]


def adopt_stored_rows(
    rows: StoredRows, before: SweepInput, quarantined: int, faults: Mapping[str, str]
) -> SweepResult:
    """The result of another attempt, as far as its rows show it.

    An entry that was missing before still is, unless one of the rows is its own. Which entries went
    missing since, and which deletions it held, is in no row: another sweep looks for them.
    """
    stored = {row.entry_id for row in rows}
    missing = {id_: gone for id_, gone in before.missing.items() if id_ not in stored}
    return SweepResult(
        rows,
        missing,
        quarantined=quarantined,
        faults=dict(faults),
        read_at=max((row.exported_at for row in rows), default=None),
        sweep_again=True,
    )


def read_is_changed(
    context: WorkerContext, before: SweepInput, entry: Entry, last: LakeReader
) -> bool:
    """Whether an indexed entry has another version now, has left or come back since its last row,
    or has no last row.
    """
    indexed = before.index[entry.id]
    if indexed.is_tied or (entry.date in before.window) != (indexed.date in before.window):
        return True
    if entry.fingerprint == indexed.fingerprint:
        return False
    # The fingerprint may differ only because it leaves out other members than it did then.
    published = last.read_last_row(entry.id, indexed)
    return fingerprint(published.text, context.limits.fingerprint_exclude) != entry.fingerprint
