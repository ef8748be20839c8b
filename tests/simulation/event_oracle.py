"""The part of the oracle that judges events: each tells what its stored row holds, always alike."""

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import simplejson

from cpd_exporter.model.event import Event
from tests.simulation.invariants import Invariant, check
from tests.simulation.lake_text import attributes_of, canonical_json, content_of_row
from tests.simulation.scenario import Scenario


class EventOracle:
    """Judges each event as it is published.

    ``bodies`` has each event's body by the URI of the object and the ID of the entry.
    """

    def __init__(self, scenario: Scenario, tenant_id: str, bucket: str) -> None:
        self.scenario = scenario
        self.tenant_id = tenant_id
        self.bucket = bucket
        self.bodies: dict[tuple[str, str], str] = {}
        self._pings: dict[str, str] = {}
        self._ids: dict[str, tuple[str, str]] = {}

    def judge(self, event: Event, rows_by_key: Mapping[str, Mapping[str, Any]]) -> None:
        """Judge an event by the rows that are stored, by their object's key and their entry."""
        body = simplejson.loads(event.body, use_decimal=True)
        data = body["data"]
        if body["type"] == "cpd.exporter.ping":
            place = ("", data["requested"])
            first = self._pings.setdefault(data["requested"], event.body)
            check(Invariant.PURE_EVENTS, first == event.body, "one ping has two different events")
            owner = self._ids.setdefault(body["id"], place)
            check(Invariant.PURE_EVENTS, owner == place, "a ping shares its event ID")
            return
        bucket = f"s3://{self.bucket}/"
        key = str(data["lakeUri"]).removeprefix(bucket)
        row = rows_by_key.get(key, {}).get(body["subject"])
        check(Invariant.STORED_FIRST, row, f"an event names {key}, which has no such row")
        assert row is not None
        content = content_of_row(row)
        if "entry" in data:
            equal = canonical_json(data["entry"]) == canonical_json(content)
            check(Invariant.FROM_STORAGE, equal, "an event differs from its row")
        else:
            is_refused = body["subject"] in self.scenario.refused_whole
            check(Invariant.FROM_STORAGE, is_refused, "an event lacks its entry without need")
        name = hashlib.sha256(f"{key}\n{body['subject']}".encode()).hexdigest()
        stored_at = datetime.fromisoformat(row["exportedAt"])
        expected = {
            "specversion": "1.0",
            "source": f"urn:cpd-exporter:tenant:{self.tenant_id}",
            "type": f"cpd.entry.{row['change']}",
            "dataschema": f"urn:cpd-exporter:schema:cpd.entry.{row['change']}:1",
            "time": row["exportedAt"],
            "sequence": f"{stored_at.timestamp() * 1000:.0f}-{name[:16]}",
            "datacontenttype": "application/json",
        }
        actual = {name: body[name] for name in expected}
        check(Invariant.FROM_STORAGE, actual == expected, f"an event says {actual}, not {expected}")
        same = data["fingerprint"] == row["fingerprint"]
        check(Invariant.FROM_STORAGE, same, "an event has another fingerprint than its row")
        check(Invariant.PURE_EVENTS, body["id"] == event.id == name, "an event has another ID")
        filters = attributes_of(row)
        check(Invariant.PURE_EVENTS, event.attributes == filters, f"{event.attributes}")
        place = (data["lakeUri"], body["subject"])
        first = self.bodies.setdefault(place, event.body)
        check(Invariant.PURE_EVENTS, first == event.body, "one row has two different events")
        owner = self._ids.setdefault(body["id"], place)
        check(Invariant.PURE_EVENTS, owner == place, "two rows share an event ID")
