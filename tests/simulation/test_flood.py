"""Only the planner sends: parts of a split wait for a tick, within its bounds, after new pages."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from cpd_exporter.planner.report import TickReport
from cpd_exporter.source.window_splitter import MAX_SPLIT_PARTS
from cpd_exporter.worker.context import Outcome
from tests.support.samples import works
from tests.support.world import World, entries

FEBRUARY = datetime(2026, 2, 1, tzinfo=UTC)
MARCH = datetime(2026, 3, 1, tzinfo=UTC)
TICK = timedelta(minutes=5)
OUTSTANDING = 80
"""New pages; a backfill has a quarter of it."""


def unbelieved(*, count: int = 300) -> World:
    """March is exported. February is to be backfilled, and each of its totals is absurd."""
    world = World(store=entries(count, first=FEBRUARY, end=MARCH), origin=MARCH)
    world.export()
    world.simulator.behave(totals_extra=10**12, per_page_cap=2)
    world.command({"command": "backfill", "from": "2026-02-01T00:00:00Z"})
    return world


def tick(world: World) -> TickReport:
    planner = world.planner
    limits = replace(planner.limits, max_outstanding_pages=OUTSTANDING)
    return replace(planner, limits=limits).tick()


def work_on(world: World, messages: int) -> None:
    for _ in range(min(messages, len(world.queue.messages))):
        world.work_on(world.queue.messages.pop(0))


def test_a_worker_that_splits_sends_nothing() -> None:
    world = unbelieved()
    tick(world)
    [message] = works(world.queue)
    world.queue.messages.clear()
    assert world.worker.handle(message).outcome is Outcome.SPLIT
    assert not world.queue.messages
    parts = list(world.timeline.undone())
    assert len(parts) == MAX_SPLIT_PARTS
    assert {part.sent_at for part in parts} == {None}


def test_the_next_tick_sends_the_parts_of_a_split() -> None:
    world = unbelieved()
    tick(world)
    work_on(world, 1)
    world.now += TICK
    tick(world)
    sent = [one for one in works(world.queue) if one.start < MARCH]
    assert len(sent) == MAX_SPLIT_PARTS


def test_a_new_page_never_waits_behind_more_of_the_past_than_its_share() -> None:
    """A month of unbelieved totals shatters into thousands of parts."""
    world = unbelieved()
    for _ in range(20):
        world.now += TICK
        tick(world)
        past = [one for one in works(world.queue) if one.start < MARCH]
        assert len(past) <= OUTSTANDING // 4
        work_on(world, 12)
    assert len(list(world.timeline.undone())) > OUTSTANDING
    world.simulator.insert(world.now - timedelta(minutes=1))
    world.now += TICK
    before = len(world.queue.messages)
    tick(world)
    assert works(world.queue)[before].start >= MARCH
    assert before <= OUTSTANDING // 4 + 2


def shattering(*, ticks: int) -> World:
    """February is new, and shatters into more parts than the bound, of which workers do a few."""
    world = World(store=entries(300, first=FEBRUARY, end=MARCH), origin=FEBRUARY)
    world.simulator.behave(totals_extra=10**12, per_page_cap=2)
    for _ in range(ticks):
        tick(world)
        work_on(world, 12)
        world.now += TICK
    assert len(list(world.timeline.undone())) > OUTSTANDING
    return world


def test_a_new_page_never_waits_behind_parts_of_splits() -> None:
    world = shattering(ticks=20)
    for _ in range(5):
        world.simulator.insert(world.now - timedelta(minutes=3))
        world.now += TICK
        before = len(world.queue.messages)
        report = tick(world)
        assert report.planned_through == world.now - timedelta(minutes=2)
        first = works(world.queue)[before:][: OUTSTANDING // 4]
        assert report.planned_through in {work.window.end for work in first}


def test_of_the_parts_of_splits_the_latest_go_first() -> None:
    world = shattering(ticks=20)
    world.queue.messages.clear()
    world.now += timedelta(days=1)
    tick(world)
    sent = [work.start for work in works(world.queue) if work.start < MARCH]
    waiting = [page.window.start for page in world.timeline.undone() if not page.sent_at]
    assert sent == sorted(sent, reverse=True)
    assert min(sent) > max(start for start in waiting if start < MARCH)


def test_parts_of_new_pages_stay_within_the_bound_too() -> None:
    world = World(store=entries(300, first=FEBRUARY, end=MARCH), origin=FEBRUARY)
    world.simulator.behave(totals_extra=10**12, per_page_cap=2)
    most = 0
    for _ in range(20):
        tick(world)
        assert len(world.queue.messages) <= OUTSTANDING
        work_on(world, 35)
        world.now += TICK
        most = max(most, len(list(world.timeline.undone())))
    assert most > OUTSTANDING


def test_what_was_split_over_many_ticks_is_exported_exactly() -> None:
    store = entries(300, first=MARCH, end=MARCH + timedelta(days=3))
    world = World(store=store, origin=MARCH)
    world.simulator.behave(per_page_cap=50, totals_extra=2000)
    world.export(ticks=200)
    world.assert_exact()
