"""A backfill extends the export into the past, beside everything else."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cpd_exporter.errors import PermanentError
from cpd_exporter.model.entry import Listing
from cpd_exporter.model.row import Change
from cpd_exporter.model.window import Window
from tests.support.sweeps import (
    edit,
    exported,
    february,
    published_ids,
)
from tests.support.world import NOW, ORIGIN, World, entries


def test_a_backfill_extends_the_export_into_the_past() -> None:
    world = World(store=entries(100), origin=NOW - timedelta(days=20))
    world.export()
    recent = len(world.rows)
    assert 0 < recent < 100
    world.command({"command": "backfill", "from": "2026-01-01T00:00:00Z"})
    world.origin = ORIGIN
    world.export()
    world.assert_exact()
    assert len(world.rows) == 100
    watermark = world.timeline.watermark()
    assert watermark is not None
    assert watermark.exported_from == watermark.origin == ORIGIN
    assert not list(world.timeline.jobs())


def test_a_backfill_plans_no_more_at_once_than_it_may_leave_undone() -> None:
    world = World(store=entries(300), origin=NOW - timedelta(days=2), slice_target=20)
    world.export()
    world.command({"command": "backfill", "from": "2026-01-01T00:00:00Z"})
    limits = replace(world.planner.limits, max_outstanding_pages=48)
    for _ in range(2):
        replace(world.planner, limits=limits).tick()
        backfilled = [page for page in world.timeline.undone() if page.window.end <= world.origin]
        assert len(backfilled) == limits.past_outstanding == 12


class TestOperatorsInAHurry:
    def test_a_backfill_that_fails_holds_up_nothing_else(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = exported(50)
        query = world.api.query

        def refused(window: Window | None, *, page: int = 1, per_page: int = 1000) -> Listing:
            if window and window.start.year < 1990:
                raise PermanentError("400: from when?")
            return query(window, page=page, per_page=per_page)

        monkeypatch.setattr(world.api, "query", refused)
        world.command({"command": "backfill", "from": "1980-01-01T00:00:00Z"})
        edited = edit(world, february(world)[5])
        world.command({"command": "sweep", "lookback": "P60D"})
        late = world.simulator.insert(world.now - timedelta(minutes=5))
        report = world.export(ticks=3)[-1]
        assert published_ids(world, Change.UPDATED) == [edited]
        assert late.log_entry_id in published_ids(world, Change.CREATED)
        assert "from when?" in str(report.error)
        assert [request.name for request in world.timeline.jobs()] == ["backfill"]

    def test_a_further_backfill_while_one_runs(self) -> None:
        world = exported(20)
        for start in ("2025-11-01", "2025-08-01", "2025-10-01"):
            world.command({"command": "backfill", "from": f"{start}T00:00:00Z"})
        world.export()
        assert world.at_rest
        watermark = world.timeline.watermark()
        assert watermark is not None
        assert watermark.exported_from == watermark.origin == datetime(2025, 8, 1, tzinfo=UTC)
