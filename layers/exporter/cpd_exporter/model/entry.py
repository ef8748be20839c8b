"""CPD log entries as the API sends them, and records that are no valid entry."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from cpd_exporter.errors import MalformedResponseError
from cpd_exporter.model import exact_json
from cpd_exporter.model.timestamps import parse_instant
from cpd_exporter.model.window import Window

MAX_DEPTH = 100
"""Levels of a record's lists and objects. Many JSON libraries fail on deeper ones."""

Text = Annotated[str, StringConstraints(strict=True)]
Identifier = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=256)]


class _Documented(BaseModel):
    """Checks documented members strictly and ignores all others."""

    model_config = ConfigDict(strict=True, extra="ignore", hide_input_in_errors=True)


class _Activity(_Documented):
    type: Text
    name: Text


class _Category(_Documented):
    categoryId: Identifier  # noqa: N815  # the API's own names
    name: Text


class _DocumentedEntry(_Documented):
    logEntryId: Identifier  # noqa: N815
    userId: Identifier  # noqa: N815
    activity: _Activity
    category: _Category
    entryDate: Text  # noqa: N815
    durationMinutes: int  # noqa: N815
    description: Text | None
    isVerified: bool  # noqa: N815


@dataclass(frozen=True, slots=True)
class Entry:
    """One valid entry. ``content`` holds all that the API sent, with undocumented members."""

    id: str
    date: datetime
    content: dict[str, Any]
    fingerprint: str


@dataclass(frozen=True, slots=True)
class FaultyEntry:
    """A record that is no valid entry: its bytes as the API sent them, and its fault.

    ``id`` and ``date`` are set if the record has readable ones.
    """

    source: bytes
    fault: str
    id: str | None
    date: datetime | None


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


def fingerprint(content: dict[str, Any], fingerprint_exclude: frozenset[str] = frozenset()) -> str:
    """The hash of an entry's canonical JSON: one ID and one fingerprint are one version.

    The hash ignores the members in ``fingerprint_exclude``: their change makes no new version.
    """
    hashed = {name: value for name, value in content.items() if name not in fingerprint_exclude}
    return hashlib.sha256(exact_json.canonical(hashed)).hexdigest()


def read_entry(
    content: Any, source: str, fingerprint_exclude: frozenset[str] = frozenset()
) -> Entry | FaultyEntry:
    """Check one record. A faulty record keeps ``source``, its text in the response."""
    try:
        documented = _DocumentedEntry.model_validate(content)
        if exact_json.nests_deeper(content, MAX_DEPTH):
            raise RecursionError
        date = parse_instant(documented.entryDate)
        version = fingerprint(content, fingerprint_exclude)
        exact_json.dump(content)  # JSON must be able to hold excluded members too
        source.encode()  # bytes that are not UTF-8 arrive as lone surrogates
    except ValidationError as error:
        fault = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'the record'}: {fault['msg']}"
            for fault in error.errors(include_url=False, include_context=False, include_input=False)
        )
    except RecursionError:
        fault = f"the record: nested more than {MAX_DEPTH} deep"
    except UnicodeEncodeError:
        fault = "the record: not UTF-8"
    except ValueError:
        fault = "entryDate: not an RFC 3339 date and time, or a number that JSON cannot hold"
    else:
        return Entry(documented.logEntryId, date, content, version)
    return FaultyEntry(
        source=source.encode("utf-8", "surrogateescape"),
        fault=fault,
        id=_readable(content, "logEntryId"),
        date=_readable_date(content),
    )


def read_listing(
    body: bytes,
    served_at: datetime | None = None,
    fingerprint_exclude: frozenset[str] = frozenset(),
) -> Listing:
    """Read the body of a query's response.

    A faulty record does no harm to its neighbours. A body that is no listing raises
    ``MalformedResponseError``.
    """
    try:
        text = body.decode("utf-8", "surrogateescape").removeprefix("\N{BYTE ORDER MARK}")
        others, records = exact_json.load_with_sources(text, "results")
    except ValueError as error:
        raise MalformedResponseError(f"the API's listing is not the JSON it documents: {error}. "
                                     "Is the API URL right?") from None  # fmt: skip
    pagination = others.get("pagination")
    total = _count(pagination, "totalResults")
    per_page = _count(pagination, "perPage")
    if total is None or not per_page:
        raise MalformedResponseError(
            "the API's listing has no pagination with totalResults and perPage as numbers"
        )
    return Listing(
        tuple(read_entry(content, source, fingerprint_exclude) for content, source in records),
        total=total,
        per_page=per_page,
        served_at=served_at,
    )


def _count(pagination: Any, name: str) -> int | None:
    value = pagination.get(name) if isinstance(pagination, dict) else None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        return None
    return value


def _readable(content: Any, name: str) -> str | None:
    value = content.get(name) if isinstance(content, dict) else None
    return value if isinstance(value, str) and value else None


def _readable_date(content: Any) -> datetime | None:
    try:
        return parse_instant(_readable(content, "entryDate") or "")
    except ValueError:
        return None
