"""When a missing entry counts as deleted, and what holds a deletion back."""

from datetime import timedelta

import pytest

from cpd_exporter.errors import PermanentError, TransientError
from cpd_exporter.model.entry import Entry, FaultyEntry, Listing
from cpd_exporter.model.row import Change, Row
from cpd_exporter.model.window import Window
from simulator.behaviour import InjectedFault
from tests.support.samples import content_of
from tests.support.sweeps import (
    POISONED,
    at,
    exported,
    february,
    ids_by_change,
    published_ids,
    spread,
    swept,
    twist,
)
from tests.support.world import ORIGIN


def test_a_deletion_is_published_with_the_last_stored_version() -> None:
    world = exported(50)
    [entry] = spread(world, 1)
    world.store.edit(entry.log_entry_id, durationMinutes=7)
    swept(world)
    world.store.delete(entry.log_entry_id)
    swept(world)
    [row] = swept(world)
    assert row.change is Change.DELETED
    assert content_of(row) == {**entry.value, "durationMinutes": 7}


def test_a_deletion_waits_for_its_hour() -> None:
    world = exported(50)
    [entry] = spread(world, 1)
    world.store.delete(entry.log_entry_id)
    swept(world)
    assert swept(world, after=timedelta(minutes=20)) == []
    assert [row.change for row in swept(world, after=timedelta(minutes=50))] == [Change.DELETED]


@pytest.mark.parametrize("kind", ["nothing", "empty-and-404"])
def test_an_api_that_answers_nonsense_for_hours_deletes_nothing(kind: str) -> None:
    world = exported(200)
    stored = list(world.store)
    if kind == "nothing":
        world.simulator.behave(faults=(InjectedFault(kind="nothing"),))
    else:
        world.simulator.behave(
            faults=(
                InjectedFault(kind="nothing"),
                InjectedFault(kind="status", status=404, on="entry"),
            )
        )
    for _ in range(5):
        assert swept(world) == []
    world.simulator.behave(faults=())
    assert swept(world) == []
    assert [entry.log_entry_id for entry in world.store] == [e.log_entry_id for e in stored]


def test_a_faulty_entry_is_present() -> None:
    world = exported(50)
    [entry] = spread(world, 1)
    world.store.edit(entry.log_entry_id, durationMinutes="seven")
    for _ in range(3):
        assert swept(world) == []
    assert len(world.quarantined) == 1


def test_a_faulty_entry_that_no_window_lists_is_named() -> None:
    world = exported(50)
    [entry] = spread(world, 1)
    world.store.edit(entry.log_entry_id, durationMinutes="seven")
    world.store.move(entry.log_entry_id, ORIGIN - timedelta(days=90))
    for _ in range(3):
        assert swept(world) == []
    assert len(world.quarantined) == 1
    assert [key for page in world.pages for key in page.faults] == world.quarantined
    assert sum(page.quarantined for page in world.pages) == 1


