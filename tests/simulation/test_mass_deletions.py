"""Deletions by the hundred: the breaker holds them until an operator confirms."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from cpd_exporter.errors import TransientError
from cpd_exporter.model.row import Change
from tests.support.sweeps import (
    at,
    edit,
    exported,
    february,
    held_deletions,
    published_ids,
    swept,
)
from tests.support.world import World


def test_a_mass_deletion_is_held_until_it_is_confirmed() -> None:
    world = exported(1500)
    gone = list(world.store)[:900]
    for entry in gone:
        world.store.delete(entry.log_entry_id)
    for _ in range(5):
        swept(world)
    held = held_deletions(world)
    deleted = [e for e in world.topic.published if "cpd.entry.deleted" in e.body]
    assert held > 0
    assert len(deleted) <= 500
    for _ in range(4):
        world.now += timedelta(days=1)
        swept(world)
    assert len([e for e in world.topic.published if "cpd.entry.deleted" in e.body]) < 900
    world.command({"command": "confirm-deletions"})
    world.export()
    deleted_ids = {e.entry_id for e in world.topic.published if "cpd.entry.deleted" in e.body}
    assert deleted_ids == {entry.log_entry_id for entry in gone}


def failing_once[**P, T](call: Callable[P, T], error: Exception) -> Callable[P, T]:
    errors = [error]

    def called(*args: P.args, **kwargs: P.kwargs) -> T:
        if errors:
            raise errors.pop()
        return call(*args, **kwargs)

    return called


class TestHeldDeletions:
    """Some 500 deletions of one page in one day: what is beyond the bound waits for a word."""

    @pytest.fixture
    def world(self) -> World:
        world = exported(1500)
        january = [entry for entry in world.store if at(entry).month == 1]
        for entry in january[:500] + february(world)[:400]:
            world.store.delete(entry.log_entry_id)
        for _ in range(3):
            swept(world)
        assert (self.deleted(world), held_deletions(world)) == (400, 500)
        return world

    @staticmethod
    def deleted(world: World) -> int:
        return len(set(published_ids(world, Change.DELETED)))

    def fail_to_publish(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        publish = failing_once(world.topic.publish, TransientError("down"))
        monkeypatch.setattr(world.topic, "publish", publish)

    def test_stay_held_when_publishing_fails(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        edited = {edit(world, february(world)[-1])}
        edited.add(edit(world, next(iter(world.store))))
        self.fail_to_publish(world, monkeypatch)
        world.now += timedelta(days=1)
        for _ in range(3):
            swept(world)
        assert set(published_ids(world, Change.UPDATED)) == edited
        assert (self.deleted(world), held_deletions(world)) == (400, 500)

    def test_stay_confirmed_when_publishing_fails(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.command({"command": "confirm-deletions"})
        self.fail_to_publish(world, monkeypatch)
        world.export()
        assert (self.deleted(world), held_deletions(world)) == (900, 0)
