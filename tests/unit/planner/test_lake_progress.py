"""What readers of the lake learn of how far it is complete."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cpd_exporter.errors import TransientError
from cpd_exporter.model.page import PageState
from cpd_exporter.model.watermark import Watermark
from cpd_exporter.planner.lake_progress import MAX_LISTED_HOLES, write_progress
from tests.support.fakes import FakeLake, FakeTimeline
from tests.support.samples import START, TENANT, page
from tests.support.world import World, entries

HOUR = timedelta(hours=1)


def progress(lake: FakeLake) -> dict[str, Any]:
    assert lake.progress is not None
    read: dict[str, Any] = json.loads(lake.progress)
    return read


def written(pages: int, *, through: int) -> list[dict[str, str]]:
    """The holes, where the first of so many hours are holes, and the watermark is at one."""
    timeline, lake = FakeTimeline(TENANT), FakeLake()
    for hour in range(pages):
        start = START + hour * HOUR
        timeline.stored_pages[start] = page(start=start, hole_since=START)
    end = START + through * HOUR
    watermark = Watermark("e" * 16, START, end, START, end)
    write_progress(timeline, lake, watermark, end)
    holes: list[dict[str, str]] = progress(lake)["holes"]
    return holes


def test_a_tick_that_moves_the_watermark_says_how_far_the_lake_is() -> None:
    world = World(entries(50))
    world.export()
    watermark = world.timeline.watermark()
    assert watermark is not None
    written = progress(world.lake)
    assert written.pop("generatedAt") <= f"{world.now:%Y-%m-%dT%H:%M:%S.000Z}"
    assert written == {
        "tenantId": world.timeline.tenant_id,
        "completeFrom": "2026-01-01T00:00:00Z",
        "completeThrough": f"{watermark.exported_through:%Y-%m-%dT%H:%M:%SZ}",
        "holes": [],
    }


def test_a_tick_that_leaves_the_watermark_writes_nothing() -> None:
    world = World(entries(50))
    world.export()
    world.lake.progress = None
    world.planner.tick()
    assert world.lake.progress is None


def test_it_names_the_holes_and_no_page_behind_the_watermark() -> None:
    assert written(3, through=2) == [
        {"from": "2026-03-01T12:00:00Z", "to": "2026-03-01T13:00:00Z"},
        {"from": "2026-03-01T13:00:00Z", "to": "2026-03-01T14:00:00Z"},
    ]


def test_of_too_many_holes_the_last_one_covers_the_rest() -> None:
    holes = written(MAX_LISTED_HOLES + 5, through=MAX_LISTED_HOLES + 9)
    assert len(holes) == MAX_LISTED_HOLES + 1
    assert holes[-1]["from"] == holes[-2]["to"]
    end = START + (MAX_LISTED_HOLES + 9) * HOUR
    assert holes[-1]["to"] == f"{end:%Y-%m-%dT%H:%M:%SZ}"


def test_a_page_that_the_watermark_passes_as_a_hole_is_named_at_once() -> None:
    world = World(entries(50))
    world.planner.tick()
    first = next(world.timeline.undone())
    hole = replace(first, revision="hole", hole_since=world.now, error="why", attempts=5)
    assert world.timeline.update(first, hole)
    world.planner.tick()
    [hole, *_] = progress(world.lake)["holes"]
    assert hole["from"] == f"{first.window.start:%Y-%m-%dT%H:%M:%SZ}"


def test_its_failure_holds_up_nothing_and_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(body: bytes) -> None:
        raise TransientError("no")

    world = World(entries(50))
    monkeypatch.setattr(world.lake, "put_progress", refuse)
    reports = world.export()
    assert {str(report.error) for report in reports} == {"no", "None"}
    world.assert_exact()
    assert all(one.state is PageState.DONE for one in world.pages)
