"""The timeline's items: their sort keys, and a codec for each type of record.

An attribute has its field's name in camel case. A field that is ``None`` has no attribute, and an
absent attribute means the field's default.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic.alias_generators import to_camel

from cpd_exporter.adapters.aws.dynamodb import Item
from cpd_exporter.model.breaker import Breaker, DayCount
from cpd_exporter.model.garbage import IndexGarbage
from cpd_exporter.model.job import Job, JobKind
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


def text_of(instant: datetime) -> str:
    """RFC 3339 with every digit; instants on whole seconds sort as text."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


@dataclass(frozen=True, slots=True)
class _ValueType:
    """How a type of value is stored. ``encode`` returns ``None`` for a value to leave out."""

    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


class Codec[Record]:
    """Turns records of one type into the attributes of their items, and back.

    A field whose type is a codec adds that codec's attributes to the record's own.
    """

    def __init__(self, record: Callable[..., Record], **types: "_ValueType | Codec[Any]") -> None:
        self._record = record
        self._fields = [(name, to_camel(name), type_) for name, type_ in types.items()]

    def encode(self, record: Record) -> Item:
        attributes: Item = {}
        for name, attribute, type_ in self._fields:
            value = getattr(record, name)
            if isinstance(type_, Codec):
                attributes |= type_.encode(value)
            elif value is not None and (stored := type_.encode(value)) is not None:
                attributes[attribute] = stored
        return attributes

    def decode(self, item: Item, **others: Any) -> Record:
        """The record in an item. ``others`` are the fields that no attribute holds."""
        for name, attribute, type_ in self._fields:
            if isinstance(type_, Codec):
                others[name] = type_.decode(item)
            elif attribute in item:
                others[name] = type_.decode(item[attribute])
        return self._record(**others)


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
    """Group the IDs by the instants (``since``, or ``since/heldAt``): an outage lets a whole page
    go missing at once, and an item holds no more than 400 KB.
    """
    by_since: dict[str, list[str]] = {}
    for entry_id, entry in missing.items():
        held = "" if entry.held_at is None else f"/{text_of(entry.held_at)}"
        by_since.setdefault(f"{text_of(entry.since)}{held}", []).append(entry_id)
    return by_since or None


def _decode_missing(by_since: Mapping[str, Sequence[str]]) -> dict[str, MissingEntry]:
    return {
        entry_id: MissingEntry(parse_instant(since), parse_instant(held_at) if held_at else None)
        for since, _, held_at, entry_ids in (
            (*instants.partition("/"), entry_ids) for instants, entry_ids in by_since.items()
        )
        for entry_id in entry_ids
    }


_TEXT = _ValueType(str, str)
_NUMBER = _ValueType(int, int)
_NUMBER_BUT_ZERO = _ValueType(lambda number: number or None, int)
_FLAG = _ValueType(lambda flag: flag or None, bool)
_INSTANT = _ValueType(text_of, parse_instant)
_INSTANTS = _ValueType(
    lambda instants: {name: text_of(instant) for name, instant in instants.items()},
    lambda stored: {name: parse_instant(instant) for name, instant in stored.items()},
)
_MISSING = _ValueType(_encode_missing, _decode_missing)

_WINDOW = Codec(Window, start=_INSTANT, end=_INSTANT)
_TICK = Codec(Tick, at=_INSTANT, error=_TEXT)
_FULL_SWEEP = Codec(
    FullSweep, started_at=_INSTANT, cursor=_INSTANT, read_since=_INSTANT, previous_at=_INSTANT
)
_FOLLOW_UP = Codec(
    FollowUpSweep, start=_INSTANT, end=_INSTANT, ended_at=_INSTANT, requested_at=_INSTANT
)
_RECONCILIATION = Codec(
    Reconciliation,
    begun_at=_INSTANT,
    through=_INSTANT,
    cursor=_INSTANT,
    step=_ValueType(str, ReconciliationStep),
    least=_NUMBER,
    most=_NUMBER,
    found=_NUMBER,
    sweeps=_NUMBER,
    difference=_NUMBER,
    differs_since=_INSTANT,
)
_DAY_COUNT_CODEC = Codec(DayCount, day=_TEXT, deletions=_NUMBER)
_DAY_COUNT = _ValueType(_DAY_COUNT_CODEC.encode, _DAY_COUNT_CODEC.decode)
_FILTER_WARNING = Codec(FilterWarning, at=_INSTANT, message=_TEXT, contradicts=_FLAG)

WATERMARK = Codec(
    Watermark,
    timeline_id=_TEXT,
    origin=_INSTANT,
    planned_through=_INSTANT,
    exported_from=_INSTANT,
    exported_through=_INSTANT,
    filter_checked_at=_INSTANT,
    last_tick=_ValueType(_TICK.encode, _TICK.decode),
    full_sweep=_ValueType(_FULL_SWEEP.encode, _FULL_SWEEP.decode),
    follow_up=_ValueType(_FOLLOW_UP.encode, _FOLLOW_UP.decode),
    reconciliation=_ValueType(_RECONCILIATION.encode, _RECONCILIATION.decode),
    filter_time_zone=_TEXT,
    filter_warning=_ValueType(_FILTER_WARNING.encode, _FILTER_WARNING.decode),
    api_notice=_TEXT,
)
PAGE = _PageCodec(
    Page,
    window=_WINDOW,
    generation=_NUMBER,
    timeline_id=_TEXT,
    revision=_TEXT,
    state=_ValueType(str, PageState),
    object=_TEXT,
    entries=_NUMBER,
    quarantined=_NUMBER,
    attempts=_NUMBER,
    error=_TEXT,
    hole_since=_INSTANT,
    sent_at=_INSTANT,
    lease_until=_INSTANT,
    updated_at=_INSTANT,
    index_key=_TEXT,
    reserved_by=_TEXT,
    stored_at=_INSTANT,
    missing=_MISSING,
    deletions_counted=_DAY_COUNT,
    counted=_NUMBER,
    read_at=_INSTANT,
    published=_NUMBER_BUT_ZERO,
    reading_key=_TEXT,
    reading_since=_INSTANT,
)
SWEEP_REQUEST = Codec(SweepRequest, at=_INSTANT, requested_at=_INSTANT)
JOB = Codec(
    Job,
    name=_TEXT,
    kind=_ValueType(str, JobKind),
    start=_INSTANT,
    end=_INSTANT,
    cursor=_INSTANT,
    requested_at=_INSTANT,
    revision=_TEXT,
    queue_arn=_TEXT,
    sent_at=_INSTANT,
    lease_until=_INSTANT,
    attempts=_NUMBER,
    error=_TEXT,
    entry_ids=_ValueType(lambda ids: list(ids) or None, tuple),
    position=_NUMBER_BUT_ZERO,
    after=_ValueType(lambda place: place or None, str),
    attributes=_ValueType(lambda attributes: dict(attributes) or None, dict),
)
BREAKER = Codec(
    Breaker,
    revision=_TEXT,
    published=_DAY_COUNT,
    opened_at=_INSTANT,
    confirmed_through=_INSTANT,
)
INDEX_GARBAGE = Codec(IndexGarbage, name=_TEXT, noted_at=_INSTANT, starts=_INSTANTS)
REFUSAL = Codec(
    Refusal,
    window=_WINDOW,
    entry_id=_TEXT,
    error=_TEXT,
    since=_INSTANT,
    object=_TEXT,
    attempts=_NUMBER,
    retry_at=_INSTANT,
)
