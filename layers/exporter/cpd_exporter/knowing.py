"""What the lake says of pages, and the rows that say it."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from cpd_exporter.errors import LakeError
from cpd_exporter.model import known as lake_knowledge
from cpd_exporter.model.known import Known, KnownEntry
from cpd_exporter.model.rows import Row, decode
from cpd_exporter.model.timeline import Page
from cpd_exporter.ports import Lake


@dataclass(frozen=True, slots=True)
class LakeReader:
    """Reads objects that the timeline names, each once for as long as the reader lives.

    All of it raises ``LakeError`` for an object that is missing or damaged.
    """

    lake: Lake
    objects: dict[str, Mapping[str, Row]] = field(default_factory=dict)

    def known_of(self, page: Page) -> Known:
        """What is known of a done page."""
        if page.known is not None:
            try:
                return lake_knowledge.decode(self._read(page.known))
            except ValueError as error:
                raise LakeError(page.known, damage=str(error)) from error
        if page.object is None:
            return {}
        try:
            return lake_knowledge.after({}, self.rows(page.object).values(), page.object)
        except (KeyError, TypeError, ValueError) as error:
            raise LakeError(page.object, damage="a row without a date") from error

    def rows(self, key: str) -> Mapping[str, Row]:
        """The rows of one object, by entry."""
        if key not in self.objects:
            try:
                self.objects[key] = {row.entry_id: row for row in decode(self._read(key))}
            except KeyError as error:
                raise LakeError(key, damage="a row without an entry's ID") from error
            except ValueError as error:
                raise LakeError(key, damage=str(error)) from error
        return self.objects[key]

    def last_row(self, entry_id: str, known: KnownEntry) -> Row:
        """The row that an entry was last told with."""
        row = self.rows(known.object).get(entry_id)
        if row is None:
            raise LakeError(known.object, damage=f"no row of entry {entry_id}")
        return row

    def _read(self, key: str) -> bytes:
        stored = self.lake.read(key)
        if stored is None:
            raise LakeError(key)
        return stored


def by_object(known: Known) -> Mapping[str, Known]:
    """What is known, by the objects that hold the last rows."""
    parts: defaultdict[str, dict[str, KnownEntry]] = defaultdict(dict)
    for entry_id, entry in known.items():
        parts[entry.object][entry_id] = entry
    return parts
