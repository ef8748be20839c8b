"""Records as bytes: a hundred thousand decoded entries would not fit a worker's memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import overload

from cpd_exporter.model import exact_json
from cpd_exporter.model.entry import Entry, FaultyEntry

type Record = Entry | FaultyEntry


@dataclass(frozen=True, slots=True)
class PackedEntry:
    """A valid entry, its content as JSON text."""

    id: str
    date: datetime
    fingerprint: str
    text: bytes

    def unpack(self) -> Entry:
        """The entry as the API sent it."""
        return Entry(self.id, self.date, exact_json.load(self.text), self.fingerprint)


type PackedRecord = PackedEntry | FaultyEntry


class PackedEntries(Sequence[Entry]):
    """Entries that are unpacked one at a time."""

    def __init__(self, packed: Sequence[PackedEntry]) -> None:
        self._packed = packed

    def __len__(self) -> int:
        return len(self._packed)

    def __iter__(self) -> Iterator[Entry]:
        return (packed.unpack() for packed in self._packed)

    @overload
    def __getitem__(self, place: int) -> Entry: ...
    @overload
    def __getitem__(self, place: slice) -> "PackedEntries": ...
    def __getitem__(self, place: int | slice) -> "Entry | PackedEntries":
        if isinstance(place, slice):
            return PackedEntries(self._packed[place])
        return self._packed[place].unpack()


def pack(record: Record) -> PackedRecord:
    """Pack a valid entry. A faulty one is bytes already."""
    if isinstance(record, FaultyEntry):
        return record
    text = exact_json.dump(record.content).encode("ascii")
    return PackedEntry(record.id, record.date, record.fingerprint, text)


def identity(record: Record) -> str:
    """An entry's ID; a faulty record's own text, since its ID may be its fault."""
    return f"id:{record.id}" if isinstance(record, Entry) else f"source:{record.source!r}"
