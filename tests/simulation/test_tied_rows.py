"""Different rows of one entry, which two pages stored at one instant: nobody can order them.

A sweep of both pages publishes the entry anew as soon as it knows the entry's version, and nothing
that it does not know.
"""

import json
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from cpd_exporter.model.row import Change, Row
from cpd_exporter.model.sweep_request import SweepRequest
from cpd_exporter.model.window import Window
from tests.simulation.test_look_ups import (
    HOUR,
    IN_FEBRUARY,
    JANUARY,
    MINUTE,
    days,
    fail_by_id,
    sweep,
)
from tests.simulation.test_moved_entries import wrong_once
from tests.simulation.test_old_changes import a_day
from tests.support.sweeps import at
from tests.support.world import World, entries

UNPLANNED = datetime(2027, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize("case", ["unplanned", "failing", "answered wrongly", "on another page"])
@pytest.mark.parametrize("seed", range(3))
def test_tied_rows_of_an_entry_beside_both_pages_are_settled(seed: int, case: str) -> None:
    world, mover, _ = tied(seed, IN_FEBRUARY if case == "on another page" else UNPLANNED)
    if case == "failing":
        fail_by_id(world, {mover})
    merge = partial(merged, world)
    if case == "answered wrongly":
        wrong_once(world, mover, merge)
    else:
        merge()
    vars(world.api).pop("entry", None)
    for _ in range(4):
        sweep(world, JANUARY)
    assert durations(world, mover)[-1] == 77
    assert known_to_subscribers(world, mover) == 77


@pytest.mark.parametrize("answer", ["true", "404 once", "500 once"])
def test_a_merge_publishes_no_row_over_a_later_one_of_another_page(answer: str) -> None:
    world, mover, _ = tied(0, IN_FEBRUARY)
    world.now += 10 * MINUTE
    world.store.edit(mover, durationMinutes=88)
    sweep_at(world, IN_FEBRUARY)
    if answer == "404 once":
        wrong_once(world, mover, partial(merged, world))
    else:
        if answer == "500 once":
            fail_by_id(world, {mover})
        merged(world)
    assert durations(world, mover)[-1] == 88


@pytest.mark.parametrize("seed", range(8))
def test_tied_rows_of_an_entry_that_is_listed_as_faulty_are_settled_later(seed: int) -> None:
    world, mover, first = tied(seed, UNPLANNED)
    world.store.edit(mover, durationMinutes="seven")
    world.store.move(mover, first.start + timedelta(seconds=3))
    merged(world)
    world.store.edit(mover, durationMinutes=77)
    world.store.move(mover, UNPLANNED)
    for _ in range(4):
        sweep(world, JANUARY)
    assert known_to_subscribers(world, mover) == 77


@pytest.mark.parametrize("is_deleted", [False, True])
def test_a_merge_of_tied_rows_revives_no_earlier_version(*, is_deleted: bool) -> None:
    world, first, second = exported_in_small_pages(0)
    mover = next(one.log_entry_id for one in world.store if at(one) in second)
    world.store.move(mover, IN_FEBRUARY)
    sweep_at(world, second.start)
    world.now += 2 * HOUR
    world.store.move(mover, first.start + timedelta(seconds=3))
    sweep_at(world, first.start)
    world.store.move(mover, IN_FEBRUARY)
    world.store.edit(mover, durationMinutes=77)
    sweep_at(world, second.start)
    world.now += 10 * MINUTE
    for _ in range(3):
        world.planner.tick()
        world.drain()
    if is_deleted:
        world.store.delete(mover)
        for _ in range(2):
            world.now += 2 * HOUR
            sweep_at(world, IN_FEBRUARY)
    merged(world)
    for _ in range(5):
        assert (last_row(world, mover).change is Change.DELETED) is is_deleted
        assert is_deleted or durations(world, mover)[-1] == 77
        a_day(world)


def tied(seed: int, aim: datetime) -> tuple[World, str, Window]:
    """A world in which two small pages of January have different rows of one instant; the entry is
    at ``aim`` by now, and the first page, whose window is returned, has its last version.
    """
    world, first, second = exported_in_small_pages(seed)
    mover = next(one.log_entry_id for one in world.store if at(one) in first)
    world.store.move(mover, second.start + timedelta(seconds=5))
    sweep_at(world, second.start)
    world.store.move(mover, aim)
    sweep_at(world, first.start)
    sweep_at(world, second.start)
    world.now += 2 * HOUR
    sweep_at(world, second.start)
    world.store.edit(mover, durationMinutes=77)
    if aim == IN_FEBRUARY:
        sweep_at(world, aim)
    sweep_at(world, first.start)
    instants = sorted(row.exported_at for row in world.rows if row.entry_id == mover)[-2:]
    assert instants[0] == instants[1]
    return world, mover, first


def exported_in_small_pages(seed: int) -> tuple[World, Window, Window]:
    """A world, and the windows of its first two pages."""
    world = World(store=entries(60), seed=seed, slice_target=5)
    world.export()
    days(world, 3)  # the sweep that follows an export would look again by itself
    world.now += 3 * HOUR
    first, second = [page.window for page in world.pages if page.entries][:2]
    return world, first, second


def sweep_at(world: World, start: datetime) -> None:
    """Sweep the page of an instant; the clock of the rows stays."""
    world.timeline.request_sweep(SweepRequest(start, world.now))
    world.planner.tick()
    world.drain()
    world.planner.tick()


def merged(world: World) -> None:
    """Sweep January as one page."""
    world.slice_target = 800
    sweep(world, JANUARY, after=10 * MINUTE)
    starts = [page.window.start for page in world.pages if page.entries]
    assert len([start for start in starts if start.month == 1 and start.year == 2026]) == 1


def rows_of(world: World, entry_id: str) -> list[Row]:
    rows = [row for row in world.rows if row.entry_id == entry_id]
    return sorted(rows, key=lambda row: row.exported_at)


def last_row(world: World, entry_id: str) -> Row:
    return rows_of(world, entry_id)[-1]


def durations(world: World, entry_id: str) -> list[object]:
    """The duration in each row of an entry, as stored one after the other."""
    return [json.loads(row.text)["durationMinutes"] for row in rows_of(world, entry_id)]


def known_to_subscribers(world: World, entry_id: str) -> object:
    """The duration in the event that a subscriber keeps."""
    events = [json.loads(one.body) for one in world.topic.published if one.entry_id == entry_id]
    return max(events, key=lambda event: event["sequence"])["data"]["entry"]["durationMinutes"]
