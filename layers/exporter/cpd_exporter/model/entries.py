"""CPD log entries as the API gives them, and those that cannot be understood."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from cpd_exporter.errors import MalformedResponseError
from cpd_exporter.model import json_text
from cpd_exporter.model.instants import parse_instant

DEEPEST = 100
"""Levels of a record's lists and objects. Writing and many a reader's JSON give up on too many."""

Text = Annotated[str, StringConstraints(strict=True)]
Identifier = Annotated[str, StringConstraints(strict=True, min_length=1, max_length=256)]


class _Documented(BaseModel):
    """Documented members are checked strictly; what else there is, is none of our business."""

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
    """One entry that can be exported. ``content`` is all that the API said, unknown members too."""

    id: str
    date: datetime
    content: dict[str, Any]
    fingerprint: str


@dataclass(frozen=True, slots=True)
class FaultyEntry:
    """A record of a listing that is no valid entry: kept as it came, with the reason.

    ``id`` and ``date`` are given where they at least could be read.
    """

    source: bytes
    fault: str
    id: str | None
    date: datetime | None


@dataclass(frozen=True, slots=True)
class Listing:
    """One response to a query: the records in the order they came in, and what it says of itself.

    ``per_page`` is the page size that the answer names, which may be less than was asked for.
    ``served_at`` is the server's clock, where it sent one.
    """

    records: tuple[Entry | FaultyEntry, ...]
    total: int
    per_page: int
    served_at: datetime | None = None


def fingerprint(content: dict[str, Any], volatile: frozenset[str] = frozenset()) -> str:
    """The hash of an entry's canonical JSON: one ID and one fingerprint are one version.

    ``volatile`` members are left out of it: that they change makes no new version.
    """
    lasting = {name: value for name, value in content.items() if name not in volatile}
    return hashlib.sha256(json_text.canonical(lasting)).hexdigest()


def read_entry(
    content: Any, source: str, volatile: frozenset[str] = frozenset()
) -> Entry | FaultyEntry:
    """Judge one record. ``source`` is its text in the response, kept if the record is faulty."""
    try:
        documented = _DocumentedEntry.model_validate(content)
        if json_text.nests_deeper(content, DEEPEST):
            raise RecursionError
        date = parse_instant(documented.entryDate)
        version = fingerprint(content, volatile)
        json_text.dump(content)  # volatile members, too, must be such as JSON can hold
        source.encode()  # bytes that were not UTF-8 arrive as lone surrogates
    except ValidationError as error:
        fault = "; ".join(
            f"{'.'.join(map(str, fault['loc'])) or 'the record'}: {fault['msg']}"
            for fault in error.errors(include_url=False, include_context=False, include_input=False)
        )
    except RecursionError:
        fault = f"the record: nested more than {DEEPEST} deep"
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
    body: bytes, served_at: datetime | None = None, volatile: frozenset[str] = frozenset()
) -> Listing:
    """Read the body of a query's response.

    One faulty record never harms its neighbours; a body that is no listing at all raises
    ``MalformedResponseError``.
    """
    try:
        text = body.decode("utf-8", "surrogateescape").removeprefix("\N{BYTE ORDER MARK}")
        others, records = json_text.load_with_sources(text, "results")
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
        tuple(read_entry(content, source, volatile) for content, source in records),
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
