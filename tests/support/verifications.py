"""An exported world to verify, and the reports of its verifications."""

import json
from copy import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cpd_exporter.model import exact_json
from cpd_exporter.model import row as rows
from cpd_exporter.model.message import JobMessage
from cpd_exporter.model.page import Page
from cpd_exporter.worker.context import Outcome, WorkReport
from simulator.source import StoredEntry
from tests.support import sweeps
from tests.support.samples import content_of
from tests.support.world import TENANT, World

NAME = "verify:2026-01-01T00:00:00Z/2026-03-10T12:00:00Z"


def exported(count: int = 150, **settings: Any) -> World:
    return sweeps.exported(count, **{"slice_target": 8} | settings)


def request_verification(world: World) -> JobMessage:
    span = {"from": "2026-01-01T00:00:00Z", "to": "2026-03-10T12:00:00Z"}
    name = world.command({"command": "verify", **span})["requested"]
    assert name == NAME
    return JobMessage(tenant_id=TENANT, name=name)


def read(world: World, report: WorkReport) -> dict[str, Any]:
    assert report.outcome is Outcome.DONE
    assert report.report is not None
    read: dict[str, Any] = json.loads(world.lake.objects[report.report])
    assert read["differences"] == report.differences
    assert read["clean"] == (report.differences == 0)
    return read


def verified(world: World) -> dict[str, Any]:
    report = world.worker.handle(request_verification(world))
    assert not list(world.timeline.jobs())
    return read(world, report)


def swept(world: World) -> None:
    world.now += timedelta(hours=2)
    world.command({"command": "sweep", "from": "2026-01-01T00:00:00Z"})
    world.export()


def entry_of(world: World, number: int = 60) -> StoredEntry:
    return list(world.store)[number]


def page_of(world: World, entry: StoredEntry) -> Page:
    page = world.timeline.page_at(datetime.fromtimestamp(entry.at_ms / 1000, UTC))
    assert page is not None
    return page


def window_of(page: Page) -> dict[str, str]:
    start, end = (f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in (page.window.start, page.window.end))
    return {"from": start, "to": end}


def tamper(world: World, page: Page, **members: Any) -> str:
    """Change the first row of a page's object; returns the entry's ID."""
    assert page.object is not None
    first, *rest = rows.decode(world.lake.objects[page.object])
    changed = replace(first, text=exact_json.dump(content_of(first) | members))
    world.lake.objects[page.object] = rows.encode([changed, *rest])
    return first.entry_id
