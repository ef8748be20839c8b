"""CPD log entries as the API sends them, and records that are no valid entry."""

import codecs
import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import msgspec

from cpd_exporter.errors import MalformedResponseError
from cpd_exporter.model import exact_json
from cpd_exporter.model.timestamps import parse_instant
from cpd_exporter.model.window import Window

MAX_DEPTH = 100
"""Levels of a record's lists and objects. Many JSON libraries fail on deeper ones."""

Identifier = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


# Members are declared in the order of canonical JSON, so that writing one gives canonical JSON.
class Activity(msgspec.Struct, gc=False):
    """What the user did."""

    name: str
    type: str


class Category(msgspec.Struct, rename="camel", gc=False):
    """What it counts towards."""

    category_id: Identifier
    name: str


class DocumentedEntry(msgspec.Struct, rename="camel", gc=False):
    """The documented members of an entry, each of exactly its documented type."""

    activity: Activity
    category: Category
    description: str | None
    duration_minutes: int
    entry_date: str
    is_verified: bool
    log_entry_id: Identifier
    user_id: Identifier


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One valid entry. ``text`` is its JSON as the API sent it, compact and on one line.

    It holds undocumented members too, unless ``is_documented``. A hundred thousand such entries fit
    a worker's memory.
    """

    id: str
    date: datetime
    text: bytes
    fingerprint: str
    is_documented: bool = False


@dataclass(frozen=True, slots=True)
class FaultyEntry:
    """A record that is no valid entry: its bytes as the API sent them, and its fault.

    ``id`` and ``date`` are set if the record has readable ones.
    """

    source: bytes
    fault: str
    id: str | None
    date: datetime | None


type Found = Entry | FaultyEntry | None
"""What the API has at an ID; ``None``: it answers that there is none."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One response to a query: the records in the API's order, and its pagination.

    ``per_page`` is the size of an offset page by the response, perhaps less than requested.
    ``served_at`` is the server's clock, if the server sent it. ``span`` holds all instants that the
    query's bounds may mean to the API, where that is more than the window that was asked for.
    """

    records: tuple[Entry | FaultyEntry, ...]
    total: int
    per_page: int
    served_at: datetime | None = None
    span: Window | None = None


def fingerprint(text: bytes, fingerprint_exclude: frozenset[str] = frozenset()) -> str:
    """The hash of an entry's canonical JSON: one ID and one fingerprint are one version.

    The hash ignores the members in ``fingerprint_exclude``: their change makes no new version.
    """
    return _digest(_canonical(exact_json.load(text), fingerprint_exclude))


def documented(text: bytes) -> DocumentedEntry:
    """The documented members in an entry's JSON. Raises ``ValueError`` for what is no entry."""
    return _DOCUMENTED.decode(text)


def read_entry(
    source: bytes, fingerprint_exclude: frozenset[str] = frozenset()
) -> Entry | FaultyEntry:
    """Check one record. A faulty record keeps ``source``, its bytes in the response."""
    text = exact_json.on_one_line(source)
    return _read(text, source, fingerprint_exclude, is_json=text is not source)


def read_listing(
    body: bytes,
    served_at: datetime | None = None,
    fingerprint_exclude: frozenset[str] = frozenset(),
) -> Listing:
    """Read the body of a query's response.

    A faulty record does no harm to its neighbours. A body that is no listing raises
    ``MalformedResponseError``.
    """
    body = body.removeprefix(codecs.BOM_UTF8)
    try:
        # To write all records on one line at once costs a third of doing it one by one.
        compact = exact_json.on_one_line(body)
        records, pagination = exact_json.elements(compact, "results", beside="pagination")
    except ValueError as error:
        raise MalformedResponseError(f"the API's listing is not the JSON it documents: {error}. "
                                     "Is the API URL right?") from None  # fmt: skip
    total = _count(pagination, "totalResults")
    per_page = _count(pagination, "perPage")
    if total is None or not per_page:
        raise MalformedResponseError(
            "the API's listing has no pagination with totalResults and perPage as numbers"
        )
    if compact is body:
        read = [read_entry(source, fingerprint_exclude) for source in records]
    else:
        read = [_read(text, text, fingerprint_exclude) for text in records]
        if any(isinstance(record, FaultyEntry) for record in read):
            # A faulty record keeps its bytes as they came.
            sources, _ = exact_json.elements(body, "results", beside="pagination")
            read = [read_entry(source, fingerprint_exclude) for source in sources]
    return Listing(tuple(read), total=total, per_page=per_page, served_at=served_at)


def read_single_entry(
    body: bytes, fingerprint_exclude: frozenset[str] = frozenset()
) -> Entry | FaultyEntry:
    """Read the body of a response that is one entry. A body that is no JSON raises
    ``MalformedResponseError``.
    """
    source = body.removeprefix(codecs.BOM_UTF8)
    record = read_entry(source, fingerprint_exclude)
    if isinstance(record, FaultyEntry) and exact_json.load_leniently(source) is None:
        raise MalformedResponseError(f"the API's entry is not JSON: {record.fault}")
    return record


