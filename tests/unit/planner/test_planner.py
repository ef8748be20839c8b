"""The planner: what one tick does, and what it leaves for the next one."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Literal

import pytest

from cpd_exporter.errors import AccessError, FilterError, TransientError
from cpd_exporter.model.breaker import Breaker
from cpd_exporter.model.job import JobKind
from cpd_exporter.model.message import Message
from cpd_exporter.model.page import MissingEntry, PageState, WorkKind
from cpd_exporter.model.refusal import Refusal
from cpd_exporter.model.sweep_request import SweepRequest
from cpd_exporter.model.watermark import Watermark
from cpd_exporter.planner.planner import Planner
from simulator.behaviour import InjectedFault
from tests.support.fakes import FakeQueue
from tests.support.planning_worlds import HORIZON, SETTLE, assert_tiles, planned_through, world
from tests.support.samples import works
from tests.support.world import NOW, ORIGIN, TENANT, World, entries


def planner(world: World, *, target: int | None = None, **changes: Any) -> Planner:
    """The world's planner with another plan, which slices for so many entries a page."""
    limits = replace(world.planner.limits, **changes)
    if target is not None:
        limits = replace(limits, slice_policy=replace(limits.slice_policy, target=target))
    return replace(world.planner, limits=limits)


def test_the_first_tick_creates_the_timeline() -> None:
    it = world(500)
    report = it.planner.tick()
    watermark = it.timeline.watermark()
    assert watermark is not None
    assert (watermark.origin, watermark.exported_from) == (ORIGIN, ORIGIN)
    assert watermark.planned_through == HORIZON == report.planned_through
    assert watermark.last_tick is not None
    assert watermark.last_tick.error is None
    assert_tiles(it)
    assert {page.timeline_id for page in it.pages} == {watermark.timeline_id}
    assert [work.window for work in works(it.queue)] == [
        page.window for page in it.pages if page.state is PageState.OPEN
    ]
    assert all(page.sent_at == NOW for page in it.pages if page.state is PageState.OPEN)
    assert all(work.tenant_id == TENANT for work in works(it.queue))


def test_nothing_new_plans_nothing() -> None:
    it = world(10)
    it.export()
    before = it.pages
    assert it.planner.tick().planned == 0
    assert it.pages == before


@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(seconds=119), timedelta(days=400)])
def test_a_first_date_that_is_not_yet_past_plans_nothing(ahead: timedelta) -> None:
    it = world(origin=NOW.replace(microsecond=0) - SETTLE + ahead)
    report = it.planner.tick()
    assert (report.planned, report.error) == (0, None)


def test_no_more_is_planned_than_may_be_outstanding() -> None:
    it = world(600, per_page_cap=2)
    few = planner(it, max_outstanding_pages=7, target=10)
    report = few.tick()
    assert report.planned - len([page for page in it.pages if page.state is PageState.DONE]) == 7
    assert report.sent == report.undone == 7
    assert_tiles(it)
    assert few.tick().sent == 0
    assert len(it.queue.messages) == 7
    it.queue.messages.clear()
    first = next(page for page in it.pages if page.state is PageState.OPEN)
    assert it.timeline.update(first, replace(first, state=PageState.DONE, revision="done"))
    assert few.tick().sent == 1


@pytest.mark.parametrize("at_call", range(1, 6))
def test_of_two_ticks_at_once_one_plan_wins(at_call: int) -> None:
    it = world(100)
    few = planner(it, target=24)
    seen = 0

    def another(_: object) -> None:
        nonlocal seen
        seen += 1
        if seen == at_call:
            it.now += timedelta(minutes=7)
            few.tick()

    it.simulator.after_call = another
    few.tick()
    it.simulator.after_call = lambda _: None
    assert seen >= at_call
    assert_tiles(it)
    it.export()
    it.assert_exact()


@pytest.mark.parametrize("failing", range(14))
def test_an_api_that_fails_midway_loses_nothing_that_was_planned(failing: int) -> None:
    it = world(100, faults=(InjectedFault(kind="status", status=503, after=failing, times=1),))
    report = planner(it, target=24).tick()
    assert report.error is None or isinstance(report.error, TransientError)
    watermark = it.timeline.watermark()
    assert watermark is not None
    assert watermark.last_tick is not None
    assert watermark.last_tick.error == (str(report.error) if report.error else None)
    if it.pages:
        assert_tiles(it)
    opened = [page for page in it.pages if page.state is PageState.OPEN]
    assert len(it.queue.messages) == report.sent == len(opened)
    it.export()
    it.assert_exact()


