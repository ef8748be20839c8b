"""Events in the format of CloudEvents 1.0. Each follows from a stored row and its place alone."""

import hashlib
import re
from dataclasses import dataclass

from cpd_exporter.model import exact_json
from cpd_exporter.model.row import Row
from cpd_exporter.model.timestamps import format_timestamp

# SNS allows these characters in a message attribute. An event leaves out any other value.
_ATTRIBUTE = re.compile(r"[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]{1,256}")


@dataclass(frozen=True, slots=True)
class Event:
    """One notification. Subscribers receive ``body`` and filter by ``attributes``."""

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


def _event(row: Row, key: str, uri: str, entry: bytes) -> Event:
    event_id = hashlib.sha256(f"{key}\n{row.entry_id}".encode()).hexdigest()
    envelope = exact_json.dump(
        {
            "specversion": "1.0",
            "id": event_id,
            "source": f"/tenants/{row.tenant_id}/cpdEntries",
            "type": f"cpd.entry.{row.change}",
            "subject": row.entry_id,
            "time": format_timestamp(row.exported_at),
            "datacontenttype": "application/json",
        }
    )
    data = exact_json.dump({"fingerprint": row.fingerprint, "lakeUri": uri})
    # The entry goes out as the bytes that the API sent.
    body = b'%b,"data":{%b%b}' % (envelope[:-1], entry, data[1:])
    return Event(event_id, row.entry_id, body.decode(), _attributes(row))


def _attributes(row: Row) -> dict[str, str]:
    entry = row.documented()
    candidates = {
        "change": row.change.value,
        "activityType": entry.activity.type,
        "categoryId": entry.category.category_id,
        "isVerified": "true" if entry.is_verified else "false",
    }
    return {name: value for name, value in candidates.items() if _ATTRIBUTE.fullmatch(value)}
