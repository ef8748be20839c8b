"""APIs that fail over one record, hide some, or answer nothing at the wrong moment."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cpd_exporter.errors import FilterError, ServerError
from cpd_exporter.model.entry import Listing
from cpd_exporter.model.page import Page, PageState
from cpd_exporter.model.row import Change
from cpd_exporter.model.window import Window
from cpd_exporter.planner.status import read_status
from cpd_exporter.planner.summary import summarise
from simulator.source import StoredEntry
from tests.simulation.test_old_changes import a_day, watermark
from tests.simulation.test_old_changes import world as old_world
from tests.support.sweeps import (
    at,
    edit,
    exported,
    exported_ids,
    held_deletions,
    poison,
    published_ids,
    swept,
    twist,
)
from tests.support.world import World, entries

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
JANUARY = {"from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z"}
FEBRUARY = {"from": "2026-02-01T00:00:00Z", "to": "2026-03-01T00:00:00Z"}


def hours(world: World, count: int) -> None:
    """Let an entry come and a tick run each hour."""
    for _ in range(count):
        world.simulator.insert(world.now - timedelta(minutes=5))
        world.planner.tick()
        world.drain()
        world.now += HOUR


def fail_over(world: World, bad: StoredEntry) -> None:
    """Let the API answer 500 to each listing that has the record in it."""

    def change(listing: Listing, window: Window | None, _: int) -> Listing:
        if window is not None and any(one.id == bad.log_entry_id for one in listing.records):
            raise ServerError("the API answered 500")
        return listing

    twist(world, change)


def summary(world: World) -> str:
    return summarise(read_status(world.timeline, world.queue, world.clock), world.now)


def settled(world: World, before: timedelta) -> set[str]:
    return {entry.log_entry_id for entry in world.store if at(entry) < world.now - before}


# ── answers of 500 ───────────────────────────────────────────────────────────────────────────────


def test_a_record_over_which_the_api_fails_amid_a_first_export_costs_itself_alone() -> None:
    world = World(store=entries(300))
    bad = list(world.store)[150]
    fail_over(world, bad)
    hours(world, 4 * 24)
    missing = settled(world, 2 * HOUR) - exported_ids(world)
    beside = {e.log_entry_id for e in world.store if abs(at(e) - at(bad)) < timedelta(seconds=3)}
    assert bad.log_entry_id in missing <= beside
    assert "500" in summary(world)
    assert read_status(world.timeline, world.queue, world.clock)["holes"]


def test_a_new_record_over_which_the_api_fails_holds_up_no_other() -> None:
    world = World(store=entries(60))
    world.export()
    world.now += HOUR
    bad = world.simulator.insert(world.now - timedelta(minutes=20))
    fail_over(world, bad)
    hours(world, 24)
    assert settled(world, 2 * HOUR) - exported_ids(world) == {bad.log_entry_id}


def test_records_of_every_night_over_which_the_api_fails_hold_up_no_other() -> None:
    world = World(store=entries(60))
    world.export()
    nights = [world.now.replace(hour=2, minute=0, second=0) + n * DAY for n in (1, 2)]
    bad = {world.simulator.insert(night).log_entry_id for night in nights}

    def change(listing: Listing, window: Window | None, _: int) -> Listing:
        if window is not None and any(one.id in bad for one in listing.records):
            raise ServerError("the API answered 500")
        return listing

    twist(world, change)
    hours(world, 3 * 24)
    assert settled(world, 2 * HOUR) - exported_ids(world) == bad
    assert watermark(world).exported_through > nights[1] + DAY / 2


def test_an_api_that_fails_over_all_full_listings_shatters_nothing() -> None:
    world = exported(200)
    hours(world, 4)
    before = len(world.pages)

    def change(listing: Listing, _window: Window | None, per_page: int) -> Listing:
        if listing.records and per_page > 1:
            raise ServerError("the API answered 500")
        return listing

    query = world.api.query
    twist(world, change)
    for _ in range(6):
        world.command({"command": "sweep", "lookback": "P35D"})
        hours(world, 1)
    assert len(world.pages) <= before + 7
    assert not [page for page in world.pages if page.error and page.state is PageState.DONE]
    world.api.query = query  # type: ignore[method-assign]
    hours(world, 6)
    assert settled(world, 2 * HOUR) <= exported_ids(world)


def test_an_outage_with_500_makes_no_hole() -> None:
    world = World(store=entries(60))
    query = world.api.query
    end = world.now + DAY

    def struck(window: Window | None, *, page: int = 1, per_page: int = 1000) -> Listing:
        if world.now < end:
            raise ServerError("the API answered 500")
        return query(window, page=page, per_page=per_page)

    world.api.query = struck  # type: ignore[method-assign]
    hours(world, 24)
    assert not [page for page in world.pages if page.hole_since]
    hours(world, 12)
    assert settled(world, 2 * HOUR) <= exported_ids(world)


# ── deletions ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("how", ["one wrong answer", "deleted and restored"])
def test_a_deletion_of_an_entry_that_moved_is_its_new_page_s_to_publish(how: str) -> None:
    world = exported(60)
    entry = list(world.store)[3]
    moved = entry.log_entry_id
    world.store.move(moved, datetime(2026, 2, 10, tzinfo=UTC))
    sweep(world, FEBRUARY)
    look_up = world.api.entry
    gone = entry
    if how == "one wrong answer":
        world.api.entry = lambda entry_id: None if entry_id == moved else look_up(entry_id)  # type: ignore[method-assign]
    else:
        gone = world.store.delete(moved)
    sweep(world, JANUARY)
    world.api.entry = look_up  # type: ignore[method-assign]
    if how != "one wrong answer":
        world.store.add(gone)
    for _ in range(5):
        a_day(world)
    assert moved not in published_ids(world, Change.DELETED)


def test_pages_that_an_entry_left_for_each_other_publish_its_deletion() -> None:
    world = exported(60)
    entry = list(world.store)[3]
    world.store.move(entry.log_entry_id, datetime(2026, 2, 10, tzinfo=UTC))
    sweep(world, FEBRUARY, after=10 * MINUTE)
    sweep(world, JANUARY, after=MINUTE)
    world.store.move(entry.log_entry_id, at(entry))
    sweep(world, FEBRUARY, after=10 * MINUTE)
    world.store.delete(entry.log_entry_id)
    for _ in range(30):
        a_day(world)
    assert entry.log_entry_id in published_ids(world, Change.DELETED)
    assert not [page for page in world.pages if page.missing]


def test_a_page_into_which_both_pages_of_a_move_are_merged_publishes_the_deletion() -> None:
    world = exported(60, slice_target=10)
    world.slice_target = 800
    entry = next(one for one in world.store if at(one).month == 2)
    world.store.move(entry.log_entry_id, datetime(2026, 2, 25, tzinfo=UTC))
    first_days = {"from": "2026-02-01T00:00:00Z", "to": "2026-02-02T00:00:00Z"}
    sweep(world, first_days, after=MINUTE)
    assert [one.moved_to for page in world.pages for one in page.missing.values()]
    world.store.delete(entry.log_entry_id)
    sweep(world, FEBRUARY, after=30 * MINUTE)
    for _ in range(30):
        a_day(world)
    assert published_ids(world, Change.DELETED) == [entry.log_entry_id]


def sweep(world: World, months: dict[str, str], *, after: timedelta = 2 * HOUR) -> None:
    world.now += after
    world.command({"command": "sweep", **months})
    world.export()


def test_deletions_that_a_dead_sweep_counted_count_no_more_once_the_entries_are_back() -> None:
    world = exported(60, max_deletions=3)
    gone = [world.store.delete(entry.log_entry_id) for entry in list(world.store)[3:6]]
    swept(world)
    update, died = world.timeline.update, list[str]()

    def die(page: Page, changed: Page) -> bool:
        if changed.state is PageState.WRITING and page.kind == "sweep" and not died:
            died.append(page.name)
            raise KeyboardInterrupt
        return update(page, changed)

    world.timeline.update = die  # type: ignore[method-assign]
    world.now += 2 * HOUR
    world.command({"command": "sweep", "from": "2026-01-01T00:00:00Z"})
    world.planner.tick()
    while world.queue.messages:
        try:
            world.work_on(world.queue.messages.pop(0))
        except KeyboardInterrupt:
            for entry in gone:
                world.store.add(entry)
    assert died
    world.now += timedelta(minutes=20)
    world.export()
    world.store.delete(list(world.store)[20].log_entry_id)
    swept(world)
    swept(world)
    assert held_deletions(world) == 0
    assert len(published_ids(world, Change.DELETED)) == 1


# ── what listings hide ───────────────────────────────────────────────────────────────────────────


def test_an_entry_that_only_its_id_shows_is_published_when_it_changes_and_counts_as_hidden() -> (
    None
):
    world = old_world(days=60, entries=40)
    world.export()
    for _ in range(5):
        a_day(world)
    hidden = sorted(world.store, key=lambda entry: entry.at_ms)[20]

    def change(listing: Listing, window: Window | None, _: int) -> Listing:
        records = tuple(r for r in listing.records if r.id != hidden.log_entry_id)
        hides = window is None or at(hidden) in window
        return replace(listing, records=records, total=listing.total - hides)

    edit(world, hidden)
    twist(world, change)
    for _ in range(12):
        a_day(world)
    assert published_ids(world, Change.UPDATED) == [hidden.log_entry_id]
    assert published_ids(world, Change.DELETED) == []
    [missing] = [one for page in world.pages for one in page.missing.values()]
    assert missing.is_present
    reconciliation = watermark(world).reconciliation
    assert reconciliation is not None
    assert reconciliation.difference == 1


# ── the filter check ─────────────────────────────────────────────────────────────────────────────


def test_one_empty_answer_does_not_clear_a_filter_that_contradicts() -> None:
    world = World(store=entries(100))
    world.export()
    world.simulator.behave(filter_time_zone="Asia/Tokyo")
    world.now += 25 * HOUR
    for n in range(30):
        world.simulator.insert(world.now - timedelta(minutes=40 * n + 3))
    assert isinstance(world.planner.tick().error, FilterError)
    query = world.api.query
    twist(world, lambda listing, *_: replace(listing, records=(), total=0))
    assert isinstance(world.planner.tick().error, FilterError)
    world.api.query = query  # type: ignore[method-assign]
    assert isinstance(world.planner.tick().error, FilterError)
    world.simulator.behave(filter_time_zone="UTC")
    for _ in range(8):
        assert world.planner.tick().error is None
        world.drain()
        world.now += HOUR
    assert [name for name in world.timeline.ended if name.startswith("sweep:filter")]
    assert settled(world, 2 * HOUR) <= exported_ids(world)


def test_one_record_that_no_second_lists_is_a_warning() -> None:
    world = World(store=entries(200), origin=datetime(2025, 6, 1, tzinfo=UTC))
    odd = world.simulator.insert(datetime(2025, 7, 10, 9, 0, tzinfo=UTC))

    def change(listing: Listing, window: Window | None, _: int) -> Listing:
        if window is None or window.length > timedelta(seconds=10):
            return listing
        records = tuple(one for one in listing.records if one.id != odd.log_entry_id)
        return replace(listing, records=records, total=len(records))

    twist(world, change)
    hours(world, 24)
    assert settled(world, 2 * HOUR) - {odd.log_entry_id} <= exported_ids(world)
    assert "2025-07-10T09:00:00Z" in summary(world)


# ── sweeps that follow ───────────────────────────────────────────────────────────────────────────


def test_an_export_to_which_entries_come_all_the_time_is_followed_up_too() -> None:
    world = World(store=entries(60))
    for _ in range(3 * 96):
        world.simulator.insert(world.now - timedelta(seconds=10))
        world.planner.tick()
        world.drain()
        world.now += timedelta(minutes=15)
    follow_up = watermark(world).follow_up
    assert follow_up is not None
    assert follow_up.requested_at is not None
    assert watermark(world).reconciliation is not None


def test_a_cancelled_backfill_is_followed_up() -> None:
    world = exported(60)
    job = world.command({"command": "backfill", "from": "2020-01-01T00:00:00Z"})["requested"]
    assert world.command({"command": "cancel", "name": job}) == {"cancelled": True}
    follow_up = watermark(world).follow_up
    assert follow_up is not None
    assert (follow_up.start.year, follow_up.requested_at) == (2020, None)


def test_a_page_that_no_sweep_can_read_is_named_until_one_does() -> None:
    world = exported(60)
    bad = list(world.store)[20]
    query = world.api.query
    poison(world, bad)
    for _ in range(6):
        swept(world)
    pages = [page for page in world.pages if page.error]
    assert any(at(bad) in page.window for page in pages)
    assert "could not be swept in full" in summary(world)
    status = read_status(world.timeline, world.queue, world.clock)
    assert {one["error"] for one in status["unread"]} == {"one record poisons the listing"}
    assert status["unreadPages"] == len(pages)
    world.api.query = query  # type: ignore[method-assign]
    swept(world)
    assert not [page for page in world.pages if page.error]
    assert "swept in full" not in summary(world)


def test_the_oldest_reading_is_never_said_to_be_younger_than_it_is() -> None:
    world = old_world(days=300, entries=60)
    world.export()
    for day in range(60):
        if day == 27:
            world.command({"command": "backfill", "from": "2015-01-01T00:00:00Z"})
        a_day(world)
        oldest = min(page.read_at for page in world.pages if page.read_at)
        full_sweep = watermark(world).full_sweep
        assert full_sweep is not None
        assert full_sweep.read_since <= oldest
