"""An API that answers nothing: to wide ranges, for a moment, or to a worker alone."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cpd_exporter.model.entry import Listing
from cpd_exporter.model.page import PageState
from cpd_exporter.model.window import Window
from simulator.behaviour import Behaviour, InjectedFault
from simulator.entry_writer import Profile, seeded
from simulator.simulator import Simulator
from simulator.source import EntryStore
from tests.support.fakes import FakeApi
from tests.support.world import NOW, World

FIRST_DATE = datetime(2000, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


class SilentApi(FakeApi):
    """Lists nothing in the windows for which ``is_silent``."""

    def __init__(self, simulator: Simulator, is_silent: Callable[[Window], bool]) -> None:
        super().__init__(simulator)
        self._is_silent = is_silent

    def query(self, window: Window | None, *, page: int = 1, per_page: int = 1000) -> Listing:
        listing = super().query(window, page=page, per_page=per_page)
        if window is not None and self._is_silent(window):
            return replace(listing, records=(), total=0)
        return listing


def years(count: int, entries: int) -> EntryStore:
    return seeded(Profile(first=NOW - count * 365 * DAY, end=NOW - DAY, entries=entries))


def published(world: World) -> set[str]:
    return {event.entry_id for event in world.topic.published}


def everything(world: World) -> set[str]:
    return {entry.log_entry_id for entry in world.store}


@pytest.mark.parametrize("days", [32, 366])
def test_an_api_that_answers_nothing_to_wide_ranges_hides_no_entry(days: int) -> None:
    world = World(store=years(5, 500), origin=FIRST_DATE)
    world.api = SilentApi(world.simulator, lambda window: window.length > days * DAY)
    world.export()
    assert published(world) == everything(world)


def test_one_empty_answer_is_believed_for_a_month_at_most() -> None:
    fault = InjectedFault(kind="nothing", after=4, times=1)
    world = World(
        store=years(3, 1000), origin=NOW - 3 * 365 * DAY, behaviour=Behaviour(faults=(fault,))
    )
    world.export()
    lost = everything(world) - published(world)
    assert len(lost) < 1000 / 36 * 2


@pytest.mark.parametrize("asked_again", [0, 1, 2])
def test_a_worker_that_reads_nothing_where_the_planner_counted_asks_again(asked_again: int) -> None:
    world = World(store=years(3, 1000), origin=NOW - 3 * 365 * DAY)
    world.planner.tick()
    messages = len(world.queue.messages)
    world.simulator.behave(
        faults=(InjectedFault(kind="nothing", times=messages * (1 + asked_again)),)
    )
    world.drain()
    assert not [page for page in world.pages if page.state is PageState.DONE and page.counted]
    world.simulator.behave(faults=())
    world.export()
    assert published(world) == everything(world)


def test_a_page_whose_entries_were_all_deleted_meanwhile_ends() -> None:
    world = World(store=years(1, 30), origin=NOW - 365 * DAY)
    world.planner.tick()
    for entry in list(world.store):
        world.store.delete(entry.log_entry_id)
    reports = world.export()
    assert (reports[-1].holes, reports[-1].undone) == (0, 0)
    assert not published(world)


def test_a_listing_that_stays_empty_against_the_count_becomes_a_hole() -> None:
    world = World(store=years(1, 30), origin=NOW - 365 * DAY)
    world.planner.tick()

    class Unlisted(FakeApi):
        """Counts entries, and lists none of them in a full offset page."""

        def query(self, window: Window | None, *, page: int = 1, per_page: int = 1000) -> Listing:
            listing = super().query(window, page=page, per_page=per_page)
            return listing if per_page == 1 else replace(listing, records=(), total=0)

    world.api = Unlisted(world.simulator)
    assert world.export(200)[-1].holes > 0
    assert not [page for page in world.pages if page.state is PageState.DONE and page.counted]


def test_the_first_date_2000_costs_about_a_call_a_month_once() -> None:
    world = World(origin=FIRST_DATE)
    world.planner.tick()
    assert 315 <= world.api.calls <= 325
    world.planner.tick()
    assert world.api.calls <= 327


def test_the_months_without_entries_are_planned_over_several_ticks() -> None:
    world = World(origin=FIRST_DATE)
    calls = 0

    def has_time_left() -> bool:
        nonlocal calls
        calls += 1
        return calls % 50 != 0

    planned = [world.planner.tick(has_time_left=has_time_left).planned for _ in range(8)]
    assert sum(planned) == 315
    assert max(planned) < 60
    assert world.pages[-1].window.end == NOW - timedelta(seconds=120)
