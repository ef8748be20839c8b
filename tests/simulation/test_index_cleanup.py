"""Index objects that no page names any more are removed after a day."""

from datetime import timedelta

import pytest

from cpd_exporter.model.garbage import IndexGarbage
from cpd_exporter.planner.index_cleanup import INDEX_GRACE
from tests.support.sweeps import edit, finely_sliced, swept
from tests.support.world import World

MINUTE = timedelta(minutes=1)


def indexes(world: World) -> set[str]:
    return {key for key in world.lake.objects if key.startswith("index/")}


def named(world: World) -> set[str | None]:
    return {one.index_key for one in world.pages if one.index_key}


def pass_a_day(world: World) -> None:
    world.now += INDEX_GRACE + MINUTE
    world.export()


class TestUnnamedIndexes:
    def test_are_removed_after_a_day(self) -> None:
        world = finely_sliced()
        for minutes in range(3):
            entry = list(world.store)[5]
            world.store.edit(entry.log_entry_id, durationMinutes=minutes)
            swept(world)
        assert indexes(world) > named(world)
        others = world.lake.objects.keys() - indexes(world)
        pass_a_day(world)
        assert indexes(world) == named(world)
        assert others <= world.lake.objects.keys()
        edited = edit(world, list(world.store)[5])
        assert [row.entry_id for row in swept(world)] == [edited]

    def test_stay_for_a_day(self) -> None:
        world = finely_sliced()
        swept(world)
        edit(world, list(world.store)[5])
        swept(world)
        before = indexes(world)
        assert before > named(world)
        world.planner.tick()
        assert indexes(world) == before

    def test_of_a_worker_that_died_before_it_merged_go_too(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = finely_sliced()
        with monkeypatch.context() as death:

            def die(*_: object) -> bool:
                raise KeyboardInterrupt

            world.command({"command": "sweep", "from": "2026-01-01T00:00:00Z"})
            world.planner.tick()
            death.setattr(world.timeline, "commit", die)
            while world.queue.messages:
                with pytest.raises(KeyboardInterrupt):
                    world.worker.handle(world.queue.messages.pop())
        orphans = indexes(world)
        assert orphans
        world.now += timedelta(hours=1)
        world.export()
        pass_a_day(world)
        assert not orphans & indexes(world)
        assert indexes(world) == named(world)

    def test_stay_while_a_sweep_holds_their_page(self) -> None:
        world = finely_sliced()
        world.command({"command": "sweep", "from": "2026-01-01T00:00:00Z"})
        world.planner.tick()
        reserved = next(one for one in world.pages if one.reserved_by)
        key = "index/about to be named"
        world.lake.put_new(key, b"")
        from_now = world.now
        note = {key: reserved.window.start}
        garbage = world.timeline.noted_garbage
        world.timeline.note_garbage(IndexGarbage("a", from_now, note))
        world.now += INDEX_GRACE + MINUTE
        world.queue.messages.clear()
        world.planner.tick()
        assert key in world.lake.objects
        assert [one.starts for one in garbage.values()] == [note]
