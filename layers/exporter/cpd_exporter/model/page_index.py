"""Page indexes: the last published version of each entry of a page, and the object of its row.

An index follows from the stored rows alone: the old index and the new rows give the new index.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import msgspec

from cpd_exporter.model.compression import compress, decompress
from cpd_exporter.model.row import Change, Row
from cpd_exporter.model.timestamps import format_timestamp, parse_instant


@dataclass(frozen=True, slots=True)
class IndexEntry:
    """An entry's last published version: its date, and where and when its row was stored.

    If it ``is_tied``, another page stored another row of the entry at the same instant, so that no
    subscriber can tell which row is the latest.
    """

    date: datetime
    fingerprint: str
    object: str
    stored_at: datetime
    is_tied: bool = False


type PageIndex = Mapping[str, IndexEntry]


def updated(index: PageIndex, rows: Iterable[Row], key: str) -> dict[str, IndexEntry]:
    """The index after the rows of the object at ``key`` are stored."""
    changed = dict(index)
    for row in rows:
        if row.change is Change.DELETED:
            changed.pop(row.entry_id, None)
        else:
            changed[row.entry_id] = IndexEntry(
                date=parse_instant(row.documented().entry_date),
                fingerprint=row.fingerprint,
                object=key,
                stored_at=row.exported_at,
            )
    return changed


class _Line(msgspec.Struct, rename="camel", omit_defaults=True, gc=False):
    log_entry_id: str
    entry_date: str
    fingerprint: str
    object: str
    stored_at: str
    is_tied: bool = False


_LINES = msgspec.json.Decoder(_Line)


def encode(index: PageIndex) -> bytes:
    """Gzipped JSON lines in the order of the IDs. Equal indexes give equal bytes."""
    lines = (
        _Line(
            log_entry_id=entry_id,
            entry_date=entry.date.isoformat(),
            fingerprint=entry.fingerprint,
            object=entry.object,
            stored_at=_written(entry.stored_at),
            is_tied=entry.is_tied,
        )
        for entry_id, entry in sorted(index.items())
    )
    return compress(msgspec.json.Encoder().encode_lines(lines))


def decode(stored: bytes) -> dict[str, IndexEntry]:
    """Read what ``encode`` wrote; raises ``ValueError`` for other bytes."""
    return {
        line.log_entry_id: IndexEntry(
            date=parse_instant(line.entry_date),
            fingerprint=line.fingerprint,
            object=line.object,
            stored_at=_read(line.stored_at),
            is_tied=line.is_tied,
        )
        for line in _LINES.decode_lines(decompress(stored))
    }


# The rows of one object were stored at one instant.
_written = lru_cache(maxsize=8)(format_timestamp)
_read = lru_cache(maxsize=8)(parse_instant)


def index_object_key(page_name: str, revision: str, body: bytes) -> str:
    """The key of an index. It holds the page's random revision, so that no two attempts share a
    key, and an object that was removed is never named later.
    """
    digest = hashlib.sha256(body).hexdigest()[:16]
    return f"index/{page_name}_{revision}_{digest}.jsonl.gz"
