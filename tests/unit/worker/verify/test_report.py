"""The report: what it says, and what it keeps out."""

import json
from datetime import UTC, datetime

from cpd_exporter.model.timestamps import format_instant
from tests.support.verifications import (
    entry_of,
    exported,
    page_of,
    tamper,
    verified,
)
from tests.support.world import TENANT

END = datetime(2026, 3, 10, 12, tzinfo=UTC)


def test_a_clean_report_says_what_was_verified() -> None:
    world = exported()
    calls = world.api.calls
    report = verified(world)
    within = [e for e in world.store if e.at_ms < END.timestamp() * 1000]
    assert report["tenantId"] == TENANT
    assert (report["from"], report["to"]) == ("2026-01-01T00:00:00Z", "2026-03-10T12:00:00Z")
    assert report["through"] == report["to"]
    assert report["requestedAt"] == format_instant(world.now)
    assert report["clean"] is True
    assert report["entries"] == len(within)
    assert report["objects"] == len({page_of(world, entry).object for entry in within})
    assert not any(report[kind] for kind in ("damages", "minutes", "uncompared", "unexported"))
    assert world.api.calls - calls == 3  # one a month


def test_a_report_holds_nothing_personal_but_ids() -> None:
    world = exported()
    entry = entry_of(world)
    world.store.edit(entry.log_entry_id, durationMinutes=9999, description="what they thought")
    tamper(world, page_of(world, entry_of(world, 10)), description="what they thought")
    report = verified(world)
    assert report["differences"] == 2
    assert "what they thought" not in json.dumps(report)
