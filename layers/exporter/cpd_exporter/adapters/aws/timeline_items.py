"""The timeline's items: their sort keys, and a codec for each type of record."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from cpd_exporter.adapters.aws.codec import (
    COUNTS,
    FLAG,
    INSTANT,
    NAMES,
    NUMBER,
    NUMBER_BUT_ZERO,
    TEXT,
    TEXTS,
    Codec,
    ValueType,
    text_of,
)
from cpd_exporter.adapters.aws.dynamodb import Item
from cpd_exporter.model.breaker import Breaker, DayCount
from cpd_exporter.model.garbage import IndexGarbage
from cpd_exporter.model.job import EndedJob, Job, JobKind, JobOutcome, LookUp
from cpd_exporter.model.page import MissingEntry, Page, PageFlag, PageState, WorkKind
from cpd_exporter.model.reconciliation import Reconciliation, ReconciliationStep
from cpd_exporter.model.refusal import Refusal
from cpd_exporter.model.sweep_request import SweepRequest
from cpd_exporter.model.timestamps import parse_instant
from cpd_exporter.model.watermark import FilterWarning, FollowUpSweep, FullSweep, Tick, Watermark
from cpd_exporter.model.window import Window

WATERMARK_KEY = "WATERMARK"
BREAKER_KEY = "BREAKER"


def page_key(start: datetime, kind: WorkKind = WorkKind.PAGE) -> str:
    return f"{kind.upper()}#{text_of(start)}"


def key_of(page: Page) -> str:
    return page_key(page.window.start, page.kind)


def sweep_request_bound(at: datetime) -> str:
    """The key that sorts just before the request for that instant, and after all earlier ones."""
    # Entries have instants with fractions, which sort as text only if all have as many digits.
    return f"SWEEPREQUEST#{at.astimezone(UTC).isoformat(timespec='microseconds')}"


def sweep_request_key(at: datetime) -> str:
    return f"{sweep_request_bound(at)}#"


def job_key(name: str) -> str:
    return f"JOB#{name}"


def ended_key(name: str) -> str:
    return f"ENDED#{name}"


def garbage_key(noted_at: datetime, name: str = "") -> str:
    # Without a name: the key that sorts just before all notes of that instant and later.
    return f"GARBAGE#{noted_at.astimezone(UTC).isoformat(timespec='microseconds')}#{name}"


def flag_key(flag: PageFlag, start: str) -> str:
    """A flagged page's value in the index ``undone``, after those of all undone pages."""
    return f"{flag}#{start}"


def refusal_key(refusal: Refusal) -> str:
    """One item a row: two versions of an entry lie in two objects."""
    # A key holds 1024 bytes, and only the characters of an ID are bounded.
    digest = hashlib.sha256(f"{refusal.object}\n{refusal.entry_id}".encode()).hexdigest()
    return f"REFUSED#{text_of(refusal.window.start)}#{digest}"


class _PageCodec(Codec[Page]):
    """A page's kind is in its sort key alone. The index ``undone`` holds the pages that have that
    attribute: the undone ones by their start, then the flagged ones.
    """

    def encode(self, record: Page) -> Item:
        attributes = super().encode(record)
        if record.kind is WorkKind.PAGE and record.state is not PageState.DONE:
            attributes["undone"] = attributes["start"]
        elif record.kind is WorkKind.PAGE and record.flag is not None:
            attributes["undone"] = flag_key(record.flag, attributes["start"])
        return attributes

    def decode(self, item: Item, **others: Any) -> Page:
        return super().decode(item, kind=WorkKind(item["sk"].partition("#")[0].lower()), **others)


def _encode_missing(missing: Mapping[str, MissingEntry]) -> dict[str, list[str]] | None:
    """Group the IDs by ``since``, and what else is known after a ``/``, in this order: ``heldAt``,
    ``present`` or ``gone``, ``movedTo``, ``failedAt``. An outage lets a whole page go missing at
    once, and an item holds no more than 400 KB.
    """
    by_since: dict[str, list[str]] = {}
    for entry_id, entry in missing.items():
        known = (
            text_of(entry.since),
            text_of(entry.held_at) if entry.held_at else "",
            "gone" if entry.is_gone else "present" if entry.is_present else "",
            text_of(entry.moved_to) if entry.moved_to else "",
            text_of(entry.failed_at) if entry.failed_at else "",
        )
        by_since.setdefault("/".join(known).rstrip("/"), []).append(entry_id)
    return by_since or None


def _decode_missing(by_since: Mapping[str, Sequence[str]]) -> dict[str, MissingEntry]:
    return {
        entry_id: missing
        for known, entry_ids in by_since.items()
        for missing in [_missing_entry(*known.split("/"))]
        for entry_id in entry_ids
    }


def _missing_entry(
    since: str, held_at: str = "", answer: str = "", moved_to: str = "", failed_at: str = ""
) -> MissingEntry:
    return MissingEntry(
        parse_instant(since),
        held_at=parse_instant(held_at) if held_at else None,
        is_present=answer == "present",
        moved_to=parse_instant(moved_to) if moved_to else None,
        is_gone=answer == "gone",
        failed_at=parse_instant(failed_at) if failed_at else None,
    )


