"""A sweep command over pages that a sweep has reserved: they are swept again after that sweep."""

from dataclasses import replace
from datetime import timedelta

from cpd_exporter.model.message import PageMessage
from cpd_exporter.model.page import Page, PageState
from cpd_exporter.model.row import Change
from cpd_exporter.model.sweep_request import SweepRequest
from cpd_exporter.model.watermark import Watermark
from cpd_exporter.planner.sweep_planner import SweepPlanner
from tests.support.fakes import FakeTimeline
from tests.support.samples import START, TENANT, page, works
from tests.support.world import World, entries

SWEEP = {"command": "sweep", "from": "2026-01-01T00:00:00Z"}


def exported(count: int = 120) -> World:
    world = World(store=entries(count))
    world.export()
    return world


def edited(world: World) -> list[str]:
    return [row.entry_id for row in world.rows if row.change is Change.UPDATED]


def test_a_sweep_over_pages_that_a_sweep_has_reserved_is_not_dropped() -> None:
    world = exported()
    world.command(SWEEP)
    world.planner.tick()
    read_before_the_edit = works(world.queue)
    assert read_before_the_edit
    # The worker reads its window, then the edit comes, then the operator's second command.
    entry = next(iter(world.store)).log_entry_id
    [message, *others] = [
        one for one in read_before_the_edit if world.timeline.page(one.start, one.kind)
    ]
    world.queue.messages[:] = others
    query = world.api.query

    def read_then_edit(*args: object, **options: object) -> object:
        listing = query(*args, **options)  # type: ignore[arg-type]
        world.api.query = query  # type: ignore[method-assign]
        world.store.edit(entry, description="edited behind the first sweep")
        world.command(SWEEP)
        world.planner.tick()
        return listing

    world.api.query = read_then_edit  # type: ignore[method-assign, assignment]
    world.work_on(message)
    world.export()
    assert edited(world) == [entry]
    assert world.at_rest


def test_pages_that_are_passed_over_are_requested_once() -> None:
    """A request that is renewed each tick would sweep the same pages for ever."""
    world = exported()
    world.command(SWEEP)
    world.planner.tick()
    world.command(SWEEP | {"to": "2026-03-14T00:00:00Z"})
    world.planner.tick()
    requests = list(world.timeline.sweep_requests())
    assert requests
    assert not list(world.timeline.jobs())
    world.now += timedelta(minutes=5)
    world.planner.tick()
    assert list(world.timeline.sweep_requests()) == requests


def test_what_is_free_is_swept_at_once_beside_what_is_reserved() -> None:
    world = exported()
    [first, *_] = [page for page in world.pages if page.entries]
    world.command({"command": "refresh", "logEntryIds": [next(iter(world.store)).log_entry_id]})
    world.planner.tick()
    world.drain()
    world.planner.tick()
    reserved = [page for page in world.pages if page.reserved_by]
    assert [page.window for page in reserved] == [first.window]
    world.command(SWEEP)
    world.planner.tick()
    swept = [one.window for one in works(world.queue) if isinstance(one, PageMessage)]
    assert all(page.reserved_by for page in world.pages)
    assert first.window.start in [request.at for request in world.timeline.sweep_requests()]
    assert len(swept) > 1
    world.export()
    assert world.at_rest


def test_a_full_sweep_asks_for_nothing_that_another_sweep_has() -> None:
    world = exported()
    world.command(SWEEP)
    world.planner.tick()
    assert all(page.reserved_by for page in world.pages)
    watermark = world.timeline.watermark()
    assert watermark is not None
    planner = SweepPlanner(world.timeline, lambda: world.now, lambda: "token")
    start, end, sweeps = watermark.exported_from, watermark.exported_through, list[Page]()
    reached = planner.reserve_through(start, end, watermark, sweeps, 9, read_before=world.now)
    assert (reached, sweeps, list(world.timeline.sweep_requests())) == (end, [], [])


def test_requests_take_no_more_sweeps_than_there_is_room_for() -> None:
    world = exported()
    for one in world.pages[:3]:
        world.timeline.request_sweep(SweepRequest(one.window.start, world.now))
    watermark = world.timeline.watermark()
    assert watermark is not None
    planner = SweepPlanner(world.timeline, lambda: world.now, world.new_token)
    assert len(planner.plan(watermark, max_sweeps=2)) == 2


def test_a_tick_without_time_says_how_far_it_passed_over_pages() -> None:
    timeline = FakeTimeline(TENANT)
    hour = timedelta(hours=1)
    for n in range(4):
        start = START + n * hour
        done = page(start=start, state=PageState.DONE)
        timeline.stored_pages[start] = replace(done, read_at=START + 5 * hour)
    end = START + 4 * hour
    watermark = Watermark("e" * 16, START, end, START, end)
    planner = SweepPlanner(timeline, lambda: end, lambda: "token", lambda: False)
    sweeps = list[Page]()
    reached = planner.reserve_through(START, end, watermark, sweeps, 9, read_before=end)
    assert (reached, sweeps) == (START + hour, [])


def test_no_page_beyond_the_end_is_reserved() -> None:
    timeline = FakeTimeline(TENANT)
    hour = timedelta(hours=1)
    for n in range(4):
        start = START + n * hour
        timeline.stored_pages[start] = page(start=start, state=PageState.DONE)
    watermark = Watermark("e" * 16, START, START + 4 * hour, START, START + 4 * hour)
    planner = SweepPlanner(timeline, lambda: START, lambda: "token")
    sweeps = list[Page]()
    end = START + 2 * hour
    assert planner.reserve_through(START, end, watermark, sweeps, 9) == end
    assert [sweep.window.end for sweep in sweeps] == [end]
