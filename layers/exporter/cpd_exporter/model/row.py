"""Rows: the lines of a lake object. Encoding is pure: equal rows give equal bytes."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Self, overload

import msgspec

from cpd_exporter.model import exact_json
from cpd_exporter.model.compression import compress, decompress
from cpd_exporter.model.entry import DocumentedEntry, Entry, FaultyEntry, documented
from cpd_exporter.model.timestamps import format_timestamp, parse_instant

SCHEMA_VERSION = 1

MAX_NAMED_FAULTS = 3
"""Quarantined records of one page whose keys and faults ``status`` shows."""


class Change(StrEnum):
    """What happened to the row's entry."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"


class Row(msgspec.Struct, frozen=True, gc=False):
    """One version of an entry, as its JSON text, and the change that led to it.

    ``fingerprint_exclude`` names the members that the fingerprint ignores: it makes the row
    verifiable, whatever the setting is later.
    """

    entry_id: str
    text: bytes
    change: Change
    fingerprint: str
    tenant_id: str
    exported_at: datetime
    fingerprint_exclude: frozenset[str] = frozenset()

    def documented(self) -> DocumentedEntry:
        """The documented members of the entry; raises ``ValueError`` for a row of no entry."""
        return documented(self.text)


class StoredRows(Sequence[Row]):
    """Rows as the lines of a lake object, decoded one at a time.

    A hundred thousand decoded rows would not fit a worker's memory.
    """

    def __init__(self, lines: Iterable[bytes] = ()) -> None:
        self.lines = list(lines)

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Self:
        """The lines of rows; equal rows have equal lines."""
        return cls(
            RowWriter(row.tenant_id, row.exported_at, row.fingerprint_exclude).line(
                row.text, row.change, row.fingerprint
            )
            for row in rows
        )

    def append(self, line: bytes) -> None:
        """Add a row's line, which a ``RowWriter`` wrote, at the end."""
        self.lines.append(line)

    def __len__(self) -> int:
        return len(self.lines)

    def __iter__(self) -> Iterator[Row]:
        return map(_decoded, self.lines)

    @overload
    def __getitem__(self, place: int) -> Row: ...
    @overload
    def __getitem__(self, place: slice) -> "StoredRows": ...
    def __getitem__(self, place: int | slice) -> "Row | StoredRows":
        if isinstance(place, slice):
            return StoredRows(self.lines[place])
        return _decoded(self.lines[place])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]  # rows can be appended


class RowsById(Mapping[str, Row]):
    """The rows of one object by entry, decoded one at a time."""

    def __init__(self, rows: StoredRows) -> None:
        self._lines = {_OWN.decode(line).log_entry_id: line for line in rows.lines}

    def __len__(self) -> int:
        return len(self._lines)

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __getitem__(self, entry_id: str) -> Row:
        return _decoded(self._lines[entry_id])


class RowWriter:
    """Writes the lines of rows that are stored at one instant."""

    def __init__(
        self,
        tenant_id: str,
        exported_at: datetime,
        fingerprint_exclude: frozenset[str] = frozenset(),
    ) -> None:
        own: dict[str, Any] = {
            "tenantId": tenant_id,
            "exportedAt": format_timestamp(exported_at),
            "schemaVersion": SCHEMA_VERSION,
        }
        if fingerprint_exclude:
            own["fingerprintExclude"] = sorted(fingerprint_exclude)
        self._tail = b'",' + exact_json.dump(own)[1:]
        self._tenant_id, self._exported_at = tenant_id, exported_at

    def write(self, entry: Entry, change: Change) -> bytes:
        """The line of an entry as the API lists it."""
        if entry.is_documented:
            return self._joined(entry.text, change, entry.fingerprint)
        return self.line(entry.text, change, entry.fingerprint)

    def delete(self, last: Row) -> bytes:
        """The line of an entry that is gone, with its last stored version."""
        own = RowWriter(self._tenant_id, self._exported_at, last.fingerprint_exclude)
        return own.line(last.text, Change.DELETED, last.fingerprint)

    def line(self, text: bytes, change: Change, fingerprint: str) -> bytes:
        """The line of any version of an entry."""
        if _SHADOWED.decode(text) != _NONE_SHADOWED:
            text = _without_own_names(text)
        return self._joined(text, change, fingerprint)

    def _joined(self, text: bytes, change: Change, fingerprint: str) -> bytes:
        return b"%b%b%b%b" % (text[:-1], _CHANGES[change], fingerprint.encode(), self._tail)


