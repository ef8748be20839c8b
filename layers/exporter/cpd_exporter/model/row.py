"""Rows: the lines of a lake object. Encoding is pure: equal rows give equal bytes."""

import gzip
import hashlib
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from io import BytesIO
from typing import Any, Self, overload

from cpd_exporter.model import exact_json
from cpd_exporter.model.entry import Entry, FaultyEntry
from cpd_exporter.model.timestamps import format_timestamp, parse_instant

SCHEMA_VERSION = 1
_OWN_MEMBERS = (
    "change",
    "fingerprint",
    "tenantId",
    "exportedAt",
    "schemaVersion",
    "shadowed",
    "fingerprintExclude",
)


class Change(StrEnum):
    """What happened to the row's entry."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Row:
    """One version of an entry, and the change that led to it.

    ``fingerprint_exclude`` names the members that the fingerprint ignores: it makes the row
    verifiable, whatever the setting is later.
    """

    content: dict[str, Any]
    change: Change
    fingerprint: str
    tenant_id: str
    exported_at: datetime
    fingerprint_exclude: frozenset[str] = frozenset()

    @property
    def entry_id(self) -> str:
        return str(self.content["logEntryId"])


def created(
    entry: Entry,
    *,
    tenant_id: str,
    exported_at: datetime,
    fingerprint_exclude: frozenset[str] = frozenset(),
) -> Row:
    """The first row of an entry."""
    return Row(
        entry.content,
        Change.CREATED,
        entry.fingerprint,
        tenant_id,
        exported_at,
        fingerprint_exclude,
    )


class StoredRows(Sequence[Row]):
    """Rows as the lines of a lake object, decoded one at a time.

    A hundred thousand decoded rows would not fit a worker's memory.
    """

    def __init__(self, lines: Iterable[bytes] = ()) -> None:
        self.lines = list(lines)

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Self:
        """Encode rows that are not stored yet."""
        return cls(map(_encoded, rows))

    def append(self, row: Row) -> None:
        """Add a row at the end."""
        self.lines.append(_encoded(row))

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
    """The rows of one object by entry, decoded one at a time.

    Raises ``KeyError`` for a row without an entry's ID.
    """

    def __init__(self, rows: StoredRows) -> None:
        self._lines = {_decoded(line).entry_id: line for line in rows.lines}

    def __len__(self) -> int:
        return len(self._lines)

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __getitem__(self, entry_id: str) -> Row:
        return _decoded(self._lines[entry_id])


def encode(rows: Iterable[Row]) -> bytes:
    """Gzipped JSON lines. Each line has the entry's members, then the row's own.

    If an entry has a member with the name of one of the row's own, ``shadowed`` holds the entry's.
    """
    packed = BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=6, mtime=0) as lines:
        for row in rows:
            lines.write(_encoded(row) + b"\n")
    return packed.getvalue()


def decode(stored: bytes) -> StoredRows:
    """The rows of a lake object, in their stored order.

    Raises ``ValueError`` for bytes that ``encode`` did not write.
    """
    if not stored:
        raise ValueError("no bytes at all")
    try:
        with gzip.open(BytesIO(stored)) as lines:
            rows = StoredRows(line.rstrip(b"\n") for line in lines)
        for _ in rows:
            pass  # each line is a row
    except (OSError, EOFError, zlib.error, KeyError, TypeError, AttributeError) as error:
        raise ValueError("not gzipped JSON lines of rows") from error
    return rows


def _encoded(row: Row) -> bytes:
    return exact_json.dump(_line(row)).encode("ascii")


def _decoded(line: bytes) -> Row:
    return _row(exact_json.load(line))


def _line(row: Row) -> dict[str, Any]:
    line = {name: value for name, value in row.content.items() if name not in _OWN_MEMBERS}
    line |= {
        "change": row.change.value,
        "fingerprint": row.fingerprint,
        "tenantId": row.tenant_id,
        "exportedAt": format_timestamp(row.exported_at),
        "schemaVersion": SCHEMA_VERSION,
    }
    if row.fingerprint_exclude:
        line["fingerprintExclude"] = sorted(row.fingerprint_exclude)
    if shadowed := {name: row.content[name] for name in _OWN_MEMBERS if name in row.content}:
        line["shadowed"] = shadowed
    return line


def _row(line: dict[str, Any]) -> Row:
    content = {name: value for name, value in line.items() if name not in _OWN_MEMBERS}
    return Row(
        content | line.get("shadowed", {}),
        Change(line["change"]),
        line["fingerprint"],
        line["tenantId"],
        parse_instant(line["exportedAt"]),
        frozenset(line.get("fingerprintExclude", ())),
    )


def quarantine(tenant_id: str, faulty: FaultyEntry) -> tuple[str, bytes]:
    """The key and the bytes of a faulty record's object. Equal records have one key.

    The first line states the fault. The record's own bytes follow unchanged.
    """
    digest = hashlib.sha256(faulty.source).hexdigest()
    reason = exact_json.dump({"tenantId": tenant_id, "fault": faulty.fault, "sha256": digest})
    return f"quarantine/tenant={tenant_id}/{digest}", f"{reason}\n".encode() + faulty.source
