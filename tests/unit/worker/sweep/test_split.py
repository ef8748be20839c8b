"""Sweeps split a window that no longer fits into one response."""

from dataclasses import replace
from datetime import timedelta

from cpd_exporter.model.page import MissingEntry
from cpd_exporter.model.row import Change
from cpd_exporter.worker.context import Outcome
from simulator.behaviour import Behaviour
from tests.support.sweeps import (
    at,
    exported,
    february,
    held_deletions,
    ids_by_change,
    poison,
    refresh,
    swept,
)
from tests.support.world import NOW


def test_a_window_that_outgrew_a_response_is_divided() -> None:
    world = exported(slice_target=80, behaviour=Behaviour(per_page_cap=100))
    swept(world)
    start = NOW - timedelta(days=40)
    late = [world.simulator.insert(start + timedelta(seconds=97 * n)) for n in range(150)]
    rows = [row for _ in range(3) for row in swept(world)]
    assert ids_by_change(rows)[Change.CREATED] == {entry.log_entry_id for entry in late}
    assert len(rows) == 150
    world.assert_exact()


class TestHeldDeletions:
    """Deletions that wait for the operator, when their page is split."""

    def test_are_not_multiplied_when_their_page_is_divided(self) -> None:
        world = exported(80, behaviour=Behaviour(per_page_cap=100), full_sweep=timedelta(0))
        page = max(world.pages, key=lambda page: page.entries)
        inside = [entry for entry in world.store if at(entry) in page.window]
        now = world.now
        missing = {entry.log_entry_id: MissingEntry(now, held_at=now) for entry in inside[::9][:3]}
        world.timeline.stored_pages[page.window.start] = replace(
            page, missing=missing, quarantined=9
        )
        for n in range(120):
            world.simulator.insert(page.window.start + timedelta(minutes=5 * n))
        refresh(world, inside[0])
        world.planner.tick()
        [work] = world.queue.messages
        assert world.worker.handle(work).outcome is Outcome.SPLIT
        assert held_deletions(world) == 3
        assert sum(page.quarantined for page in world.pages) == 0


def test_a_record_that_spoils_a_merged_page_leaves_the_rest_of_it_to_be_swept() -> None:
    world = exported()
    swept(world)
    inside = february(world)
    bad, far = inside[len(inside) // 2], inside[0]
    poison(world, bad)
    late = world.simulator.insert(at(inside[2]) - timedelta(seconds=30))
    world.store.edit(far.log_entry_id, durationMinutes=7)
    found = ids_by_change([*swept(world), *swept(world)])
    assert found[Change.CREATED] == {late.log_entry_id}
    assert found[Change.UPDATED] == {far.log_entry_id}
    assert found[Change.DELETED] == set()