class TestPoison:
    def test_faulty_entries_ahead_of_all_others_keep_no_deletion_back(self) -> None:
        world = exported(100)
        *faulty, deleted = list(world.store)[:11]
        for entry in faulty:
            world.store.edit(entry.log_entry_id, durationMinutes="seven")
        world.store.delete(deleted.log_entry_id)
        swept(world)
        assert ids_by_change(swept(world))[Change.DELETED] == {deleted.log_entry_id}

    def test_entries_that_moved_away_for_good_keep_no_deletion_back(self) -> None:
        world = exported(700)
        of_february = sorted(february(world), key=lambda entry: entry.log_entry_id)
        *moved, a, b, c = of_february[:223]
        for entry in moved:
            world.store.move(entry.log_entry_id, ORIGIN - timedelta(days=30))
        for entry in (a, b, c):
            world.store.delete(entry.log_entry_id)
        for _ in range(3):
            swept(world)
        assert set(published_ids(world, Change.DELETED)) == {e.log_entry_id for e in (a, b, c)}

    def test_a_page_notes_no_more_missing_entries_than_its_item_holds(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("cpd_exporter.worker.sweep.deletions.MAX_MISSING_PER_PAGE", 5)
        world = exported(100)
        gone = february(world)[:8]
        for entry in gone:
            world.store.delete(entry.log_entry_id)
        for _ in range(4):
            swept(world)
            assert max(len(page.missing) for page in world.pages) <= 5
        assert sorted(published_ids(world, Change.DELETED)) == sorted(e.log_entry_id for e in gone)

    def test_a_page_notes_no_more_bytes_than_its_item_holds(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("cpd_exporter.worker.sweep.deletions.MAX_MISSING_BYTES", 200)
        world = exported(100)
        for entry in february(world)[:8]:
            world.store.delete(entry.log_entry_id)
        for _ in range(3):
            swept(world)
            assert max(len(page.missing) for page in world.pages) <= 3


@pytest.mark.parametrize("error", [POISONED, TransientError("503")], ids=["malformed", "outage"])
def test_a_control_that_cannot_be_read_holds_back_deletions_only(error: Exception) -> None:
    world = exported(150)
    swept(world)
    gone, edited = february(world)[5], february(world)[50]
    world.store.delete(gone.log_entry_id)
    swept(world)
    world.store.edit(edited.log_entry_id, durationMinutes=7)

    def change(listing: Listing, window: Window | None, per_page: int) -> Listing:
        if per_page == 100:  # the page size of a search for controls
            raise error
        return listing

    twist(world, change)
    found = ids_by_change(swept(world))
    assert found[Change.UPDATED] == {edited.log_entry_id}
    assert found[Change.DELETED] == set()
    assert list(world.timeline.sweeps()) == []


@pytest.mark.parametrize("error", [POISONED, TransientError("504")], ids=["malformed", "timed out"])
def test_a_listing_of_everything_that_fails_holds_back_no_deletion(error: Exception) -> None:
    """Issue 8, item 5: a control from the sweep's own window is as good."""
    world = exported(150)
    gone = february(world)[5]
    world.store.delete(gone.log_entry_id)
    swept(world)

    def change(listing: Listing, window: Window | None, per_page: int) -> Listing:
        if window is None:
            raise error
        return listing

    twist(world, change)
    assert ids_by_change(swept(world))[Change.DELETED] == {gone.log_entry_id}


@pytest.mark.parametrize("error", [PermanentError("410"), TransientError("500")])
def test_an_id_that_cannot_be_looked_up_holds_back_no_other_deletion(error: Exception) -> None:
    world = exported(150)
    swept(world)
    gone = february(world)[5:25]
    for entry in gone:
        world.store.delete(entry.log_entry_id)
    look_up = world.api.entry

    def refuse(entry_id: str) -> Entry | FaultyEntry | None:
        if entry_id == gone[0].log_entry_id:
            raise error
        return look_up(entry_id)

    world.api.entry = refuse  # type: ignore[method-assign]
    rows: list[Row] = [*swept(world), *swept(world)]
    assert ids_by_change(rows)[Change.DELETED] == {e.log_entry_id for e in gone[1:]}


def test_a_moved_entry_is_missing_only_since_its_own_page_missed_it() -> None:
    world = exported(300, slice_target=20)
    one, other = [p for p in world.pages if p.window.start.month == 2 and p.entries][:2]
    moved = next(entry for entry in world.store if at(entry) in one.window)
    world.store.move(moved.log_entry_id, other.window.start + timedelta(seconds=5))
    for page in (one, other):
        world.now += timedelta(hours=2)
        start, end = (
            f"{bound:%Y-%m-%dT%H:%M:%SZ}" for bound in (page.window.start, page.window.end)
        )
        world.command({"command": "sweep", "from": start, "to": end})
        world.export()
    world.store.delete(moved.log_entry_id)
    world.slice_target = 800
    assert swept(world, after=timedelta(minutes=5)) == []
    assert ids_by_change(swept(world))[Change.DELETED] == {moved.log_entry_id}
