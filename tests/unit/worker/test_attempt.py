"""What each failure does to a page, and what a worker that was overtaken cannot do."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import pytest

from cpd_exporter.errors import (
    AccessError,
    ConfigurationError,
    ExporterError,
    FilterError,
    MalformedResponseError,
    ServerError,
    TransientError,
)
from cpd_exporter.model.breaker import BreakerChange
from cpd_exporter.model.entry import Listing
from cpd_exporter.model.message import JobMessage
from cpd_exporter.model.page import ConditionalWrite, Page, PageState
from cpd_exporter.model.resend_policy import ResendPolicy
from cpd_exporter.model.window import Window
from cpd_exporter.worker.attempt import PageClaim
from cpd_exporter.worker.context import Outcome, WorkReport
from cpd_exporter.worker.job_claim import JobClaim
from simulator.behaviour import Behaviour, InjectedFault
from tests.support.fakes import FakeTimeline
from tests.support.pages import (
    assert_published_once,
    attempt,
    crash,
    done,
    fail,
    page_of,
    planned,
    worker_with,
)
from tests.support.world import TENANT, World


class RacingTimeline(FakeTimeline):
    """Just before its ``at``-th write to a page, another worker writes."""

    def __init__(self, real: FakeTimeline, at: int) -> None:
        self.__dict__ = real.__dict__
        self.at = at
        self.intruder: Callable[[Page], None] = lambda _: None

    def update(self, page: Page, changed: Page) -> bool:
        self.at -= 1
        if self.at == 0:
            self.intruder(page)
        return super().update(page, changed)

    def commit(
        self, writes: Sequence[ConditionalWrite], breaker: BreakerChange | None = None
    ) -> bool:
        self.at -= 1
        if self.at == 0 and (page := writes[0].before) is not None:
            self.intruder(page)
        return super().commit(writes, breaker)


@pytest.mark.parametrize("at", [1, 2, 3, 4], ids=["claim", "writing", "stored", "done"])
def test_whoever_was_overtaken_stops_and_nothing_is_lost(at: int) -> None:
    world, work = planned(20)
    racing = RacingTimeline(world.timeline, at)
    other = world.worker

    def overtake(_: Page) -> None:
        world.now += timedelta(minutes=5)
        other.handle(work)

    racing.intruder = overtake
    report = worker_with(world, timeline=racing).handle(work)
    assert report.outcome is Outcome.SUPERSEDED
    assert page_of(world, work).state is PageState.DONE
    world.planner.tick()
    world.assert_exact()
    assert len(world.lake.objects) == 1


def test_whoever_was_overtaken_by_a_split_stops() -> None:
    world, work = planned(200)
    racing = RacingTimeline(world.timeline, 2)

    def overtake(_: Page) -> None:
        world.now += timedelta(minutes=5)
        world.simulator.behave(per_page_cap=50)
        assert world.worker.handle(work).outcome is Outcome.SPLIT

    racing.intruder = overtake
    assert worker_with(world, timeline=racing).handle(work).outcome is Outcome.SUPERSEDED
    world.export()
    assert_published_once(world)


def test_whoever_would_split_what_another_exported_stops() -> None:
    world, work = planned(200, per_page_cap=50)
    racing = RacingTimeline(world.timeline, 2)

    def overtake(_: Page) -> None:
        world.now += timedelta(minutes=5)
        world.simulator.behave(per_page_cap=None)
        assert world.worker.handle(work).outcome is Outcome.DONE

    racing.intruder = overtake
    assert worker_with(world, timeline=racing).handle(work).outcome is Outcome.SUPERSEDED
    assert len(world.pages) == 1
    world.planner.tick()
    assert_published_once(world)


def test_whoever_fails_after_being_overtaken_undoes_nothing() -> None:
    world, work = planned(20, faults=(InjectedFault(kind="status", status=503, times=1),))
    other = world.worker

    def overtake(_: object) -> None:
        world.simulator.after_call = lambda _: None
        world.now += timedelta(minutes=5)
        other.handle(work)

    world.simulator.after_call = overtake
    assert world.worker.handle(work).outcome is Outcome.SUPERSEDED
    assert page_of(world, work).state is PageState.DONE


WAITED_OUT = {
    "429": (Behaviour(faults=(InjectedFault(status=429),)), TransientError),
    "500": (Behaviour(faults=(InjectedFault(status=500),)), TransientError),
    "503": (Behaviour(faults=(InjectedFault(status=503),)), TransientError),
    "401": (Behaviour(faults=(InjectedFault(status=401),)), AccessError),
    "403": (Behaviour(faults=(InjectedFault(status=403),)), AccessError),
}


@pytest.mark.parametrize(("behaviour", "kind"), WAITED_OUT.values(), ids=WAITED_OUT.keys())
def test_what_strikes_all_alike_is_waited_out_and_never_counts(
    behaviour: Behaviour, kind: type[ExporterError]
) -> None:
    world, work = planned(20)
    world.simulator.behaviour = behaviour
    for _ in range(20):
        assert isinstance(attempt(world, work), kind)
        page = page_of(world, work)
        assert (page.attempts, page.hole_since) == (0, None)
        assert page.error
        # A message that comes again meanwhile finds the page at rest.
        assert world.worker.handle(work) == WorkReport(Outcome.LEASED)
    world.simulator.behaviour = Behaviour()
    assert attempt(world, work) == done(20)
    assert page_of(world, work).error is None


@pytest.mark.parametrize(
    ("retry_after", "pause"), [(None, 40), (30, 40), (300, 300), (86_400, 360)]
)
def test_a_page_rests_for_as_long_as_the_api_asks_but_no_more_than_three_leases(
    retry_after: int | None, pause: int
) -> None:
    world, work = planned(20)
    answer = TransientError("too many requests", retry_after=retry_after)
    world.api.query = lambda *_, **__: fail(answer)  # type: ignore[method-assign]
    attempt(world, work)
    policy = ResendPolicy(in_queue=timedelta(minutes=6))
    page, end = page_of(world, work), world.now + timedelta(seconds=pause) + policy.lease_grace
    assert not page.due(end, policy)
    assert page.due(end + timedelta(seconds=1), policy)


@pytest.mark.parametrize("port", ["lake", "topic"])
@pytest.mark.parametrize("error", [TransientError("throttled"), ConfigurationError("refused")])
def test_what_the_stores_refuse_never_counts_either(port: str, error: Exception) -> None:
    world, work = planned(20)
    broken = type("Broken", (), {"__getattr__": lambda *_: lambda *_, **__: fail(error)})()
    if port == "topic":
        worker = worker_with(world, topic=broken)
    else:
        broken.uri = world.lake.uri
        worker = worker_with(world, lake=broken)
    for _ in range(8):
        world.now += timedelta(minutes=15)
        with pytest.raises(type(error)):
            worker.handle(work)
    assert page_of(world, work).attempts == 0
    assert not world.topic.published
    assert attempt(world, work) == done(20)


def misread(world: World, error: Exception, *, counts: bool = True) -> None:
    """Every listing fails; only those of one row, which count, may work."""
    query = world.api.query

    def broken(window: Window | None, *, page: int = 1, per_page: int = 1000) -> Listing:
        if per_page == 1 and counts:
            return query(window, page=page, per_page=per_page)
        raise error

    world.api.query = broken  # type: ignore[method-assign]


def test_what_is_no_json_counts_and_after_five_attempts_is_split() -> None:
    world, work = planned(20)
    misread(world, MalformedResponseError("not JSON"))
    for attempts in range(1, 5):
        assert isinstance(attempt(world, work), MalformedResponseError)
        page = page_of(world, work)
        assert (page.attempts, page.error, page.lease_until) == (attempts, "not JSON", None)
    report = attempt(world, work)
    assert isinstance(report, WorkReport)
    assert report.outcome is Outcome.SPLIT
    # Each part has one attempt left before it is split or a hole itself.
    assert {part.attempts for part in world.pages} == {4}


@pytest.mark.parametrize(
    ("error", "counts"),
    [
        (MalformedResponseError("not JSON"), False),
        (FilterError("rows outside the window"), True),
    ],
)
def test_what_fails_as_a_whole_is_a_hole_and_not_split(error: Exception, counts: bool) -> None:
    world, work = planned(20)
    misread(world, error, counts=counts)
    for _ in range(4):
        assert attempt(world, work) is error
    assert attempt(world, work) == WorkReport(Outcome.HOLE, error=error)  # type: ignore[arg-type]
    [page] = world.pages
    assert (page.hole_since, page.error, page.state) == (world.now, str(error), PageState.OPEN)
    report = world.planner.tick()
    assert report.holes == 1
    assert report.exported_through >= page.window.end
    del world.api.query
    assert attempt(world, work) == done(20)
    assert page_of(world, work).hole_since is None


def test_a_hole_keeps_its_age_and_is_tried_on() -> None:
    world, work = planned(20)
    misread(world, FilterError("rows outside the window"))
    for _ in range(5):
        attempt(world, work)
    since = page_of(world, work).hole_since
    for _ in range(3):
        report = attempt(world, work)
        assert isinstance(report, WorkReport)
        assert report.outcome is Outcome.HOLE
    page = page_of(world, work)
    assert (page.hole_since, page.attempts) == (since, 8)


def test_the_parts_of_a_hole_are_holes_until_they_are_done() -> None:
    """The watermark passed over the hole: its parts may not be undone behind it unlisted."""
    world, work = planned(200)
    misread(world, FilterError("rows outside the window"))
    for _ in range(5):
        attempt(world, work)
    since = page_of(world, work).hole_since
    world.planner.tick()
    del world.api.query
    world.simulator.behave(per_page_cap=50)
    world.queue.messages.clear()
    report = attempt(world, work)
    assert isinstance(report, WorkReport)
    assert report.outcome is Outcome.SPLIT
    through = _exported_through(world)
    behind = [page for page in world.timeline.undone() if page.window.start < through]
    assert len(behind) == 5
    assert {page.hole_since for page in behind} == {since}
    for _ in range(3):  # the planner sends the parts, and the parts of those
        world.planner.tick()
        world.drain()
    assert not any(page.hole_since for page in world.pages)
    world.export()
    assert_published_once(world)


def _exported_through(world: World) -> datetime:
    watermark = world.timeline.watermark()
    assert watermark is not None
    return watermark.exported_through


def test_work_whose_workers_crash_is_split_and_says_so() -> None:
    world, work = planned(20)
    for _ in range(5):
        crash(world, work)
        world.now += timedelta(minutes=3)
    report = world.worker.handle(work)
    assert report.outcome is Outcome.SPLIT
    assert len(world.pages) > 1


def test_a_crash_is_noted_before_anything_else_is_tried() -> None:
    world, work = planned(20)
    error = PageClaim(page_of(world, work), world.worker.context).begin_after_crash()
    page = page_of(world, work)
    assert (page.attempts, page.error, page.hole_since) == (1, str(error), world.now)


SPAN = {"from": "2026-03-14T00:00:00Z", "to": "2026-03-15T00:00:00Z"}


class TestProgress:
    """What an attempt achieved before it ended."""

    def test_an_attempt_with_progress_does_not_count(self) -> None:
        world, work = planned(20)
        claim = PageClaim(page_of(world, work), world.worker.context)
        claim.update(attempts=claim.attempts + 1)
        claim.progress(published=5)
        page = page_of(world, work)
        assert (page.attempts, page.published) == (0, 5)
        assert page.lease_until == world.now + timedelta(seconds=120)

    def test_a_failure_of_its_own_counts_in_spite_of_progress(self) -> None:
        world, work = planned(20)
        claim = PageClaim(page_of(world, work), world.worker.context)

        def fail_later() -> WorkReport:
            claim.progress(reading_key="somewhere")
            raise MalformedResponseError("not JSON")

        with pytest.raises(MalformedResponseError):
            claim.attempt(fail_later, fail)
        assert page_of(world, work).attempts == 1

    def test_a_page_that_pauses_is_due_at_the_next_tick(self) -> None:
        world, work = planned(20)
        claim = PageClaim(page_of(world, work), world.worker.context)
        assert claim.attempt(claim.pause, fail).outcome is Outcome.PAUSED
        assert page_of(world, work).attempts == 0
        world.now += timedelta(minutes=1)
        assert world.planner.tick().sent == 1

    def test_a_hole_that_pauses_has_not_crashed(self) -> None:
        world, work = planned(20)
        misread(world, FilterError("rows outside the window"))
        for _ in range(6):
            attempt(world, work)
        claim = PageClaim(page_of(world, work), world.worker.context)
        assert not claim.crashed
        claim.attempt(claim.pause, fail)
        page = page_of(world, work)
        assert (page.attempts, page.lease_until) == (5, None)
        assert not PageClaim(page, world.worker.context).crashed

    def test_a_job_renews_its_lease_in_time(self) -> None:
        world, _ = planned(20)
        world.command({"command": "replay", "subscribers": "all", **SPAN})
        [job] = world.timeline.jobs()
        claim = JobClaim(job, world.worker.context)
        claim.renew_lease()
        first = claim.lease_until
        claim.renew_lease()
        assert claim.lease_until == first == world.now + timedelta(seconds=120)
        world.now += timedelta(seconds=61)
        claim.renew_lease()
        assert claim.lease_until == world.now + timedelta(seconds=120)


def test_a_500_is_never_a_job_s_own_fault() -> None:
    world, _ = planned(20)
    world.export()
    name = world.command({"command": "refresh", "logEntryIds": ["a" * 24]})["requested"]
    world.simulator.behave(faults=(InjectedFault(status=500, on="any"),))
    for _ in range(10):
        world.now += timedelta(minutes=15)
        with pytest.raises(ServerError):
            world.worker.handle(JobMessage(tenant_id=TENANT, name=name))
    [job] = world.timeline.jobs()
    assert job.attempts == 0
