"""The index of a page's entries, and the rows that it names, out of the lake."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from cpd_exporter.errors import LakeError
from cpd_exporter.model import page_index
from cpd_exporter.model.page import Page
from cpd_exporter.model.page_index import IndexEntry, PageIndex
from cpd_exporter.model.row import Row, RowsById, StoredRows, decode
from cpd_exporter.model.window import Window
from cpd_exporter.ports import Lake


@dataclass(frozen=True, slots=True)
class LakeReader:
    """Reads objects that the timeline names, each once in the reader's life.

    Every method raises ``LakeError`` for an object that is missing or damaged.
    """

    lake: Lake
    objects: dict[str, Mapping[str, Row]] = field(default_factory=dict)

    def read_index(self, page: Page) -> PageIndex:
        """Read the index of a done page: its own object, or made of the rows of ``page.object``."""
        if page.index_key is not None:
            try:
                return page_index.decode(self._read(page.index_key))
            except ValueError as error:
                raise LakeError(page.index_key, damage=str(error)) from error
        if page.object is None:
            return {}
        try:
            return page_index.updated({}, self.read_rows(page.object).values(), page.object)
        except ValueError as error:
            raise LakeError(page.object, damage="a row that is no entry") from error

    def read_rows(self, key: str) -> Mapping[str, Row]:
        """Read the rows of one object, by entry."""
        if key not in self.objects:
            self.objects[key] = RowsById(self.read_object(key))
        return self.objects[key]

    def read_object(self, key: str) -> StoredRows:
        """Read the rows of one object, in their stored order."""
        try:
            return decode(self._read(key))
        except ValueError as error:
            raise LakeError(key, damage=str(error)) from error

    def read_last_row(self, entry_id: str, indexed: IndexEntry) -> Row:
        """Read the row that an entry was last published with."""
        row = self.read_rows(indexed.object).get(entry_id)
        if row is None:
            raise LakeError(indexed.object, damage=f"no row of entry {entry_id}")
        return row

    def _read(self, key: str) -> bytes:
        stored = self.lake.read(key)
        if stored is None:
            raise LakeError(key)
        return stored


def share_of_index(index: PageIndex, window: Window, share: Window) -> PageIndex:
    """The entries of a page's index in a share of its window, and all that left the window."""
    return {
        entry_id: entry
        for entry_id, entry in index.items()
        if entry.date in share or entry.date not in window
    }


def by_object(index: PageIndex) -> Mapping[str, PageIndex]:
    """The index, divided by the objects that hold the last rows."""
    parts: defaultdict[str, dict[str, IndexEntry]] = defaultdict(dict)
    for entry_id, indexed in index.items():
        parts[indexed.object][entry_id] = indexed
    return parts
