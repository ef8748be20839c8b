"""Objects and page indexes that are lost, damaged or tampered with are named."""

from copy import replace
from datetime import timedelta
from typing import Any

import pytest

from cpd_exporter.model import row as rows
from tests.support.verifications import (
    entry_of,
    exported,
    page_of,
    swept,
    tamper,
    verified,
    window_of,
)
from tests.support.world import World, entries


@pytest.mark.parametrize("members", [{"description": "other"}, {"unheardOf": 1}])
def test_tampered_content_is_found(members: dict[str, Any]) -> None:
    world = exported()
    page = page_of(world, entry_of(world))
    entry_id = tamper(world, page, **members)
    report = verified(world)
    assert report["differences"] == 1
    assert report["damages"] == [
        {
            **window_of(page),
            "object": page.object,
            "problem": "content that does not have its fingerprint",
            "entries": 1,
            "logEntryIds": [entry_id],
        }
    ]


def test_a_tampered_object_of_a_swept_page_is_found() -> None:
    world = exported()
    world.slice_target = 800
    page = page_of(world, entry_of(world))
    swept(world)
    merged = page_of(world, entry_of(world))
    assert merged.index_key is not None
    entry_id = tamper(world, page, durationMinutes=0)
    report = verified(world)
    [damage] = report["damages"]
    assert (damage["object"], damage["logEntryIds"]) == (page.object, [entry_id])
    assert window_of(merged).items() <= damage.items()
    [found] = report["minutes"]
    assert len(found["users"]) == 1


def test_the_row_of_an_entry_that_left_is_checked_and_its_minutes_are_not_summed() -> None:
    world = exported()
    entry = entry_of(world)
    page = page_of(world, entry)
    world.store.move(entry.log_entry_id, page.window.start - timedelta(days=400))
    for _ in range(3):
        swept(world)
    assert verified(world)["clean"]
    [left] = [row for row in world.rows if row.change is rows.Change.UPDATED]
    keys = [key for key in world.lake.objects if key.startswith("entries/")]
    [key] = [key for key in keys if left in world.rows_of([key])]
    del world.lake.objects[key]
    world.now += timedelta(seconds=1)
    [damage] = verified(world)["damages"]
    assert (damage["object"], damage["logEntryIds"]) == (key, [entry.log_entry_id])


def test_another_version_than_was_published_is_found() -> None:
    world = exported()
    page = page_of(world, entry_of(world))
    world.slice_target = 800
    swept(world)
    assert page.object is not None
    first, *rest = rows.decode(world.lake.objects[page.object])
    forged = replace(first, fingerprint="0" * 64)
    world.lake.objects[page.object] = rows.encode([forged, *rest])
    [damage] = verified(world)["damages"]
    assert damage["problem"] == "another version than the published one"
    assert damage["logEntryIds"] == [first.entry_id]


@pytest.mark.parametrize("is_swept", [False, True])
def test_a_row_that_was_taken_out_is_found(is_swept: bool) -> None:
    world = exported()
    page = page_of(world, entry_of(world))
    if is_swept:
        world.slice_target = 800
        swept(world)
    assert page.object is not None
    _, *rest = rows.decode(world.lake.objects[page.object])
    world.lake.objects[page.object] = rows.encode(rest)
    [damage] = verified(world)["damages"]
    assert damage["object"] == page.object
    assert damage["entries"] == 1
    counted = f"{page.entries - 1} entries, where the timeline counts {page.entries}"
    assert damage["problem"] == ("no row" if is_swept else counted)


@pytest.mark.parametrize("is_swept", [False, True])
@pytest.mark.parametrize("damage", [None, b"", b"not gzipped"])
def test_a_deleted_or_damaged_object_is_found(is_swept: bool, damage: bytes | None) -> None:
    world = exported()
    page = page_of(world, entry_of(world))
    if is_swept:
        world.slice_target = 800
        swept(world)
    assert page.object is not None
    if damage is None:
        del world.lake.objects[page.object]
    else:
        world.lake.objects[page.object] = damage
    report = verified(world)
    [found] = report["damages"]
    assert found["object"] == page.object
    assert (found["problem"] == "missing") == (damage is None)
    assert found["entries"] == page.entries
    assert report["minutes"]  # what cannot be read is not in the lake's sums either


@pytest.mark.parametrize("damage", [None, b"", b"not gzipped"])
def test_a_page_index_that_is_gone_or_damaged_is_found(damage: bytes | None) -> None:
    world = exported()
    world.slice_target = 800
    swept(world)
    page = page_of(world, entry_of(world))
    assert page.index_key is not None
    if damage is None:
        del world.lake.objects[page.index_key]
    else:
        world.lake.objects[page.index_key] = damage
    [found] = verified(world)["damages"]
    assert (found["object"], found["entries"]) == (page.index_key, page.entries)


def test_rows_from_before_a_member_was_excluded_are_sound() -> None:
    world = exported(100)
    world.fingerprint_exclude = world.api.fingerprint_exclude = frozenset({"description"})
    assert verified(world)["clean"]


class TestFingerprintExclude:
    """A row names the members that its fingerprint ignores: no later setting damages it."""

    @pytest.fixture
    def world(self) -> World:
        store = entries(100)
        for entry in list(store):
            store.edit(entry.log_entry_id, viewCount=1, likes=2)
        exclude = frozenset({"viewCount"})
        world = World(store=store, slice_target=8, fingerprint_exclude=exclude)
        world.export()
        world.now += timedelta(hours=1)
        return world

    @staticmethod
    def exclude(world: World, *members: str) -> None:
        world.fingerprint_exclude = world.api.fingerprint_exclude = frozenset(members)

    @pytest.mark.parametrize("after", [[], ["viewCount", "likes"], ["likes"]])
    def test_sound_rows_are_sound_after_it_changed(self, world: World, after: list[str]) -> None:
        self.exclude(world, *after)
        report = verified(world)
        assert (report["clean"], report["damages"]) == (True, [])

    def test_a_changed_content_is_damage_still(self, world: World) -> None:
        self.exclude(world, "likes")
        entry_id = tamper(world, page_of(world, entry_of(world)), likes=3)
        [damage] = verified(world)["damages"]
        assert damage["problem"] == "content that does not have its fingerprint"
        assert damage["logEntryIds"] == [entry_id]

    def test_a_deletion_keeps_the_members_of_its_version(self, world: World) -> None:
        self.exclude(world, "likes")
        world.slice_target = 800
        world.store.delete(entry_of(world).log_entry_id)
        for _ in range(2):
            swept(world)
        [row] = [row for row in world.rows if row.change is rows.Change.DELETED]
        assert row.fingerprint_exclude == {"viewCount"}
