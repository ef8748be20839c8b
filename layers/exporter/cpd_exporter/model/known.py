"""What the lake says of a page: for each entry its version, and the object with its last row.

It follows from the rows alone: what is known after a change is a function of what was known before
and of the rows that were stored.
"""

import gzip
import hashlib
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from cpd_exporter.model import json_text
from cpd_exporter.model.instants import format_timestamp, parse_instant
from cpd_exporter.model.rows import Change, Row


@dataclass(frozen=True, slots=True)
class KnownEntry:
    """An entry's last told version: its date, and where and when its row was stored."""

    date: datetime
    fingerprint: str
    object: str
    told_at: datetime


type Known = Mapping[str, KnownEntry]


def after(known: Known, rows: Iterable[Row], key: str) -> dict[str, KnownEntry]:
    """What is known once the rows of the object at ``key`` are stored."""
    changed = dict(known)
    for row in rows:
        if row.change is Change.DELETED:
            changed.pop(row.entry_id, None)
        else:
            changed[row.entry_id] = KnownEntry(
                date=parse_instant(row.content["entryDate"]),
                fingerprint=row.fingerprint,
                object=key,
                told_at=row.exported_at,
            )
    return changed


def encode(known: Known) -> bytes:
    """Gzipped JSON lines, by ID: equal knowledge gives equal bytes."""
    lines = (
        json_text.dump(
            {
                "logEntryId": entry_id,
                "entryDate": entry.date.isoformat(),
                "fingerprint": entry.fingerprint,
                "object": entry.object,
                "toldAt": format_timestamp(entry.told_at),
            }
        )
        for entry_id, entry in sorted(known.items())
    )
    return gzip.compress("".join(f"{line}\n" for line in lines).encode("ascii"), mtime=0)


def decode(stored: bytes) -> dict[str, KnownEntry]:
    """Read what ``encode`` wrote; raises ``ValueError`` for other bytes."""
    if not stored:
        raise ValueError("no bytes at all")
    try:
        entries = map(json_text.load, gzip.decompress(stored).splitlines())
        return {
            entry["logEntryId"]: KnownEntry(
                date=parse_instant(entry["entryDate"]),
                fingerprint=entry["fingerprint"],
                object=entry["object"],
                told_at=parse_instant(entry["toldAt"]),
            )
            for entry in entries
        }
    except (OSError, EOFError, zlib.error, KeyError, TypeError) as error:
        raise ValueError("not gzipped JSON lines of known entries") from error


def known_key(tenant_id: str, page_name: str, body: bytes) -> str:
    """Where it is kept: named by its content, so that two workers who know different things never
    meet at one key.
    """
    digest = hashlib.sha256(body).hexdigest()[:16]
    return f"known/tenant={tenant_id}/{page_name}_{digest}.jsonl.gz"
