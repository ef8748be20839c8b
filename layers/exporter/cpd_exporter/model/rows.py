"""Rows: the lines of a lake object. Encoding is pure: equal rows give equal bytes."""

import gzip
import hashlib
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from cpd_exporter.model import json_text
from cpd_exporter.model.entries import Entry, FaultyEntry
from cpd_exporter.model.instants import format_timestamp, parse_instant

SCHEMA_VERSION = 1
_OWN = ("change", "fingerprint", "tenantId", "exportedAt", "schemaVersion", "shadowed")


class Change(StrEnum):
    """What a row tells of its entry."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Row:
    """One version of an entry, and the change that it is."""

    content: dict[str, Any]
    change: Change
    fingerprint: str
    tenant_id: str
    exported_at: datetime

    @property
    def entry_id(self) -> str:
        return str(self.content["logEntryId"])


def created(entry: Entry, *, tenant_id: str, exported_at: datetime) -> Row:
    """The row of an entry that is seen for the first time."""
    return Row(entry.content, Change.CREATED, entry.fingerprint, tenant_id, exported_at)


def encode(rows: Iterable[Row]) -> bytes:
    """Gzipped JSON lines: each the entry's own members, then the row's.

    Where an entry has a member of the same name as one of the row's, it stands under ``shadowed``.
    """
    lines = (json_text.dump(_line(row)) + "\n" for row in rows)
    return gzip.compress("".join(lines).encode("ascii"), compresslevel=6, mtime=0)


def decode(stored: bytes) -> list[Row]:
    """The rows of a lake object, in the order in which they are stored.

    Raises ``ValueError`` for bytes that ``encode`` did not write.
    """
    if not stored:
        raise ValueError("no bytes at all")
    try:
        return [_row(json_text.load(line)) for line in gzip.decompress(stored).splitlines()]
    except (OSError, EOFError, zlib.error, KeyError, TypeError, AttributeError) as error:
        raise ValueError("not gzipped JSON lines of rows") from error


def _line(row: Row) -> dict[str, Any]:
    line = {name: value for name, value in row.content.items() if name not in _OWN}
    line |= {
        "change": row.change.value,
        "fingerprint": row.fingerprint,
        "tenantId": row.tenant_id,
        "exportedAt": format_timestamp(row.exported_at),
        "schemaVersion": SCHEMA_VERSION,
    }
    if shadowed := {name: row.content[name] for name in _OWN if name in row.content}:
        line["shadowed"] = shadowed
    return line


def _row(line: dict[str, Any]) -> Row:
    content = {name: value for name, value in line.items() if name not in _OWN}
    return Row(
        content | line.get("shadowed", {}),
        Change(line["change"]),
        line["fingerprint"],
        line["tenantId"],
        parse_instant(line["exportedAt"]),
    )


def quarantine(tenant_id: str, faulty: FaultyEntry) -> tuple[str, bytes]:
    """The key and the bytes under which a faulty record is kept: the same for the same record.

    The record's own bytes are the object's last line, verbatim, after one line that says why.
    """
    digest = hashlib.sha256(faulty.source).hexdigest()
    reason = json_text.dump({"tenantId": tenant_id, "fault": faulty.fault, "sha256": digest})
    return f"quarantine/tenant={tenant_id}/{digest}", f"{reason}\n".encode() + faulty.source