def test_some_of_the_faults_above_strike_after_pages_were_planned() -> None:
    it = world(100, faults=(InjectedFault(kind="status", status=503, after=10),))
    report = planner(it, target=24).tick()
    assert report.error is not None
    assert report.planned > 0


def test_a_tick_stops_planning_when_its_time_is_up() -> None:
    it = world(250)
    report = planner(it, target=80).tick(has_time_left=lambda: not it.pages)
    assert report.error is None
    assert report.planned_through < HORIZON
    assert report.sent == len([page for page in it.pages if page.state is PageState.OPEN])


def test_the_watermark_passes_over_done_and_holes_and_stops_at_the_rest() -> None:
    it = world(600, per_page_cap=20)
    planner(it, target=20).tick()
    first, second, third, *_ = it.pages
    for page, change in (
        (first, {"state": PageState.DONE}),
        (second, {"hole_since": NOW, "error": "why"}),
    ):
        assert it.timeline.update(page, replace(page, revision="mine", **change))
    report = it.planner.tick()
    assert report.exported_through == third.window.start
    assert (report.holes, report.oldest_hole) == (1, NOW)


def test_a_lost_message_is_sent_again_once_the_queue_had_its_time() -> None:
    it = world(10)
    it.planner.tick()
    it.queue.messages.clear()
    it.now += timedelta(minutes=13)
    assert it.planner.tick().sent == 0
    it.now += timedelta(seconds=1)
    assert it.planner.tick().sent >= 1
    it.drain()
    it.export()
    it.assert_exact()


def test_what_the_queue_does_not_take_is_sent_by_the_next_tick() -> None:
    it = world(300)

    class FullQueue(FakeQueue):
        def send(self, work: Sequence[Message]) -> list[Message]:
            return []

    report = replace(it.planner, queue=FullQueue()).tick()
    assert (report.sent, len(it.queue.messages)) == (0, 0)
    assert it.planner.tick().sent == report.undone


def leave_holes(it: World) -> int:
    """Every page is a hole whose time has come."""
    for page in it.pages:
        changed = replace(page, revision="hole", hole_since=it.now, error="why", attempts=5)
        assert it.timeline.update(page, changed)
    it.queue.messages.clear()
    it.now += timedelta(days=1)
    return len(it.pages)


def test_holes_wait_for_new_pages_and_never_keep_them_from_being_planned() -> None:
    it = world(600, per_page_cap=20)
    few = planner(it, target=20, max_outstanding_pages=20)
    few.tick()
    through = planned_through(it)
    holes = leave_holes(it)
    report = few.tick()
    assert report.holes == holes
    assert report.planned_through > through
    assert report.undone < report.sent == 20
    first = works(it.queue)[0]
    assert first.start >= through


def test_holes_are_sent_again_where_there_is_room() -> None:
    it = world(300, per_page_cap=30)
    it.planner.tick()
    holes = leave_holes(it)
    report = it.planner.tick()
    assert holes <= report.sent
    assert {page.window.start for page in it.pages if page.hole_since} <= {
        work.start for work in works(it.queue)
    }


def test_beyond_too_many_holes_nothing_new_is_planned() -> None:
    it = world(600, per_page_cap=20)
    few = planner(it, target=20, max_outstanding_pages=20, max_holes=5)
    few.tick()
    through = planned_through(it)
    leave_holes(it)
    assert few.tick().planned_through == through


def test_the_filter_is_checked_once_a_day() -> None:
    it = world(10)
    it.export()
    calls = it.api.calls
    it.now += timedelta(minutes=5)
    it.planner.tick()
    assert it.api.calls == calls + 1
    it.now += timedelta(days=1)
    it.planner.tick()
    assert it.api.calls <= calls + 1 + 9


