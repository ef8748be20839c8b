"""Rows: the lines of a lake object. Encoding is pure: equal rows give equal bytes."""

import gzip
import hashlib
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

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


def encode(rows: Iterable[Row]) -> bytes:
    """Gzipped JSON lines. Each line has the entry's members, then the row's own.

    If an entry has a member with the name of one of the row's own, ``shadowed`` holds the entry's.
    """
    lines = (exact_json.dump(_line(row)) + "\n" for row in rows)
    return gzip.compress("".join(lines).encode("ascii"), compresslevel=6, mtime=0)


def decode(stored: bytes) -> list[Row]:
    """The rows of a lake object, in their stored order.

    Raises ``ValueError`` for bytes that ``encode`` did not write.
    """
    if not stored:
        raise ValueError("no bytes at all")
    try:
        return [_row(exact_json.load(line)) for line in gzip.decompress(stored).splitlines()]
    except (OSError, EOFError, zlib.error, KeyError, TypeError, AttributeError) as error:
        raise ValueError("not gzipped JSON lines of rows") from error


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
