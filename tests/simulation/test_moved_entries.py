"""Entries that moved, and then one wrong answer: no page deletes what the API still has."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial

import pytest

from cpd_exporter.errors import PermanentError
from cpd_exporter.model.event import Event
from cpd_exporter.model.page import PageState
from cpd_exporter.model.row import Change
from tests.simulation.test_look_ups import (
    FEBRUARY,
    HOUR,
    IN_FEBRUARY,
    JANUARY,
    MINUTE,
    days,
    fail_by_id,
    january,
    last_change,
    summary,
    sweep,
)
from tests.support.sweeps import exported, held_deletions, poison
from tests.support.world import World


def wrong_once(world: World, entry_id: str, sweeping: Callable[[], object]) -> None:
    """Sweep while the API answers 404 to an ID that it has."""
    look_up = world.api.entry
    world.api.entry = lambda one: None if one == entry_id else look_up(one)  # type: ignore[method-assign, assignment]
    sweeping()
    world.api.entry = look_up  # type: ignore[method-assign]


def restored(world: World, entry_id: str, sweeping: Callable[[], object]) -> None:
    """Sweep while the API does not have an entry that it has again later."""
    gone = world.store.delete(entry_id)
    sweeping()
    world.store.add(gone)


HOW = pytest.mark.parametrize("strike", [wrong_once, restored], ids=["wrong once", "restored"])
type Strike = Callable[[World, str, Callable[[], object]], None]


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


def test_two_pages_that_an_entry_left_for_each_other_do_not_wait_for_each_other() -> None:
    world = exported(60)
    mover = january(world)[3]
    world.store.move(mover, IN_FEBRUARY)
    for month in (FEBRUARY, JANUARY):
        sweep(world, month, after=10 * MINUTE)
    world.store.move(mover, datetime(2026, 1, 9, tzinfo=UTC))
    sweep(world, FEBRUARY, after=10 * MINUTE)
    world.store.delete(mover)
    for _ in range(3):
        for month in (JANUARY, FEBRUARY):
            sweep(world, month)
    assert last_change(world, mover) is Change.DELETED


@HOW
@pytest.mark.parametrize("failing", ["each", "many"])
def test_what_nobody_looked_up_is_not_looked_up_yet(strike: Strike, failing: str) -> None:
    """Others fail until the sweep stops asking."""
    world = exported(160)
    days(world, 3)
    ids = sorted(january(world))
    mover, bad = ids[-1], set(ids[:20])
    world.store.move(mover, IN_FEBRUARY)
    sweep(world, FEBRUARY)
    for entry_id in bad:
        world.store.delete(entry_id)
    everything = {entry.log_entry_id for entry in world.store} | bad
    fail_by_id(world, everything if failing == "each" else bad)
    sweep(world, JANUARY)
    del world.api.entry
    strike(world, mover, partial(sweep, world, JANUARY))
    days(world, 20)
    assert last_change(world, mover) is not Change.DELETED


@HOW
def test_an_entry_at_a_date_that_is_not_planned_outlives_one_wrong_answer(strike: Strike) -> None:
    world = exported(60)
    mover = january(world)[3]
    world.store.move(mover, datetime(2027, 1, 1, tzinfo=UTC))
    for _ in range(2):
        sweep(world, JANUARY)
    strike(world, mover, partial(sweep, world, JANUARY))
    sweep(world, JANUARY)
    assert last_change(world, mover) is Change.UPDATED
    world.store.delete(mover)
    for _ in range(2):
        sweep(world, JANUARY)
    assert last_change(world, mover) is Change.DELETED


@HOW
def test_a_page_that_has_stored_the_entry_and_not_ended_publishes_its_deletion(
    strike: Strike,
) -> None:
    world = exported(60)
    days(world, 3)
    mover, new_date = january(world)[3], world.now + 10 * MINUTE
    world.store.move(mover, new_date)
    world.now += 30 * MINUTE
    refuse_created(world, mover)
    for _ in range(8):
        world.planner.tick()
        world.drain()
        world.now += 3 * MINUTE
    page = world.timeline.page_at(new_date)
    assert page
    assert page.state is PageState.STORED

    sweep_beside_failures(world, JANUARY)
    for _ in range(2):
        strike(world, mover, partial(sweep_beside_failures, world, JANUARY))
    del world.topic.publish
    days(world, 20)
    assert last_change(world, mover) is not Change.DELETED


def test_a_sweep_that_has_stored_the_entry_and_not_ended_publishes_its_deletion() -> None:
    world = exported(60)
    days(world, 3)
    mover = january(world)[3]
    world.store.move(mover, IN_FEBRUARY)
    sweep(world, JANUARY)
    refuse_created(world, mover)
    world.now += 2 * HOUR
    for month in (FEBRUARY, JANUARY):
        world.command({"command": "sweep", **month})
    world.planner.tick()
    of_february, of_january = sorted(world.queue.messages, key=str, reverse=True)
    world.queue.messages.clear()
    world.work_on(of_february)
    wrong_once(world, mover, partial(world.work_on, of_january))
    wrong_once(world, mover, partial(sweep_beside_failures, world, JANUARY))
    del world.topic.publish
    days(world, 20)
    assert last_change(world, mover) is not Change.DELETED


def sweep_beside_failures(world: World, month: dict[str, str]) -> None:
    """Sweep a month; the work that fails is tried again later."""
    world.now += 2 * HOUR
    world.command({"command": "sweep", **month})
    world.planner.tick()
    world.drain()


def refuse_created(world: World, entry_id: str) -> None:
    """Let publishing fail over the entry's row on the page of its new date."""
    publish = world.topic.publish

    def failing(events: Sequence[Event]) -> dict[str, str]:
        if any(e.entry_id == entry_id and e.attributes["change"] == "created" for e in events):
            raise PermanentError("the topic is gone")
        return publish(events)

    world.topic.publish = failing  # type: ignore[method-assign]


def test_a_damaged_index_of_the_new_date_stops_no_other_entry() -> None:
    world = exported(60)
    mover, edited = january(world)[3], january(world)[7]
    world.store.move(mover, IN_FEBRUARY)
    sweep(world, FEBRUARY)
    sweep(world, JANUARY)
    world.store.delete(mover)
    page = world.timeline.page_at(IN_FEBRUARY)
    assert page
    key = page.index_key or page.object
    assert key
    kept = world.lake.objects.pop(key)
    sweep(world, JANUARY)
    world.store.edit(edited, description="edited")
    assert "WorkGivenUp" in sweep(world, JANUARY)
    assert last_change(world, edited) is Change.UPDATED
    assert f"missing entry {mover} cannot be judged: the lake has no object {key}" in summary(world)
    world.lake.objects[key] = kept
    for month in (FEBRUARY, FEBRUARY, JANUARY):
        sweep(world, month)
    assert last_change(world, mover) is Change.DELETED
    assert "cannot be judged" not in summary(world)


def test_a_page_that_cannot_be_read_leaves_the_deletion_to_the_page_before() -> None:
    world = exported(60)
    days(world, 3)
    mover, new_date = january(world)[3], world.now + 10 * MINUTE
    poison(world, world.simulator.insert(new_date))
    world.store.move(mover, new_date)
    world.now += 30 * MINUTE
    for _ in range(30):
        world.planner.tick()
        world.drain()
        world.now += 30 * MINUTE
    page = world.timeline.page_at(new_date)
    assert page
    assert page.hole_since
    for _ in range(2):
        sweep_beside_failures(world, JANUARY)
    world.store.delete(mover)
    for _ in range(3):
        sweep_beside_failures(world, JANUARY)
    assert last_change(world, mover) is Change.DELETED
