"""Writes the contract of the events from the code: schemas and samples, under `events/`.

The code is the source, so a change of it that consumers can see shows as a change of these files.
`make contract` runs it. `make release-contract` keeps a copy of the schemas as the released
contract, which `make check` holds later ones to.
"""

import json
import shutil
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from cpd_exporter.model.entry import DocumentedEntry, Entry, read_entry
from cpd_exporter.model.event import (
    ATTRIBUTES,
    NAMESPACE,
    PING_TYPE,
    Event,
    entry_type,
    event_for,
    ping_for,
    reference_for,
    schema_of,
)
from cpd_exporter.model.page import Page, lake_key
from cpd_exporter.model.row import Change, Row, RowWriter, StoredRows
from cpd_exporter.model.timestamps import format_instant
from cpd_exporter.model.window import Window

EVENTS = Path(__file__).resolve().parent.parent / "events"
RELEASED = EVENTS / "released"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

type Schema = dict[str, Any]

_TENANT = "eu-west-2_AbcdEfghI"
_TOKEN = "0123456789abcdef"  # noqa: S105 - the form of the exporter's random names
STORED_AT = datetime(2026, 1, 31, 12, 0, 5, tzinfo=UTC)
_DIGEST = "^[0-9a-f]{64}$"
_MEMBERS = {
    "logEntryId": "The entry's unique ID.",
    "userId": "Who logged it, or for whom it was logged.",
    "entryDate": "When it was logged: RFC 3339, as the API gives it.",
    "durationMinutes": "Minutes logged.",
    "description": "The user's own reflection: personal data. Null if there is none.",
    "isVerified": "False if the user submitted it; true if it comes from verified activity.",
    "type": "An open list, such as file, article or video.",
    "categoryId": "Key on the ID: names are free text and not unique.",
}
_TIME = "[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?"
_ENTRY_DATE = f"^{_TIME}([Zz]|[+-][0-9]{{2}}:[0-9]{{2}})$"


def schemas() -> dict[str, Schema]:
    """The schemas by file name: of each type, the event and its data, and of the attributes.

    Each file is complete, so that any tool reads it without a way to find the others.
    """
    data: dict[str, tuple[Schema, Schema]] = {
        entry_type(change): (_entry_data(change), _entry_definitions()) for change in Change
    }
    data[PING_TYPE] = (_PING_DATA, {})
    written = {"attributes.json": _attributes()}
    for event_type, (schema, definitions) in data.items():
        parts: Schema = {"$defs": definitions} if definitions else {}
        head = {"$schema": DIALECT, "$id": schema_of(event_type)}
        written[f"{event_type}.data.json"] = head | schema | parts
        event = _event(event_type, has_subject=event_type != PING_TYPE)
        head["$id"] = schema_of(f"{event_type}.event")
        written[f"{event_type}.json"] = head | event | {"$defs": {"Data": schema, **definitions}}
    return written


def samples() -> dict[str, Event]:
    """An event of each type and, of a type that has one, the reference event, by file name."""
    window = Window(STORED_AT - timedelta(minutes=10), STORED_AT - timedelta(minutes=5))
    page = Page(window, generation=1, timeline_id=_TOKEN, revision=_TOKEN)
    key = lake_key(page)
    uri = f"s3://lake/{key}"
    made: dict[str, Event] = {}
    for change in Change:
        row = _sample_row(change)
        made[f"{entry_type(change)}.json"] = event_for(row, key, uri)
        made[f"{entry_type(change)}.reference.json"] = reference_for(row, key, uri)
    at = STORED_AT + timedelta(milliseconds=120)
    name = f"ping:{format_instant(at)}/{_TOKEN}"
    made[f"{PING_TYPE}.json"] = ping_for(_TENANT, name, at, {"change": "created"})
    return made


def files() -> dict[Path, str]:
    """What the contract's files hold, by path."""
    named = {EVENTS / "schemas" / name: schema for name, schema in schemas().items()}
    for name, event in samples().items():
        named[EVENTS / "samples" / name] = json.loads(event.body)
    return {
        path: json.dumps(value, indent=2, ensure_ascii=False) + "\n"
        for path, value in named.items()
    }


def _sample_row(change: Change) -> Row:
    content = {
        "logEntryId": "65f1c0ffee65f1c0ffee65f1",
        "userId": "65f0badcafe65f0badcafe65",
        "activity": {"type": "article", "name": "Leading at a distance"},
        "category": {"categoryId": "65f0decade65f0decade65f0", "name": "Leadership"},
        "entryDate": "2026-01-31T11:58:00.250Z",
        "durationMinutes": 30,
        "description": None,
        "isVerified": True,
    }
    entry = read_entry(json.dumps(content).encode())
    assert isinstance(entry, Entry)  # noqa: S101 - a sample is no faulty entry
    at = STORED_AT + timedelta(milliseconds=120, minutes=list(Change).index(change))
    return StoredRows([RowWriter(_TENANT, at).write(entry, change)])[0]


