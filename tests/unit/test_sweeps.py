"""Sweeps over fakes: edits, deletions, back-dated and moved entries are found, and told once."""

from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest

from cpd_exporter.model.command import read_command
from cpd_exporter.model.row import Change, Row
from simulator.behaviour import Fault
from simulator.seeding import Profile, seeded
from simulator.source import EntryStore, StoredEntry
from tests.support.world import NOW, ORIGIN, World


def entries(count: int) -> EntryStore:
    return seeded(Profile(first=ORIGIN, end=NOW - timedelta(days=1), entries=count))


def exported(count: int = 2000, **settings: Any) -> World:
    world = World(store=entries(count), **settings)
    world.export()
    world.now += timedelta(days=1)
    return world


def swept(world: World, *, after: timedelta = timedelta(hours=2)) -> list[Row]:
    """Sweep everything; returns the rows that this added, in the order of their time."""
    before = set(world.lake.objects)
    world.now += after
    world.command({"command": "sweep", "from": "2026-01-01T00:00:00Z"})
    world.export()
    fresh = [key for key in world.lake.objects if key not in before and key.startswith("entries/")]
    return sorted(world.rows_of(fresh), key=lambda row: row.exported_at)


def changes(rows: list[Row]) -> dict[Change, set[str]]:
    return {change: {r.entry_id for r in rows if r.change is change} for change in Change}


