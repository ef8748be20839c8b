"""Events: CloudEvents 1.0, each a pure function of a stored row and of where it is stored."""

import hashlib
import re
from dataclasses import dataclass
from typing import Any

from cpd_exporter.model import json_text
from cpd_exporter.model.instants import format_timestamp
from cpd_exporter.model.rows import Row

# What SNS allows in a message attribute; a value with anything else is left out.
_ATTRIBUTE = re.compile(r"[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]{1,256}")


@dataclass(frozen=True, slots=True)
class Event:
    """One notification: ``body`` is what subscribers get, ``attributes`` what they filter by."""

    id: str
    entry_id: str
    body: str
    attributes: dict[str, str]


def announce(row: Row, key: str, uri: str) -> Event:
    """The event of a row. Equal rows at one key give equal events; two rows never share an ID."""
    return _event(row, key, uri, {"entry": row.content})


def refer(row: Row, key: str, uri: str) -> Event:
    """The same event without the entry, for one that the topic refuses: read it in the lake."""
    return _event(row, key, uri, {})


def _event(row: Row, key: str, uri: str, entry: dict[str, Any]) -> Event:
    event_id = hashlib.sha256(f"{key}\n{row.entry_id}".encode("utf-8", "surrogatepass")).hexdigest()
    body = {
        "specversion": "1.0",
        "id": event_id,
        "source": f"/tenants/{row.tenant_id}/cpdEntries",
        "type": f"cpd.entry.{row.change}",
        "subject": row.entry_id,
        "time": format_timestamp(row.exported_at),
        "datacontenttype": "application/json",
        "data": {**entry, "fingerprint": row.fingerprint, "lakeUri": uri},
    }
    return Event(event_id, row.entry_id, json_text.dump(body), _attributes(row))


def _attributes(row: Row) -> dict[str, str]:
    candidates = {
        "change": row.change.value,
        "activityType": row.content["activity"]["type"],
        "categoryId": row.content["category"]["categoryId"],
        "isVerified": "true" if row.content["isVerified"] else "false",
    }
    return {name: value for name, value in candidates.items() if _ATTRIBUTE.fullmatch(value)}
