"""Events in the format of CloudEvents 1.0. Each follows from a stored row and its place alone."""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache

import msgspec

from cpd_exporter.model import exact_json
from cpd_exporter.model.row import Change, Row
from cpd_exporter.model.timestamps import format_timestamp

# SNS allows these characters in a message attribute. An event leaves out any other value.
_ATTRIBUTE = re.compile(r"[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]+")
MAX_ATTRIBUTE_CHARACTERS = 256

NAMESPACE = "urn:cpd-exporter"
"""Begins ``source`` and ``dataschema``. A URL would name a host, and the project has none."""

TYPE_PREFIX = "cpd"
"""Begins each type. The project owns no domain to reverse, and ``cpd`` is no top-level domain: no
owner of a domain can mean another event by the same name.
"""

PING_TYPE = f"{TYPE_PREFIX}.exporter.ping"

ATTRIBUTES = ("change", "activityType", "categoryId", "isVerified")
"""The names of the message attributes."""

DATA_VERSION = 1
"""The version of the events' data. A change that breaks consumers makes it a new one."""

SEQUENCE_ID_DIGITS = 16

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Event(msgspec.Struct, frozen=True, gc=False):
    """One notification. Subscribers receive ``body`` and filter by ``attributes``.

    A ping is of no entry: its ``entry_id`` is empty.
    """

    id: str
    entry_id: str
    body: str
    attributes: dict[str, str]


def event_for(row: Row, key: str, uri: str) -> Event:
    """The event of a row. Equal rows at one key have equal events; two rows never share an ID."""
    return _event(row, key, uri, b'"entry":%b,' % row.text)


def reference_for(row: Row, key: str, uri: str) -> Event:
    """The reference event of a row whose event the topic refuses: subscribers read the lake."""
    return _event(row, key, uri, b"")


def ping_for(
    tenant_id: str, name: str, requested_at: datetime, attributes: Mapping[str, str]
) -> Event:
    """The ping of a command, by the name that the command's answer gave: it names no entry.

    ``attributes`` are those of an event that the subscriber's filter is to be tried with.
    """
    event_id = hashlib.sha256(name.encode()).hexdigest()
    body = {
        "specversion": "1.0",
        "id": event_id,
        "source": source_of(tenant_id),
        "type": PING_TYPE,
        "dataschema": schema_of(PING_TYPE),
        "time": format_timestamp(requested_at),
        "sequence": sequence_of(requested_at, event_id),
        "datacontenttype": "application/json",
        "data": {"requested": name},
    }
    return Event(event_id, "", exact_json.dump(body).decode(), dict(attributes))


def entry_type(change: Change) -> str:
    """The ``type`` of an entry's events."""
    return f"{TYPE_PREFIX}.entry.{change}"


def source_of(tenant_id: str) -> str:
    """The ``source`` of a tenant's events: an absolute URI that names no host and no stack.

    It stays the same in another account or region, and with another address of the API.
    """
    return f"{NAMESPACE}:tenant:{tenant_id}"


def schema_of(event_type: str) -> str:
    """The ``dataschema`` of a type: the ``$id`` of a schema in ``events/schemas``."""
    return f"{NAMESPACE}:schema:{event_type}:{DATA_VERSION}"


def sequence_of(instant: datetime, event_id: str) -> str:
    """The position of an event among those of its entry; the earlier of two sorts first as text.

    One page lineage stores no two rows of an entry within a millisecond. Two pages may, and then
    the ID decides, for everybody alike.
    """
    return f"{_milliseconds(instant)}-{event_id[:SEQUENCE_ID_DIGITS]}"


def _event(row: Row, key: str, uri: str, entry: bytes) -> Event:
    event_id = hashlib.sha256(f"{key}\n{row.entry_id}".encode()).hexdigest()
    # The entry goes out as the bytes that the API sent.
    body = (
        b'{"specversion":"1.0","id":"%b",%b,"subject":%b,"time":"%b","sequence":"%b",'
        b'"datacontenttype":"application/json","data":{%b"fingerprint":"%b","lakeUri":%b}}'
        % (
            event_id.encode(),
            _constant(row.tenant_id, row.change),
            exact_json.dump(row.entry_id),
            _time(row.exported_at),
            sequence_of(row.exported_at, event_id).encode(),
            entry,
            row.fingerprint.encode(),
            _json(uri),
        )
    )
    return Event(event_id, row.entry_id, body.decode(), _attributes(row))


@lru_cache(maxsize=8)
def _constant(tenant_id: str, change: Change) -> bytes:
    """The members that all events of one change have alike."""
    event_type = entry_type(change)
    members = {
        "source": source_of(tenant_id),
        "type": event_type,
        "dataschema": schema_of(event_type),
    }
    return exact_json.dump(members)[1:-1]


# All events of an object have these alike.
_json = lru_cache(maxsize=8)(exact_json.dump)
_time = lru_cache(maxsize=8)(lambda instant: format_timestamp(instant).encode())
_milliseconds = lru_cache(maxsize=8)(lambda instant: f"{(instant - _EPOCH) // _MILLISECOND:013}")


def _attributes(row: Row) -> dict[str, str]:
    entry = row.documented()
    values = (
        row.change.value,
        entry.activity.type,
        entry.category.category_id,
        "true" if entry.is_verified else "false",
    )
    named = zip(ATTRIBUTES, values, strict=True)
    return {name: value for name, value in named if is_attribute(value)}


def is_attribute(value: str) -> bool:
    """Whether SNS takes the value in a message attribute."""
    return len(value) <= MAX_ATTRIBUTE_CHARACTERS and _fits(value)


@lru_cache(maxsize=1024)  # types and categories are few
def _fits(value: str) -> bool:
    return _ATTRIBUTE.fullmatch(value) is not None
