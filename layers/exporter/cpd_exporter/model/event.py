"""Events in the format of CloudEvents 1.0. Each follows from a stored row and its place alone."""

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache

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
    # The entry goes out as the bytes that the API sent.
    body = (
        b'{"specversion":"1.0","id":"%b","source":%b,"type":"cpd.entry.%b","subject":%b,"time":"%b",'
        b'"datacontenttype":"application/json","data":{%b"fingerprint":"%b","lakeUri":%b}}'
        % (
            event_id.encode(),
            _json(f"/tenants/{row.tenant_id}/cpdEntries"),
            row.change.encode(),
            exact_json.dump(row.entry_id),
            _time(row.exported_at),
            entry,
            row.fingerprint.encode(),
            _json(uri),
        )
    )
    return Event(event_id, row.entry_id, body.decode(), _attributes(row))


# All events of an object have these alike.
_json = lru_cache(maxsize=8)(exact_json.dump)
_time = lru_cache(maxsize=8)(lambda instant: format_timestamp(instant).encode())


def _attributes(row: Row) -> dict[str, str]:
    entry = row.documented()
    candidates = {
        "change": row.change.value,
        "activityType": entry.activity.type,
        "categoryId": entry.category.category_id,
        "isVerified": "true" if entry.is_verified else "false",
    }
    return {name: value for name, value in candidates.items() if _ATTRIBUTE.fullmatch(value)}
