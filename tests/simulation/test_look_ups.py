"""Look-ups by ID that fail, lie or lack a control: no deletion is wrong, and none is silent."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from cpd_exporter.errors import ServerError
from cpd_exporter.model.entry import Entry, FaultyEntry, Listing
from cpd_exporter.model.page import MissingEntry
from cpd_exporter.model.row import Change
from cpd_exporter.model.window import Window
from cpd_exporter.planner.status import read_status
from cpd_exporter.planner.summary import summarise
from cpd_exporter.worker.metrics import report_metrics
from cpd_exporter.worker.sweep.look_up import MAX_FAILURES, MAX_OUTAGES
from tests.simulation.test_old_changes import a_day
from tests.support.sweeps import at, exported, held_deletions, published_ids, twist
from tests.support.world import World

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
JANUARY = {"from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z"}
FEBRUARY = {"from": "2026-02-01T00:00:00Z", "to": "2026-03-01T00:00:00Z"}
IN_FEBRUARY = datetime(2026, 2, 10, tzinfo=UTC)

type Found = Entry | FaultyEntry | None


def sweep(world: World, month: dict[str, str], *, after: timedelta = 2 * HOUR) -> set[str]:
    """Sweep a month; returns the metrics of the workers."""
    world.now += after
    world.command({"command": "sweep", **month})
    metrics = set[str]()
    for _ in range(2):
        world.planner.tick()
        while world.queue.messages:
            world.now += timedelta(seconds=1)
            metrics |= set(report_metrics(world.worker.handle(world.queue.messages.pop(0))))
    return metrics


def january(world: World) -> list[str]:
    return [entry.log_entry_id for entry in world.store if at(entry).month == 1]


def days(world: World, count: int) -> None:
    for _ in range(count):
        a_day(world)


def fail_by_id(world: World, bad: set[str]) -> list[str]:
    """Let the API answer 500 to these IDs; returns those that it was asked for, as they come."""
    look_up, asked = world.api.entry, list[str]()

    def entry(entry_id: str) -> Found:
        if entry_id in bad:
            asked.append(entry_id)
            raise ServerError("GET by ID answered 500")
        return look_up(entry_id)

    world.api.entry = entry  # type: ignore[method-assign]
    return asked


def lists_nothing_unfiltered(world: World) -> None:
    def change(listing: Listing, window: Window | None, _: int) -> Listing:
        return listing if window else replace(listing, records=(), total=0)

    twist(world, change)


def last_change(world: World, entry_id: str) -> Change:
    rows = [row for row in world.rows if row.entry_id == entry_id]
    return max(rows, key=lambda row: row.exported_at).change


def summary(world: World) -> str:
    return summarise(read_status(world.timeline, world.queue, world.clock), world.now)


# ── look-ups that fail ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("count", [1, 4])
def test_ids_that_the_api_fails_over_hold_up_no_other_and_are_heard(count: int) -> None:
    world = exported(60)
    bad, sound = january(world)[:count], january(world)[count : count + 5]
    for entry_id in bad:
        world.store.delete(entry_id)
    sweep(world, JANUARY)
    for entry_id in sound:
        world.store.delete(entry_id)
    mover = january(world)[8]
    world.store.move(mover, datetime(2025, 12, 3, tzinfo=UTC))
    fail_by_id(world, set(bad))
    metrics = [sweep(world, JANUARY) for _ in range(3)]
    assert set(published_ids(world, Change.DELETED)) == set(sound)
    assert mover in published_ids(world, Change.UPDATED)
    assert all("WorkGivenUp" in one for one in metrics)
    assert f"missing entry {bad[-1]} cannot be looked up: GET by ID answered 500" in summary(world)
    del world.api.entry
    assert "WorkGivenUp" not in sweep(world, JANUARY)
    assert set(published_ids(world, Change.DELETED)) == {*sound, *bad}
    assert "cannot be looked up" not in summary(world)


def test_however_many_ids_the_api_fails_over_a_sweep_ends_and_asks_for_others_first() -> None:
    world = exported(160)
    gone = january(world)[:45]
    for entry_id in gone:
        world.store.delete(entry_id)
    sweep(world, JANUARY)
    bad = set(gone[:25])
    asked = fail_by_id(world, bad)
    sweep(world, JANUARY)
    assert len(asked) <= 1 + MAX_FAILURES
    sweep(world, JANUARY)
    assert set(published_ids(world, Change.DELETED)) == set(gone) - bad


def test_an_outage_of_look_ups_asks_for_few() -> None:
    world = exported(60)
    gone = january(world)[:12]
    for entry_id in gone:
        world.store.delete(entry_id)
    sweep(world, JANUARY)
    everything = {entry.log_entry_id for entry in world.store} | set(gone)
    asked = fail_by_id(world, everything)
    sweep(world, JANUARY)
    assert [one for one in asked if one in gone] == [gone[0], *gone[:3]]
    assert len(asked) == 4 + MAX_OUTAGES
    del world.api.entry
    sweep(world, JANUARY)
    assert set(published_ids(world, Change.DELETED)) == set(gone)


# ── controls ─────────────────────────────────────────────────────────────────────────────────────


def test_where_all_of_a_page_is_gone_the_pages_beside_it_are_the_control() -> None:
    world = exported(60)
    gone = january(world)
    lists_nothing_unfiltered(world)
    for entry_id in gone:
        world.store.delete(entry_id)
    for _ in range(2):
        sweep(world, JANUARY)
    assert set(published_ids(world, Change.DELETED)) == set(gone)


def test_a_listed_entry_that_cannot_be_looked_up_is_not_the_only_control() -> None:
    world = exported(60)
    first, *others = january(world)
    fail_by_id(world, {first})
    for entry_id in others[5:8]:
        world.store.delete(entry_id)
    for _ in range(2):
        sweep(world, JANUARY)
    assert set(published_ids(world, Change.DELETED)) == set(others[5:8])


def test_deletions_without_a_control_are_heard() -> None:
    world = exported(60)
    gone = january(world)[:3]
    for entry_id in gone:
        world.store.delete(entry_id)
    sweep(world, JANUARY)
    world.api.entry = lambda _: None  # type: ignore[method-assign, assignment]
    assert "WorkGivenUp" in sweep(world, JANUARY)
    assert "by ID neither" in summary(world)
    assert published_ids(world, Change.DELETED) == []


# ── entries that moved ───────────────────────────────────────────────────────────────────────────


def wrong_once(world: World, entry_id: str, sweeping: partial[set[str]]) -> None:
    """Sweep while the API answers 404 to an ID that it has."""
    look_up = world.api.entry
    world.api.entry = lambda one: None if one == entry_id else look_up(one)  # type: ignore[method-assign, assignment]
    sweeping()
    world.api.entry = look_up  # type: ignore[method-assign]


def restored(world: World, entry_id: str, sweeping: partial[set[str]]) -> None:
    """Sweep while the API does not have an entry that it has again later."""
    gone = world.store.delete(entry_id)
    sweeping()
    world.store.add(gone)


HOW = pytest.mark.parametrize("strike", [wrong_once, restored], ids=["wrong once", "restored"])
type Strike = Callable[[World, str, partial[set[str]]], None]


@HOW
def test_a_first_look_up_that_failed_is_made_again(strike: Strike) -> None:
    world = exported(60)
    days(world, 3)  # the sweep that follows an export would look again by itself
    mover = january(world)[3]
    world.store.move(mover, IN_FEBRUARY)
    sweep(world, FEBRUARY)
    fail_by_id(world, {mover})
    sweep(world, JANUARY)
    del world.api.entry
    strike(world, mover, partial(sweep, world, JANUARY))
    days(world, 20)
    assert last_change(world, mover) is not Change.DELETED


@HOW
def test_held_deletions_leave_room_for_first_look_ups(strike: Strike) -> None:
    world = exported(900, max_deletions=0)
    *others, mover = january(world)
    for entry_id in others[:205]:
        world.store.delete(entry_id)
    for _ in range(6):
        sweep(world, JANUARY)
    assert held_deletions(world) == 205
    world.max_deletions = 500
    world.store.move(mover, IN_FEBRUARY)
    sweep(world, FEBRUARY)
    sweep(world, JANUARY)
    world.command({"command": "confirm-deletions"})
    strike(world, mover, partial(sweep, world, JANUARY))
    days(world, 10)
    assert last_change(world, mover) is not Change.DELETED


@HOW
def test_a_deletion_is_left_to_the_page_of_the_latest_row(strike: Strike) -> None:
    """That page knows that the entry had moved on, but not yet that it is back."""
    world = exported(60)
    mover = january(world)[3]
    world.store.move(mover, IN_FEBRUARY)
    sweep(world, FEBRUARY, after=10 * MINUTE)
    sweep(world, JANUARY, after=10 * MINUTE)
    world.store.move(mover, datetime(2026, 3, 5, tzinfo=UTC))
    sweep(world, FEBRUARY, after=10 * MINUTE)
    world.store.move(mover, IN_FEBRUARY)
    strike(world, mover, partial(sweep, world, JANUARY, after=HOUR))
    days(world, 3)
    assert last_change(world, mover) is not Change.DELETED


def test_an_entry_that_only_its_id_shows_is_noted_as_present() -> None:
    world = exported(60)
    hidden = january(world)[3]

    def change(listing: Listing, *_: object) -> Listing:
        records = tuple(record for record in listing.records if record.id != hidden)
        return replace(listing, records=records, total=len(records))

    twist(world, change)
    sweep(world, JANUARY)
    sweep(world, JANUARY)
    [missing] = [one for page in world.pages for one in page.missing.values()]
    assert missing == MissingEntry(world.now, is_present=True)