def identity(record: Entry | FaultyEntry) -> str:
    """An entry's ID; a faulty record's own text, since its ID may be its fault."""
    return f"id:{record.id}" if isinstance(record, Entry) else f"source:{record.source!r}"


_DOCUMENTED = msgspec.json.Decoder(DocumentedEntry)


def _read(
    text: bytes, source: bytes, fingerprint_exclude: frozenset[str], *, is_json: bool = True
) -> Entry | FaultyEntry:
    """Check a record by its JSON on one line, or by what is no JSON."""
    entry = _read_documented(text) if is_json and not fingerprint_exclude else None
    try:
        return entry or _read_any(text, fingerprint_exclude)
    except ValueError as error:
        return _faulty(source, error)


def _read_documented(text: bytes) -> Entry | None:
    """Read a record with each documented member once and no other, as nearly all are.

    To look for all else that a record may hold takes twice the time.
    """
    try:
        entry = documented(text)
        date = parse_instant(entry.entry_date)
    except ValueError:
        return None
    canonical = exact_json.plain(entry)
    # No spelling of these members is shorter: any other member would make the text longer.
    if len(text) != len(canonical) and len(text) != len(exact_json.safe(canonical)):
        return None
    return Entry(entry.log_entry_id, date, text, _digest(canonical), is_documented=True)


def _read_any(text: bytes, fingerprint_exclude: frozenset[str]) -> Entry:
    """Read a record that may hold anything; raises ``ValueError`` if it is no valid entry."""
    whole, content = _decoded(text)
    entry = msgspec.convert(content, DocumentedEntry)
    date = _date(entry)
    if whole is not text and "\ufffd" in entry.log_entry_id:
        raise ValueError("logEntryId: half of a character")
    if exact_json.nests_deeper(whole, MAX_DEPTH):
        raise ValueError(f"the record: nested more than {MAX_DEPTH} deep")
    version = _canonical(content, fingerprint_exclude)
    return Entry(entry.log_entry_id, date, _without_repetition(whole, content), _digest(version))


def _decoded(text: bytes) -> tuple[bytes, Any]:
    """A record's JSON, with no half of a character in it, and its value."""
    try:
        return text, exact_json.load(text)
    except ValueError:
        # What is no JSON has its blanks still.
        whole = exact_json.on_one_line(exact_json.whole_characters(text))
    try:
        content = exact_json.load(whole)
    except ValueError as error:
        raise ValueError(f"the record: {error}") from None
    if exact_json.repeats_a_name(whole):
        raise ValueError("the record: names that only halves of characters tell apart")
    return whole, content


def _without_repetition(text: bytes, content: Any) -> bytes:
    """A record's JSON. Of two members of one name, it keeps the last.

    Most records are spelt as they would be written anew. No name is repeated then, which is dear to
    find out otherwise.
    """
    anew = exact_json.dump(content)
    return anew if text != anew and exact_json.repeats_a_name(text) else text


def _date(entry: DocumentedEntry) -> datetime:
    try:
        return parse_instant(entry.entry_date)
    except ValueError as error:
        raise ValueError(f"entryDate: {error}") from None


def _canonical(content: dict[str, Any], fingerprint_exclude: frozenset[str]) -> bytes:
    return exact_json.canonical(
        {name: one for name, one in content.items() if name not in fingerprint_exclude}
    )


def _digest(canonical: bytes) -> str:
    return hashlib.sha256(canonical).hexdigest()


_PLACE = re.compile(r"(?P<fault>.*) - at `\$\.(?P<member>.*)`")


def _faulty(source: bytes, error: ValueError) -> FaultyEntry:
    fault = str(error)
    if isinstance(error, msgspec.ValidationError):
        place = _PLACE.fullmatch(fault)
        fault = f"{place['member']}: {place['fault']}" if place else f"the record: {fault}"
    content = exact_json.load_leniently(source)
    return FaultyEntry(
        source=source,
        fault=fault,
        id=_readable(content, "logEntryId"),
        date=_readable_date(content),
    )


def _count(pagination: Any, name: str) -> int | None:
    value = pagination.get(name) if isinstance(pagination, dict) else None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        return None
    return value


_HALF = re.compile("[\ud800-\udfff]")


def _readable(content: Any, name: str) -> str | None:
    value = content.get(name) if isinstance(content, dict) else None
    if not isinstance(value, str) or not value:
        return None
    # UTF-8 holds no half of a character, so nothing could keep such a value.
    return None if _HALF.search(value) else value


def _readable_date(content: Any) -> datetime | None:
    try:
        return parse_instant(_readable(content, "entryDate") or "")
    except ValueError:
        return None