_CHANGES = {change: f',"change":"{change}","fingerprint":"'.encode() for change in Change}


def encode(rows: Iterable[Row]) -> bytes:
    """Gzipped JSON lines. Each line has the entry's members, then the row's own.

    If an entry has a member with the name of one of the row's own, ``shadowed`` holds the entry's.
    """
    lines = (rows if isinstance(rows, StoredRows) else StoredRows.of(rows)).lines
    return compress(b"\n".join([*lines, b""]))


def decode(stored: bytes) -> StoredRows:
    """The rows of a lake object, in their stored order.

    Raises ``ValueError`` for bytes that ``encode`` did not write.
    """
    rows = StoredRows(decompress(stored).splitlines())
    for _ in rows:
        pass  # each line is a row
    return rows


class _Own(msgspec.Struct, rename="camel", gc=False):
    """What a row adds to the members of its entry, and the entry's ID."""

    log_entry_id: str
    change: Change
    fingerprint: str
    tenant_id: str
    exported_at: str
    schema_version: int
    fingerprint_exclude: list[str] = []
    shadowed: dict[str, msgspec.Raw] = {}


_OWN = msgspec.json.Decoder(_Own)
_OWN_MEMBERS = tuple(name for name in _Own.__struct_encode_fields__ if name != "logEntryId")
# An entry's members of these names, however the API spells the names. Nothing else is decoded.
_Shadowed = msgspec.defstruct("_Shadowed", [(name, msgspec.Raw, b"") for name in _OWN_MEMBERS])
_SHADOWED = msgspec.json.Decoder(_Shadowed)
_NONE_SHADOWED = _Shadowed()
_FIRST_OWN = b',"change":'
_NONE: frozenset[str] = frozenset()


def _without_own_names(text: bytes) -> bytes:
    """An entry's JSON with those of its members in ``shadowed`` that a row names its own so."""
    members = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    shadowed = {name: members.pop(name) for name in _OWN_MEMBERS if name in members}
    return exact_json.dump(members | {"shadowed": shadowed})


def _decoded(line: bytes) -> Row:
    own = _OWN.decode(line)
    if _FIRST_OWN not in line:
        # Somebody wrote it anew, with blanks.
        line = exact_json.on_one_line(line)
    # Nothing behind the last such name has it as a name again.
    text = line[: line.rindex(_FIRST_OWN)] + b"}"
    if own.shadowed:
        members = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
        del members["shadowed"]
        text = exact_json.dump(members | own.shadowed)
    return Row(
        own.log_entry_id,
        text,
        own.change,
        own.fingerprint,
        own.tenant_id,
        _instant(own.exported_at),
        frozenset(own.fingerprint_exclude) if own.fingerprint_exclude else _NONE,
    )


_instant = lru_cache(maxsize=8)(parse_instant)
"""All rows of an object were stored at one instant."""


def quarantine(tenant_id: str, faulty: FaultyEntry) -> tuple[str, bytes]:
    """The key and the bytes of a faulty record's object. Equal records have one key.

    The first line states the fault. The record's own bytes follow unchanged.
    """
    digest = hashlib.sha256(faulty.source).hexdigest()
    reason = exact_json.dump({"tenantId": tenant_id, "fault": faulty.fault, "sha256": digest})
    return f"quarantine/{digest}", reason + b"\n" + faulty.source


def quarantined_faults(tenant_id: str, faulty: Sequence[FaultyEntry]) -> dict[str, str]:
    """The faults of the first quarantined records, by lake key."""
    return {quarantine(tenant_id, one)[0]: one.fault for one in faulty[:MAX_NAMED_FAULTS]}
