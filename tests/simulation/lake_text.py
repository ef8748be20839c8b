"""The lake's objects as anybody reads them who has only the design to go by."""

import gzip
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import simplejson

from cpd_exporter.model.timeline import Page
from tests.simulation.invariants import Invariant, check

type Row = dict[str, Any]

_KEY = re.compile(
    r"entries/tenant=(?P<tenant>[^/]+)/entry_month=(?P<month>\d{4}-\d\d)"
    r"/(?P<start>\d{8}T\d{6}Z)_(?P<end>\d{8}T\d{6}Z)_g(?P<generation>\d+)_(?P<epoch>[0-9a-f]{16})"
    r"\.jsonl\.gz"
)
_OWN = ("change", "fingerprint", "tenantId", "exportedAt", "schemaVersion", "shadowed")


@dataclass(frozen=True, slots=True)
class Place:
    """What a key of rows says of the work that they belong to."""

    tenant: str
    month: str
    start: datetime
    end: datetime
    generation: int
    epoch: str

    def is_of(self, page: Page, tenant: str) -> bool:
        return (page.window.start, page.window.end, page.generation, page.epoch, tenant) == (
            self.start,
            self.end,
            self.generation,
            self.epoch,
            self.tenant,
        ) and self.month == f"{self.start:%Y-%m}"


def place_of(key: str) -> Place | None:
    """``None`` where the key is none of rows."""
    found = _KEY.fullmatch(key)
    if found is None:
        return None
    return Place(
        found["tenant"],
        found["month"],
        _instant(found["start"]),
        _instant(found["end"]),
        int(found["generation"]),
        found["epoch"],
    )


def rows_in(body: bytes) -> dict[str, Row]:
    """The rows of an object by entry, each being one and whole."""
    rows: dict[str, Row] = {}
    for line in _lines(body):
        row = simplejson.loads(line, use_decimal=True)
        check(Invariant.EXACT, row["logEntryId"] not in rows, "an object holds a row twice")
        rows[row["logEntryId"]] = row
    return rows


def known_in(page: Page, objects: Mapping[str, bytes]) -> dict[str, Row]:
    """What the lake says of a done page: for each entry, its last row."""
    if page.known is not None:
        known = [simplejson.loads(line) for line in _lines(objects[page.known])]
        return {
            one["logEntryId"]: rows_in(objects[one["object"]])[one["logEntryId"]] for one in known
        }
    if page.object is None:
        return {}
    return {id_: r for id_, r in rows_in(objects[page.object]).items() if r["change"] != "deleted"}


def content_of_row(row: Row) -> Row:
    """The entry as the API gave it."""
    shadowed: Row = row.get("shadowed", {})
    return {name: value for name, value in row.items() if name not in _OWN} | shadowed


def attributes_of(row: Row) -> dict[str, str]:
    """What subscribers of a row's event may filter by."""
    content = content_of_row(row)
    attributes = {
        "change": row["change"],
        "activityType": content["activity"]["type"],
        "categoryId": content["category"]["categoryId"],
        "isVerified": "true" if content["isVerified"] else "false",
    }
    fit = re.compile(r"[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]{1,256}")
    return {name: value for name, value in attributes.items() if fit.fullmatch(value)}


def canonical_json(value: Any) -> str:
    """The one spelling by which two values are compared."""
    return simplejson.dumps(value, use_decimal=True, sort_keys=True, separators=(",", ":"))


def _lines(body: bytes) -> list[str]:
    return gzip.decompress(body).decode("ascii").splitlines()


def _instant(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
