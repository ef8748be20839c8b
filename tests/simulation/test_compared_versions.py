"""What a sweep publishes: each change once, under the window where the entry is."""

from collections import Counter
from datetime import datetime, timedelta

import pytest

from cpd_exporter.model.row import Change
from simulator.source import StoredEntry
from tests.support.samples import content_of
from tests.support.sweeps import (
    at,
    exported,
    february,
    finely_sliced,
    ids_by_change,
    published_ids,
    refresh,
    spread,
    swept,
)
from tests.support.world import NOW, ORIGIN, World, entries


def test_edits_deletions_and_back_dated_entries_are_published_once() -> None:
    world = exported(300)
    chosen = spread(world, 60)
    edited, deleted = chosen[0::3], chosen[1::3]
    for entry in edited:
        world.store.edit(entry.log_entry_id, durationMinutes=7)
    for entry in deleted:
        world.store.delete(entry.log_entry_id)
    late = [world.simulator.insert(NOW - timedelta(days=30, minutes=n)) for n in range(20)]

    first = ids_by_change(swept(world))
    assert first[Change.UPDATED] == {entry.log_entry_id for entry in edited}
    assert first[Change.CREATED] == {entry.log_entry_id for entry in late}
    assert first[Change.DELETED] == set()
    second = ids_by_change(swept(world))
    assert second[Change.DELETED] == {entry.log_entry_id for entry in deleted}
    assert not second[Change.UPDATED] | second[Change.CREATED]
    assert swept(world) == []
    assert len(world.topic.published) == 360
    last = {event.entry_id: event for event in world.topic.published}
    assert all('"cpd.entry.deleted"' in last[entry.log_entry_id].body for entry in deleted)


def test_a_moved_entry_is_published_where_it_is_and_where_it_was() -> None:
    world = exported(150)
    entry = list(world.store)[50]
    world.store.move(entry.log_entry_id, NOW - timedelta(days=10))
    there, here = [row for _ in range(4) for row in swept(world)]
    assert (there.change, here.change) == (Change.CREATED, Change.UPDATED)
    assert (there.entry_id, there.text) == (here.entry_id, here.text)
    world.store.delete(entry.log_entry_id)
    rows = [row for _ in range(4) for row in swept(world)]
    assert [(row.change, row.entry_id) for row in rows] == [(Change.DELETED, entry.log_entry_id)]


@pytest.mark.parametrize("goal", [ORIGIN - timedelta(days=9), NOW + timedelta(days=99)])
def test_an_entry_that_leaves_the_exported_time_is_followed(goal: datetime) -> None:
    world = exported(150)
    entry = list(world.store)[50]
    world.store.move(entry.log_entry_id, goal)
    [row] = [row for _ in range(4) for row in swept(world)]
    assert row.change is Change.UPDATED
    assert datetime.fromisoformat(content_of(row)["entryDate"]) == goal
    world.store.edit(entry.log_entry_id, durationMinutes=7)
    [row] = [row for _ in range(2) for row in swept(world)]
    assert (row.change, content_of(row)["durationMinutes"]) == (Change.UPDATED, 7)
    world.store.delete(entry.log_entry_id)
    [row] = [row for _ in range(3) for row in swept(world)]
    assert (row.change, content_of(row)["durationMinutes"]) == (Change.DELETED, 7)


def test_an_entry_leaves_and_comes_back_though_its_date_makes_no_version() -> None:
    world = World(store=entries(150), fingerprint_exclude=frozenset({"entryDate"}))
    world.export()
    entry = list(world.store)[50]
    home = at(entry)
    for goal in (ORIGIN - timedelta(days=9), home):
        world.store.move(entry.log_entry_id, goal)
        [row] = [row for _ in range(4) for row in swept(world)]
        assert row.change is Change.UPDATED
        assert datetime.fromisoformat(content_of(row)["entryDate"]) == goal


def test_an_entry_that_moves_there_and_back_is_published_each_time() -> None:
    world = exported(150)
    entry = list(world.store)[50]
    home = at(entry)
    world.store.move(entry.log_entry_id, NOW - timedelta(days=10))
    first = swept(world)
    assert [row.change for row in first] == [Change.CREATED]
    world.store.move(entry.log_entry_id, home)
    rows = [row for _ in range(5) for row in swept(world)]
    assert rows
    assert rows[-1].change is not Change.DELETED
    assert content_of(rows[-1])["entryDate"] == entry.value["entryDate"]


def test_a_sweep_beside_an_export_and_twice_publishes_once() -> None:
    world = exported(150)
    for entry in spread(world, 10):
        world.store.edit(entry.log_entry_id, durationMinutes=7)
    world.command({"command": "sweep", "from": "2026-01-01T00:00:00Z"})
    world.command({"command": "sweep", "lookback": "P100D"})
    world.simulator.insert(world.now - timedelta(minutes=10))
    world.export()
    assert Counter(e.body.count('"cpd.entry.updated"') for e in world.topic.published)[1] == 10
    assert not list(world.timeline.jobs())


def test_excluded_members_make_no_new_version() -> None:
    world = World(store=entries(100), fingerprint_exclude=frozenset({"seenAt"}))
    world.export()
    for number, entry in enumerate(list(world.store)):
        world.store.edit(entry.log_entry_id, seenAt=number)
    assert swept(world) == []


def test_leaving_a_member_out_later_publishes_nothing_anew() -> None:
    world = World(store=entries(100))
    world.export()
    world.fingerprint_exclude = frozenset({"description"})
    world.api.fingerprint_exclude = world.fingerprint_exclude
    for entry in list(world.store):
        world.store.edit(entry.log_entry_id, description="other")
    assert swept(world) == []


class TestAnEntryInTwoPageIndexes:
    """It moved to an earlier page of its month, which published it, and one sweep covers both."""

    @pytest.fixture
    def world(self) -> World:
        return finely_sliced()

    @pytest.fixture
    def moved(self, world: World) -> StoredEntry:
        moved = february(world)[60]
        world.store.move(moved.log_entry_id, at(moved) - timedelta(days=4))
        refresh(world, moved)
        world.export()
        assert published_ids(world, Change.CREATED).count(moved.log_entry_id) == 2
        return moved

    def test_is_not_published_again(self, world: World, moved: StoredEntry) -> None:
        assert swept(world) + swept(world) == []

    def test_is_published_if_it_came_back(self, world: World, moved: StoredEntry) -> None:
        world.store.move(moved.log_entry_id, at(moved))
        [row] = swept(world)
        assert (row.change, content_of(row)) == (Change.UPDATED, moved.value)
        assert swept(world) == []
