"""A slower tick leaves the watermark movable."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal

import pytest

from cpd_exporter.model.watermark import Watermark
from tests.support.world import NOW, ORIGIN, World, entries


class TestRaces:
    def other_tick(
        self,
        monkeypatch: pytest.MonkeyPatch,
        world: World,
        member: Literal["exported_through", "exported_from"],
        to: datetime,
    ) -> None:
        """A tick that looked earlier, and saw less done, moves the watermark first, to ``to``."""
        really, others = world.timeline.update_watermark, [to]

        def moved(before: Watermark, after: Watermark) -> bool:
            if others and getattr(before, member) != getattr(after, member):
                move: dict[str, Any] = {member: others.pop()}
                assert really(before, replace(before, **move))
            return really(before, after)

        monkeypatch.setattr(world.timeline, "update_watermark", moved)

    def test_a_slower_tick_leaves_the_watermark_movable(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = World(store=entries(80))
        stood = world.export()[-1].exported_through
        for _ in range(4):
            world.now += timedelta(minutes=20)
            world.simulator.insert(world.now - timedelta(minutes=10))
            world.planner.tick()
        world.drain()
        second = list(world.timeline.pages(stood))[1]
        self.other_tick(monkeypatch, world, "exported_through", second.window.end)
        world.command(
            {"command": "sweep", "from": "2026-03-01T00:00:00Z", "to": "2026-04-01T00:00:00Z"}
        )
        world.export(ticks=10)
        assert world.at_rest
        world.assert_exact()

    def test_a_slower_tick_leaves_a_backfill_movable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        world = World(store=entries(120), origin=NOW - timedelta(days=20), slice_target=10)
        world.export()
        world.command({"command": "backfill", "from": "2026-01-01T00:00:00Z"})
        world.planner.tick()
        world.drain()
        third = list(world.timeline.pages_before(world.origin))[2]
        self.other_tick(monkeypatch, world, "exported_from", third.window.start)
        world.slice_target = 800
        world.command({"command": "sweep", "from": "2026-01-01T00:00:00Z"})
        world.origin = ORIGIN
        world.export(ticks=10)
        assert world.at_rest
        world.assert_exact()
