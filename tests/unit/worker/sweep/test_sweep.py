"""A sweep that may have stored rows is never divided, and is a hole where it keeps failing."""

from dataclasses import replace
from datetime import timedelta

from cpd_exporter.errors import MalformedResponseError
from cpd_exporter.model.message import PageMessage
from cpd_exporter.model.page import Page, PageState
from cpd_exporter.worker.context import Outcome, WorkReport
from tests.support.pages import attempt
from tests.support.samples import works
from tests.support.sweeps import exported, poison, refresh, swept
from tests.support.world import World


def writing() -> tuple[World, PageMessage]:
    """A sweep of a page, whose worker died before its object was stored."""
    world = exported(200, full_sweep=timedelta(0))
    refresh(world, next(iter(world.store)))
    world.planner.tick()
    [work] = [one for one in works(world.queue) if isinstance(one, PageMessage)]
    world.queue.messages.clear()
    sweep = sweep_of(world)
    assert world.timeline.update(sweep, replace(sweep, state=PageState.WRITING, revision="1"))
    return world, work


def sweep_of(world: World) -> Page:
    [sweep] = world.timeline.sweeps()
    return sweep


def test_it_is_never_divided() -> None:
    world, work = writing()
    world.simulator.behave(per_page_cap=20)
    assert world.worker.handle(work).outcome is Outcome.DONE
    world.simulator.behave(per_page_cap=None)
    assert swept(world) == []


def test_where_it_keeps_failing_it_is_a_hole_that_nobody_holds() -> None:
    world, work = writing()
    poison(world, next(iter(world.store)))
    while isinstance(ended := attempt(world, work), MalformedResponseError):
        pass
    assert isinstance(ended, WorkReport)
    assert ended.outcome is Outcome.HOLE
    sweep = sweep_of(world)
    assert (sweep.hole_since, sweep.lease_until) == (world.now, None)


def test_its_key_is_reserved_before_its_object_is_written() -> None:
    world = exported(60, full_sweep=timedelta(0))
    states = list[PageState]()
    put_new = world.lake.put_new

    def noted(key: str, body: bytes) -> bool:
        if key.startswith("entries/"):
            states.append(sweep_of(world).state)
        return put_new(key, body)

    world.lake.put_new = noted  # type: ignore[method-assign]
    edited = next(iter(world.store))
    world.store.edit(edited.log_entry_id, durationMinutes=7)
    refresh(world, edited)
    world.export()
    assert states == [PageState.WRITING]
