"""Made-up entries, listings and pages."""

from datetime import UTC, datetime, timedelta
from typing import Any

import simplejson

from cpd_exporter.model import exact_json as json_text
from cpd_exporter.model.entry import Entry, read_entry
from cpd_exporter.model.message import PageMessage
from cpd_exporter.model.page import Page
from cpd_exporter.model.row import Change, Row, RowWriter, StoredRows
from cpd_exporter.model.window import Window
from tests.support.fakes import FakeQueue

START = datetime(2026, 3, 1, 12, tzinfo=UTC)
TENANT = "eu-west-2_AbcdEfghI"


def content(**changes: Any) -> dict[str, Any]:
    """A documented entry, dated a second after ``START``."""
    return {
        "logEntryId": "6610a1b2c3d4e5f601234567",
        "userId": "5500a1b2c3d4e5f601234567",
        "activity": {"type": "article", "name": "Führung auf Distanz"},
        "category": {"categoryId": "cat-1", "name": "Clinical"},
        "entryDate": "2026-03-01T12:00:01.250Z",
        "durationMinutes": 45,
        "description": "confidential reflection",
        "isVerified": False,
    } | changes


def text(**changes: Any) -> str:
    return simplejson.dumps(content(**changes))


def entry(**changes: Any) -> Entry:
    read = read_entry(text(**changes).encode())
    assert isinstance(read, Entry)
    return read


def row_for(
    entry: Entry,
    change: Change = Change.CREATED,
    *,
    exported_at: datetime,
    fingerprint_exclude: frozenset[str] = frozenset(),
) -> Row:
    """The row of an entry, as it is stored."""
    writer = RowWriter(TENANT, exported_at, fingerprint_exclude)
    return StoredRows([writer.write(entry, change)])[0]


def content_of(kept: Entry | Row) -> dict[str, Any]:
    """The members of an entry."""
    read: dict[str, Any] = json_text.load(kept.text)
    return read


def numbered(number: int, at: datetime | None = None) -> str:
    """An entry's JSON by number, dated ``at``, or so many seconds after ``START``."""
    date = at or START + timedelta(seconds=number)
    return text(logEntryId=f"{number:024x}", entryDate=date.isoformat().replace("+00:00", "Z"))


def listing(*records: str, total: object = None, per_page: object = 1000) -> bytes:
    """The body of a response; ``total`` is right unless given."""
    shown = len(records) if total is None else total
    pagination = simplejson.dumps(
        {"totalResults": shown, "totalPages": 1, "page": 1, "perPage": per_page}
    )
    return f'{{"pagination": {pagination}, "results": [{", ".join(records)}]}}'.encode()


def window(seconds: int = 3600, *, start: datetime = START) -> Window:
    return Window(start, start + timedelta(seconds=seconds))


def page(seconds: int = 3600, *, start: datetime = START, **changes: Any) -> Page:
    settings: dict[str, Any] = {
        "generation": 1,
        "timeline_id": "e" * 16,
        "revision": "r1",
    } | changes
    return Page(window(seconds, start=start), **settings)


def works(queue: FakeQueue) -> list[PageMessage]:
    """What waits in a queue that holds nothing but pages and sweeps."""
    named = [message for message in queue.messages if isinstance(message, PageMessage)]
    assert len(named) == len(queue.messages)
    return named
