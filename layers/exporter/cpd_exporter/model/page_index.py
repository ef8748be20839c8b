"""Page indexes: the last published version of each entry of a page, and the object of its row.

An index follows from the stored rows alone: the old index and the new rows give the new index.
"""

import gzip
import hashlib
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from cpd_exporter.model import exact_json
from cpd_exporter.model.row import Change, Row
from cpd_exporter.model.timestamps import format_timestamp, parse_instant


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """An entry's last published version: its date, and where and when its row was stored."""

    date: datetime
    fingerprint: str
    object: str
    stored_at: datetime


type PageIndex = Mapping[str, IndexEntry]


def updated(index: PageIndex, rows: Iterable[Row], key: str) -> dict[str, IndexEntry]:
    """The index after the rows of the object at ``key`` are stored."""
    changed = dict(index)
    for row in rows:
        if row.change is Change.DELETED:
            changed.pop(row.entry_id, None)
        else:
            changed[row.entry_id] = IndexEntry(
                date=parse_instant(row.content["entryDate"]),
                fingerprint=row.fingerprint,
                object=key,
                stored_at=row.exported_at,
            )
    return changed


def encode(index: PageIndex) -> bytes:
    """Gzipped JSON lines in the order of the IDs. Equal indexes give equal bytes."""
    lines = (
        exact_json.dump(
            {
                "logEntryId": entry_id,
                "entryDate": entry.date.isoformat(),
                "fingerprint": entry.fingerprint,
                "object": entry.object,
                "storedAt": format_timestamp(entry.stored_at),
            }
        )
        for entry_id, entry in sorted(index.items())
    )
    return gzip.compress("".join(f"{line}\n" for line in lines).encode("ascii"), mtime=0)


def decode(stored: bytes) -> dict[str, IndexEntry]:
    """Read what ``encode`` wrote; raises ``ValueError`` for other bytes."""
    if not stored:
        raise ValueError("no bytes at all")
    try:
        entries = map(exact_json.load, gzip.decompress(stored).splitlines())
        return {
            entry["logEntryId"]: IndexEntry(
                date=parse_instant(entry["entryDate"]),
                fingerprint=entry["fingerprint"],
                object=entry["object"],
                stored_at=parse_instant(entry["storedAt"]),
            )
            for entry in entries
        }
    except (OSError, EOFError, zlib.error, KeyError, TypeError) as error:
        raise ValueError("not gzipped JSON lines of an index") from error


def index_object_key(tenant_id: str, page_name: str, revision: str, body: bytes) -> str:
    """The key of an index. It holds the page's random revision, so that no two attempts share a
    key, and an object that was removed is never named later.
    """
    digest = hashlib.sha256(body).hexdigest()[:16]
    return f"index/tenant={tenant_id}/{page_name}_{revision}_{digest}.jsonl.gz"