def _event(event_type: str, *, has_subject: bool) -> Schema:
    properties: Schema = {
        "specversion": {"const": "1.0"},
        "id": {"type": "string", "pattern": _DIGEST, "description": "Unique with `source`."},
        "source": {
            "type": "string",
            "pattern": f"^{NAMESPACE}:tenant:[A-Za-z0-9][A-Za-z0-9._-]{{0,127}}$",
            "description": "The tenant.",
        },
        "type": {"const": event_type},
        "dataschema": {"const": schema_of(event_type)},
        "time": {
            "type": "string",
            "format": "date-time",
            "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[.][0-9]{3}Z$",
            "description": "When the row was stored, which is later than the change itself.",
        },
        "sequence": {
            "type": "string",
            "pattern": "^[0-9]{13}-[0-9a-f]{16}$",
            "description": "Position among the events of one subject; sorts as text.",
        },
        "datacontenttype": {"const": "application/json"},
        "data": {"$ref": "#/$defs/Data"},
    }
    if has_subject:
        properties["subject"] = {
            "type": "string",
            "minLength": 1,
            "maxLength": 256,
            "description": "The entry's `logEntryId`.",
        }
    return {"title": "Event", "type": "object", "properties": properties} | {
        "required": list(properties)
    }


def _entry_data(change: Change) -> Schema:
    last = " Of a deletion, the last stored version." if change is Change.DELETED else ""
    return {
        "title": "Data",
        "type": "object",
        "properties": {
            "entry": {
                "$ref": "#/$defs/Entry",
                "description": f"The entry as the API gives it.{last} Absent if the event would be "
                "too large: read it at `lakeUri`.",
            },
            "fingerprint": {
                "type": "string",
                "pattern": _DIGEST,
                "description": "Names the version: one ID and one fingerprint are one content.",
            },
            "lakeUri": {
                "type": "string",
                "pattern": "^s3://.+/entries/.+[.]jsonl[.]gz$",
                "description": "The object that holds the row: JSON lines, one by `logEntryId`.",
            },
        },
        "required": ["fingerprint", "lakeUri"],
    }


_PING_DATA: Schema = {
    "title": "Data",
    "type": "object",
    "properties": {
        "requested": {
            "type": "string",
            "pattern": "^ping:.+$",
            "description": "The name of the ping, as its command was answered.",
        }
    },
    "required": ["requested"],
}


def _entry_definitions() -> dict[str, Schema]:
    """The documented members, as the code checks them. Others may be there, and pass through."""
    _, parts = msgspec.json.schema_components([DocumentedEntry], ref_template="#/$defs/{name}")
    parts["Entry"] = parts.pop("DocumentedEntry") | {"title": "Entry"}
    for part in parts.values():
        for name, schema in part["properties"].items():
            if name in _MEMBERS:
                schema["description"] = _MEMBERS[name]
    parts["Entry"]["properties"]["entryDate"]["pattern"] = _ENTRY_DATE
    return dict(sorted(parts.items()))


def _attributes() -> Schema:
    """The message attributes of an entry's event. SNS refuses some values of the other two."""
    fits: Schema = {"type": "string", "minLength": 1, "maxLength": 256}
    named: dict[str, Schema] = {
        "change": {"enum": [change.value for change in Change]},
        "activityType": fits | {"description": "`activity.type` of the entry."},
        "categoryId": fits | {"description": "`category.categoryId` of the entry."},
        "isVerified": {"enum": ["true", "false"]},
    }
    return {
        "$schema": DIALECT,
        "$id": schema_of("attributes"),
        "title": "Attributes",
        "type": "object",
        "properties": {name: named[name] for name in ATTRIBUTES},
        "required": ["change", "isVerified"],
    }


def main() -> None:
    """Write all files, and keep a copy as the released contract if asked to."""
    for folder in ("schemas", "samples"):
        shutil.rmtree(EVENTS / folder, ignore_errors=True)
        (EVENTS / folder).mkdir()
    for path, text in files().items():
        path.write_text(text, encoding="utf-8")
    if "--release" in sys.argv[1:]:
        for old in RELEASED.glob("*.json"):
            old.unlink()
        shutil.copytree(EVENTS / "schemas", RELEASED, dirs_exist_ok=True)


if __name__ == "__main__":
    main()
