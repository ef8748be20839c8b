"""The lake's objects, read by the design alone, without the package's code."""

import gzip
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import simplejson

from cpd_exporter.model.page import Page
from tests.simulation.invariants import Invariant, check

type StoredRow = dict[str, Any]

_KEY = re.compile(
    r"entries/entry_month=(?P<month>\d{4}-\d\d)"
    r"/(?P<start>\d{8}T\d{6}Z)_(?P<end>\d{8}T\d{6}Z)_g(?P<generation>\d+)_(?P<timeline_id>[0-9a-f]{16})"
    r"\.jsonl\.gz"
)
_OWN = (
    "change",
    "fingerprint",
    "tenantId",
    "exportedAt",
    "schemaVersion",
    "shadowed",
    "fingerprintExclude",
)


@dataclass(frozen=True, slots=True)
class Place:
    """The piece of work that a key of rows names."""

    month: str
    start: datetime
    end: datetime
    generation: int
    timeline_id: str

    def is_of(self, page: Page) -> bool:
        return (page.window.start, page.window.end, page.generation, page.timeline_id) == (
            self.start,
            self.end,
            self.generation,
            self.timeline_id,
        ) and self.month == f"{self.start:%Y-%m}"


def place_of(key: str) -> Place | None:
    """``None`` if the key is not a key of rows."""
    found = _KEY.fullmatch(key)
    if found is None:
        return None
    return Place(
        found["month"],
        _instant(found["start"]),
        _instant(found["end"]),
        int(found["generation"]),
        found["timeline_id"],
    )


def rows_in(body: bytes) -> dict[str, StoredRow]:
    """The rows of an object by entry ID; each entry has one row."""
    rows: dict[str, StoredRow] = {}
    for line in _lines(body):
        row = simplejson.loads(line, use_decimal=True)
        check(Invariant.EXACT, row["logEntryId"] not in rows, "an object holds a row twice")
        rows[row["logEntryId"]] = row
    return rows


def index_in(page: Page, objects: Mapping[str, bytes]) -> dict[str, StoredRow]:
    """The last row of each entry of a done page, found through its index."""
    if page.index_key is not None:
        index = [simplejson.loads(line) for line in _lines(objects[page.index_key])]
        return {
            one["logEntryId"]: rows_in(objects[one["object"]])[one["logEntryId"]] for one in index
        }
    if page.object is None:
        return {}
    return {id_: r for id_, r in rows_in(objects[page.object]).items() if r["change"] != "deleted"}


def content_of_row(row: StoredRow) -> StoredRow:
    """The entry as the API gave it."""
    shadowed: StoredRow = row.get("shadowed", {})
    return {name: value for name, value in row.items() if name not in _OWN} | shadowed


def version_of(content: StoredRow, exclude: frozenset[str]) -> str:
    """The spelling of an entry by which its versions differ; members in ``exclude`` make none."""
    return canonical_json({name: v for name, v in content.items() if name not in exclude})


def attributes_of(row: StoredRow) -> dict[str, str]:
    """The attributes by which subscribers filter a row's event."""
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
    """The one spelling in which two values are compared: half of a character is U+FFFD in it."""
    text = simplejson.dumps(
        value, use_decimal=True, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _lines(body: bytes) -> list[str]:
    return gzip.decompress(body).decode().splitlines()


def _instant(text: str) -> datetime:
    return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