def test_a_broken_filter_stops_planning_and_nothing_else() -> None:
    it = world(500)
    it.planner.tick()
    it.now += timedelta(days=2)
    it.simulator.behave(filter_offset_seconds=7200)
    report = it.planner.tick()
    assert isinstance(report.error, FilterError)
    assert report.planned == 0
    assert report.sent > 0


def test_refused_credentials_are_reported_with_what_was_due() -> None:
    it = world(500, faults=(InjectedFault(kind="status", status=401),))
    report = it.planner.tick()
    assert isinstance(report.error, AccessError)
    assert report.exported_through == ORIGIN


class TestRaces:
    def other_tick(
        self,
        monkeypatch: pytest.MonkeyPatch,
        world: World,
        member: Literal["exported_through", "exported_from"],
        to: datetime,
    ) -> None:
        """A tick that looked earlier, and saw less done, moves the watermark first, to ``to``."""
        really, others = world.timeline.update_watermark, [to]

        def moved(before: Watermark, after: Watermark) -> bool:
            if others and getattr(before, member) != getattr(after, member):
                move: dict[str, Any] = {member: others.pop()}
                assert really(before, replace(before, **move))
            return really(before, after)

        monkeypatch.setattr(world.timeline, "update_watermark", moved)

    def test_a_slower_tick_leaves_the_watermark_movable(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = World(store=entries(80))
        stood = world.export()[-1].exported_through
        for _ in range(4):
            world.now += timedelta(minutes=20)
            world.simulator.insert(world.now - timedelta(minutes=10))
            world.planner.tick()
        world.drain()
        second = list(world.timeline.pages(stood))[1]
        self.other_tick(monkeypatch, world, "exported_through", second.window.end)
        world.command(
            {"command": "sweep", "from": "2026-03-01T00:00:00Z", "to": "2026-04-01T00:00:00Z"}
        )
        world.export(ticks=10)
        assert world.at_rest
        world.assert_exact()

    def test_a_slower_tick_leaves_a_backfill_movable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        world = World(store=entries(120), origin=NOW - timedelta(days=20), slice_target=10)
        world.export()
        world.command({"command": "backfill", "from": "2026-01-01T00:00:00Z"})
        world.planner.tick()
        world.drain()
        third = list(world.timeline.pages_before(world.origin))[2]
        self.other_tick(monkeypatch, world, "exported_from", third.window.start)
        world.slice_target = 800
        world.command({"command": "sweep", "from": "2026-01-01T00:00:00Z"})
        world.origin = ORIGIN
        world.export(ticks=10)
        assert world.at_rest
        world.assert_exact()


def test_a_refused_event_that_is_due_makes_a_job() -> None:
    it = world(10)
    it.export()
    [page, *_] = [page for page in it.pages if page.entries]
    it.timeline.record_refusal(
        Refusal(page.window, "an-entry", "too large", it.now - timedelta(days=1), "a key")
    )
    assert it.planner.tick().jobs == 1
    [job] = it.timeline.jobs()
    assert (job.kind, job.requested_at) == (JobKind.REPUBLISH, it.now)


def test_confirmed_deletions_that_are_overdue_are_requested_now() -> None:
    it = world(10)
    it.export()
    [page, *_] = [page for page in it.pages if page.entries]
    held_at = it.now - timedelta(days=1)
    missing = {"an-entry": MissingEntry(held_at, held_at=held_at)}
    it.timeline.stored_pages[page.window.start] = replace(page, missing=missing, updated_at=held_at)
    it.timeline.stored_breaker = Breaker("1", confirmed_through=it.now)
    it.planner.tick()
    assert list(it.timeline.sweep_requests()) == [SweepRequest(page.window.start, it.now)]


def test_in_an_outage_few_sweeps_are_sent_again() -> None:
    it = world(60)
    it.export()
    it.command({"command": "sweep", "from": "2026-01-01T00:00:00Z"})
    few = planner(it, max_sweeps=3)
    few.tick()
    assert len(it.queue.messages) == 3
    it.simulator.behave(faults=(InjectedFault(status=503),))
    it.drain()
    it.simulator.behave(faults=())
    it.now += timedelta(minutes=10)
    few.tick()
    assert [message.kind for message in works(it.queue)] == [WorkKind.SWEEP]
