"""Worlds of thousands of entries: what many small pages cost, and how many are sent at a time."""

from datetime import timedelta

from cpd_exporter.model.page import WorkKind
from tests.support.sweeps import swept
from tests.support.world import World, entries


def test_a_first_sweep_of_many_small_pages_is_cheap() -> None:
    world = World(store=entries(10_000), slice_target=8, slice_floor=timedelta(minutes=1))
    world.export(ticks=400)
    world.slice_target = 800
    pages = len(world.pages)
    assert pages >= 1000
    world.api.calls = 0
    assert swept(world) == []
    assert world.api.calls <= 1.5 * 10 + len(world.reports)
    assert len(world.pages) <= 30
    world.assert_exact()


def test_jobs_and_divided_sweeps_are_sent_a_few_at_a_time() -> None:
    world = World(store=entries(4000), slice_target=40)
    world.export()
    world.slice_target = 800
    world.simulator.behave(per_page_cap=50)
    world.now += timedelta(days=1)
    for day in range(1, 21):
        span = {"from": f"2026-01-{day:02}T00:00:00Z", "to": "2026-03-01T00:00:00Z"}
        world.command({"command": "verify", **span})
    world.command({"command": "sweep", "from": "2026-01-01T00:00:00Z"})
    world.queue.messages.clear()
    for _ in range(6):
        world.planner.tick()
        assert sum(message.kind is WorkKind.SWEEP for message in world.queue.messages) <= 50
        assert sum(message.kind == "job" for message in world.queue.messages) <= 2
        world.drain()
        world.now += timedelta(minutes=30)