def spread(world: World, count: int) -> list[StoredEntry]:
    stored = list(world.store)
    return stored[:: len(stored) // count][:count]


def at(entry: StoredEntry) -> datetime:
    return datetime.fromisoformat(entry.value["entryDate"])


def test_nothing_changed_tells_nothing_and_merges_pages() -> None:
    world = exported(cutting_target=50)
    objects = {key for key in world.lake.objects if key.startswith("entries/")}
    told = len(world.topic.published)
    pages = len(world.pages)
    world.cutting_target = 800
    assert swept(world) == []
    assert {key for key in world.lake.objects if key.startswith("entries/")} == objects
    assert len(world.topic.published) == told
    assert len(world.pages) < pages
    world.assert_exact()


def test_edits_deletions_and_back_dated_entries_are_told_once() -> None:
    world = exported(5000)
    chosen = spread(world, 60)
    edited, deleted = chosen[0::3], chosen[1::3]
    for entry in edited:
        world.store.edit(entry.log_entry_id, durationMinutes=7)
    for entry in deleted:
        world.store.delete(entry.log_entry_id)
    late = [world.simulator.insert(NOW - timedelta(days=30, minutes=n)) for n in range(20)]

    first = changes(swept(world))
    assert first[Change.UPDATED] == {entry.log_entry_id for entry in edited}
    assert first[Change.CREATED] == {entry.log_entry_id for entry in late}
    assert first[Change.DELETED] == set()
    second = changes(swept(world))
    assert second[Change.DELETED] == {entry.log_entry_id for entry in deleted}
    assert not second[Change.UPDATED] | second[Change.CREATED]
    assert swept(world) == []
    assert len(world.topic.published) == 5060
    last = {event.entry_id: event for event in world.topic.published}
    assert all('"cpd.entry.deleted"' in last[entry.log_entry_id].body for entry in deleted)


def test_a_deletion_is_told_with_the_last_known_version() -> None:
    world = exported(50)
    [entry] = spread(world, 1)
    world.store.edit(entry.log_entry_id, durationMinutes=7)
    swept(world)
    world.store.delete(entry.log_entry_id)
    swept(world)
    [row] = swept(world)
    assert row.change is Change.DELETED
    assert row.content == {**entry.value, "durationMinutes": 7}


def test_a_deletion_waits_for_its_hour() -> None:
    world = exported(50)
    [entry] = spread(world, 1)
    world.store.delete(entry.log_entry_id)
    swept(world)
    assert swept(world, after=timedelta(minutes=20)) == []
    assert [row.change for row in swept(world, after=timedelta(minutes=50))] == [Change.DELETED]


@pytest.mark.parametrize("kind", ["nothing", "empty-and-404"])
def test_an_api_that_answers_nonsense_for_hours_deletes_nothing(kind: str) -> None:
    world = exported(500)
    stored = list(world.store)
    if kind == "nothing":
        world.simulator.behave(faults=(Fault(kind="nothing"),))
    else:
        world.simulator.behave(
            faults=(Fault(kind="nothing"), Fault(kind="status", status=404, on="entry"))
        )
    for _ in range(5):
        assert swept(world) == []
    world.simulator.behave(faults=())
    assert swept(world) == []
    assert [entry.log_entry_id for entry in world.store] == [e.log_entry_id for e in stored]


def test_a_mass_deletion_is_held_until_it_is_confirmed() -> None:
    world = exported(1500)
    gone = list(world.store)[:900]
    for entry in gone:
        world.store.delete(entry.log_entry_id)
    for _ in range(5):
        swept(world)
    held = sum(bool(gone.held_at) for page in world.pages for gone in page.missing.values())
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


def test_a_moved_entry_is_told_by_the_window_where_it_is() -> None:
    world = exported(2000)
    entry = list(world.store)[100]
    world.store.move(entry.log_entry_id, NOW - timedelta(days=10))
    rows = [row for _ in range(4) for row in swept(world)]
    assert [(row.change, row.entry_id) for row in rows] == [(Change.CREATED, entry.log_entry_id)]
    world.store.delete(entry.log_entry_id)
    rows = [row for _ in range(4) for row in swept(world)]
    assert [(row.change, row.entry_id) for row in rows] == [(Change.DELETED, entry.log_entry_id)]


def test_an_entry_that_moves_there_and_back_is_told_each_time() -> None:
    world = exported(2000)
    entry = list(world.store)[100]
    home = at(entry)
    world.store.move(entry.log_entry_id, NOW - timedelta(days=10))
    first = swept(world)
    assert [row.change for row in first] == [Change.CREATED]
    world.store.move(entry.log_entry_id, home)
    rows = [row for _ in range(5) for row in swept(world)]
    assert rows
    assert rows[-1].change is not Change.DELETED
    assert rows[-1].content["entryDate"] == entry.value["entryDate"]


def test_a_faulty_entry_is_present() -> None:
    world = exported(50)
    [entry] = spread(world, 1)
    world.store.edit(entry.log_entry_id, durationMinutes="seven")
    for _ in range(3):
        assert swept(world) == []
    assert len(world.quarantined) == 1


def test_a_window_that_outgrew_a_response_is_divided() -> None:
    world = exported(3000)
    swept(world)
    start = NOW - timedelta(days=40)
    late = [world.simulator.insert(start + timedelta(seconds=97 * n)) for n in range(1500)]
    rows = [row for _ in range(3) for row in swept(world)]
    assert changes(rows)[Change.CREATED] == {entry.log_entry_id for entry in late}
    assert len(rows) == 1500
    world.assert_exact()


def test_a_first_sweep_of_many_small_pages_is_cheap() -> None:
    world = World(store=entries(10_000), cutting_target=8, cutting_floor=timedelta(minutes=1))
    world.export(ticks=400)
    world.cutting_target = 800
    pages = len(world.pages)
    assert pages >= 1000
    world.api.calls = 0
    assert swept(world) == []
    assert world.api.calls <= 1.5 * 10 + len(world.reports)
    assert len(world.pages) <= 30
    world.assert_exact()


def test_a_sweep_beside_an_export_and_twice_tells_once() -> None:
    world = exported(1000)
    for entry in spread(world, 10):
        world.store.edit(entry.log_entry_id, durationMinutes=7)
    world.command({"command": "sweep", "from": "2026-01-01T00:00:00Z"})
    world.command({"command": "sweep", "lookback": "P100D"})
    world.simulator.insert(world.now - timedelta(minutes=10))
    world.export()
    assert Counter(e.body.count('"cpd.entry.updated"') for e in world.topic.published)[1] == 10
    assert not list(world.timeline.jobs())


def test_volatile_members_make_no_new_version() -> None:
    world = World(store=entries(100), fingerprint_exclude=frozenset({"seenAt"}))
    world.export()
    for number, entry in enumerate(list(world.store)):
        world.store.edit(entry.log_entry_id, seenAt=number)
    assert swept(world) == []


def test_leaving_a_member_out_later_tells_nothing_anew() -> None:
    world = World(store=entries(100))
    world.export()
    world.fingerprint_exclude = frozenset({"description"})
    world.api.fingerprint_exclude = world.fingerprint_exclude
    for entry in list(world.store):
        world.store.edit(entry.log_entry_id, description="other")
    assert swept(world) == []


def test_refresh_sweeps_the_page_of_an_entry() -> None:
    world = exported(1000)
    [entry] = spread(world, 1)
    world.store.edit(entry.log_entry_id, durationMinutes=7)
    answer = world.command({"command": "refresh", "logEntryIds": [entry.log_entry_id, "f" * 24]})
    assert answer == {"sweepsRequested": 1, "unknown": ["f" * 24]}
    world.export()
    assert [e.entry_id for e in world.topic.published[1000:]] == [entry.log_entry_id]
    assert not list(world.timeline.sweep_requests())


def test_a_backfill_extends_the_export_into_the_past() -> None:
    store = seeded(Profile(first=ORIGIN, end=NOW - timedelta(days=1), entries=3000))
    world = World(store=store, origin=NOW - timedelta(days=20))
    world.export()
    recent = len(world.rows)
    assert 0 < recent < 3000
    world.command({"command": "backfill", "from": "2026-01-01T00:00:00Z"})
    world.origin = ORIGIN
    world.export()
    world.assert_exact()
    assert len(world.rows) == 3000
    stands = world.timeline.watermark()
    assert stands is not None
    assert stands.exported_from == stands.origin == ORIGIN
    assert not list(world.timeline.jobs())


SPAN = {"from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z"}


@pytest.mark.parametrize(
    "command",
    [
        {"command": "sweep", "lookback": "P2D"},
        {"command": "sweep", **SPAN},
        {"command": "backfill", "from": "2015-01-01T00:00:00Z"},
        {"command": "refresh", "logEntryIds": ["6610a1b2c3d4e5f601234567"]},
        {"command": "replay", **SPAN},
        {"command": "verify", **SPAN},
        {"command": "confirm-deletions"},
    ],
    ids=lambda command: command["command"],
)
def test_before_the_first_tick_there_is_nothing_to_command(command: dict[str, Any]) -> None:
    world = World(store=entries(20))
    told = world.command(command)
    assert told["requested"] is None
    assert "nothing is exported yet" in told["note"]
    assert world.api.calls == 0
    world.export()
    world.assert_exact()


def test_commands_are_read() -> None:
    command = read_command({"command": "sweep", "lookback": "P35D"})
    assert command.lookback == timedelta(days=35)  # type: ignore[union-attr]