_LETTERS = {
    LookUp.REQUESTED: "r",
    LookUp.UNKNOWN: "u",
    LookUp.UNDATED: "d",
    LookUp.OUTSIDE: "o",
    LookUp.FAILED: "f",
}
_LOOK_UPS = {letter: found for found, letter in _LETTERS.items()}

_FOUND = ValueType(
    # One letter each: a refresh of 1,000 long IDs just fits an item.
    lambda found: "".join(_LETTERS[one] for one in found) or None,
    lambda stored: tuple(map(_LOOK_UPS.__getitem__, stored)),
)
_INSTANTS = ValueType(
    lambda instants: {name: text_of(instant) for name, instant in instants.items()},
    lambda stored: {name: parse_instant(instant) for name, instant in stored.items()},
)
_MISSING = ValueType(_encode_missing, _decode_missing)

_WINDOW = Codec(Window, start=INSTANT, end=INSTANT)
_TICK = Codec(Tick, at=INSTANT, error=TEXT)
_FULL_SWEEP = Codec(
    FullSweep,
    started_at=INSTANT,
    cursor=INSTANT,
    read_since=INSTANT,
    previous_at=INSTANT,
    origin=INSTANT,
    previous_origin=INSTANT,
)
_FOLLOW_UP = Codec(
    FollowUpSweep, start=INSTANT, end=INSTANT, ended_at=INSTANT, requested_at=INSTANT
)
_RECONCILIATION = Codec(
    Reconciliation,
    begun_at=INSTANT,
    through=INSTANT,
    cursor=INSTANT,
    step=ValueType(str, ReconciliationStep),
    least=NUMBER,
    most=NUMBER,
    found=NUMBER,
    sweeps=NUMBER,
    difference=NUMBER,
    differs_since=INSTANT,
)
_DAY_COUNT_CODEC = Codec(DayCount, day=TEXT, deletions=NUMBER)
_DAY_COUNT = ValueType(_DAY_COUNT_CODEC.encode, _DAY_COUNT_CODEC.decode)
_FILTER_WARNING = Codec(FilterWarning, at=INSTANT, message=TEXT, contradicts=FLAG)

WATERMARK = Codec(
    Watermark,
    timeline_id=TEXT,
    origin=INSTANT,
    planned_through=INSTANT,
    exported_from=INSTANT,
    exported_through=INSTANT,
    filter_checked_at=INSTANT,
    last_tick=ValueType(_TICK.encode, _TICK.decode),
    full_sweep=ValueType(_FULL_SWEEP.encode, _FULL_SWEEP.decode),
    follow_up=ValueType(_FOLLOW_UP.encode, _FOLLOW_UP.decode),
    reconciliation=ValueType(_RECONCILIATION.encode, _RECONCILIATION.decode),
    filter_time_zone=TEXT,
    filter_warning=ValueType(_FILTER_WARNING.encode, _FILTER_WARNING.decode),
    api_notice=TEXT,
)
PAGE = _PageCodec(
    Page,
    window=_WINDOW,
    generation=NUMBER,
    timeline_id=TEXT,
    revision=TEXT,
    state=ValueType(str, PageState),
    object=TEXT,
    entries=NUMBER,
    quarantined=NUMBER,
    attempts=NUMBER,
    error=TEXT,
    hole_since=INSTANT,
    sent_at=INSTANT,
    lease_until=INSTANT,
    updated_at=INSTANT,
    index_key=TEXT,
    reserved_by=TEXT,
    stored_at=INSTANT,
    missing=_MISSING,
    deletions_counted=_DAY_COUNT,
    counted=NUMBER,
    read_at=INSTANT,
    published=NUMBER_BUT_ZERO,
    reading_key=TEXT,
    reading_since=INSTANT,
    planned_at=INSTANT,
    faults=TEXTS,
)
SWEEP_REQUEST = Codec(SweepRequest, at=INSTANT, requested_at=INSTANT)
JOB = Codec(
    Job,
    name=TEXT,
    kind=ValueType(str, JobKind),
    start=INSTANT,
    end=INSTANT,
    cursor=INSTANT,
    requested_at=INSTANT,
    revision=TEXT,
    queue_arn=TEXT,
    sent_at=INSTANT,
    lease_until=INSTANT,
    attempts=NUMBER,
    error=TEXT,
    entry_ids=NAMES,
    position=NUMBER_BUT_ZERO,
    after=ValueType(lambda place: place or None, str),
    attributes=TEXTS,
    found=_FOUND,
    counts=COUNTS,
)
ENDED_JOB = Codec(
    EndedJob,
    name=TEXT,
    kind=ValueType(str, JobKind),
    start=INSTANT,
    end=INSTANT,
    requested_at=INSTANT,
    ended_at=INSTANT,
    outcome=ValueType(str, JobOutcome),
    counts=COUNTS,
    report=TEXT,
    error=TEXT,
    entry_ids=NAMES,
    found=_FOUND,
)
BREAKER = Codec(
    Breaker,
    revision=TEXT,
    published=_DAY_COUNT,
    opened_at=INSTANT,
    confirmed_through=INSTANT,
)
INDEX_GARBAGE = Codec(IndexGarbage, name=TEXT, noted_at=INSTANT, starts=_INSTANTS)
REFUSAL = Codec(
    Refusal,
    window=_WINDOW,
    entry_id=TEXT,
    error=TEXT,
    since=INSTANT,
    object=TEXT,
    attempts=NUMBER,
    retry_at=INSTANT,
)
