"""Replays over fakes: the first events again, byte for byte, whoever dies or comes twice."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cpd_exporter.errors import PermanentError, TransientError
from cpd_exporter.model.event import Event
from cpd_exporter.model.job import Job
from cpd_exporter.model.message import JobMessage
from cpd_exporter.worker.context import Outcome
from tests.support import sweeps
from tests.support.fakes import FakeReplayQueue, FakeTopic
from tests.support.world import TENANT, World

START = datetime(2026, 1, 20, tzinfo=UTC)
END = datetime(2026, 2, 10, 12, tzinfo=UTC)
QUEUE = "arn:aws:sqs:eu-west-2:123456789012:theirs"
NAME = "replay:2026-01-20T00:00:00Z/2026-02-10T12:00:00Z"


def exported(count: int = 300, **settings: Any) -> World:
    return sweeps.exported(count, slice_target=15, **settings)


def ask(world: World, **more: str) -> str:
    span = {"from": "2026-01-20T00:00:00Z", "to": "2026-02-10T12:00:00Z"}
    whom = more or {"subscribers": "all"}
    return str(world.command({"command": "replay", **span, **whom})["requested"])


def replayed(world: World, **more: str) -> list[Event]:
    before = len(world.topic.published)
    ask(world, **more)
    world.export()
    assert not list(world.timeline.jobs())
    return world.topic.published[before:]


def work(name: str = NAME) -> JobMessage:
    return JobMessage(tenant_id=TENANT, name=name)


def request(world: World) -> Job:
    [found] = world.timeline.jobs()
    return found


def counts_of(world: World, name: str) -> Mapping[str, int]:
    [ended] = [one for one in world.timeline.ended_jobs() if one.name == name]
    return ended.counts


def expected(world: World) -> set[str]:
    return {
        entry.log_entry_id
        for entry in world.store
        if START <= datetime.fromtimestamp(entry.at_ms / 1000, UTC) < END
    }


def test_a_range_is_published_again_byte_for_byte() -> None:
    world = exported()
    first = {event.entry_id: event for event in world.topic.published}
    calls, objects = world.api.calls, dict(world.lake.objects)
    again = replayed(world)
    assert Counter(e.entry_id for e in again) == Counter(expected(world))
    assert all(event == first[event.entry_id] for event in again)
    assert world.lake.objects == objects
    assert world.api.calls - calls <= len(world.reports) * 4  # the ticks' own


def test_the_last_version_is_published_and_what_is_deleted_is_not() -> None:
    world = exported()
    edited, deleted = sorted(expected(world))[:2]
    world.store.edit(edited, durationMinutes=7)
    world.store.delete(deleted)
    for _ in range(3):
        world.now += timedelta(hours=2)
        world.command({"command": "sweep", "from": "2026-01-01T00:00:00Z"})
        world.export()
    last = {event.entry_id: event for event in world.topic.published}
    again = replayed(world)
    assert Counter(e.entry_id for e in again) == Counter(expected(world))
    assert deleted not in {event.entry_id for event in again}
    assert all(event == last[event.entry_id] for event in again)
    assert '"cpd.entry.updated"' in next(e.body for e in again if e.entry_id == edited)


def test_a_large_page_makes_progress_between_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that takes longer than a worker lives, while sweeps replace it."""
    monkeypatch.setattr("cpd_exporter.worker.replay.MAX_ROWS_AT_ONCE", 7)
    world = sweeps.exported(200)
    name = ask(world)
    published = len(world.topic.published)
    largest = max(page.entries for page in world.pages)
    for _ in range(5):
        report = world.worker.handle(work(name), has_time_left=lambda: False)
        assert report.replayed <= 7 < largest
    before = len(world.topic.published) - published
    assert before > 20
    sweeps.swept(world)  # other pages replace those, and a worker with time goes on
    assert not list(world.timeline.jobs())
    again = world.topic.published[published:]
    assert Counter(e.entry_id for e in again) == Counter(expected(world))


def test_an_entry_that_left_the_exported_time_is_published_again() -> None:
    world = exported()
    gone = next(entry.log_entry_id for entry in world.store)
    world.store.move(gone, START - timedelta(days=90))
    for _ in range(3):
        sweeps.swept(world)
    last = {event.entry_id: event for event in world.topic.published}
    span = {"from": "2026-01-01T00:00:00Z", "to": "2027-01-01T00:00:00Z"}
    world.command({"command": "replay", "subscribers": "all"} | span)
    before = len(world.topic.published)
    world.export()
    again = world.topic.published[before:]
    assert {event.entry_id: event for event in again} == last
    assert len(again) == len(last)


def test_one_queue_alone_may_get_it() -> None:
    world = exported()
    world.replay_queue = FakeReplayQueue(QUEUE)
    first = {event.entry_id: event for event in world.topic.published}
    assert replayed(world, queueArn=QUEUE) == []
    delivered = world.replay_queue.delivered[QUEUE]
    assert Counter(e.entry_id for e in delivered) == Counter(expected(world))
    assert all(event == first[event.entry_id] for event in delivered)


def test_what_was_a_reference_at_first_is_one_again() -> None:
    world = exported(100)
    world.simulator.insert(START + timedelta(hours=1), description="x" * 300_000)
    world.command({"command": "sweep", "from": "2026-01-01T00:00:00Z"})
    world.export()
    [large] = world.topic.published[100:]
    world.replay_queue = FakeReplayQueue(QUEUE)
    replayed(world, queueArn=QUEUE)
    assert large in world.replay_queue.delivered[QUEUE]
    assert large in replayed(world)


def test_a_worker_stops_in_time_and_the_next_tick_sends_the_rest() -> None:
    world = exported(full_sweep=timedelta(0))
    published = len(world.topic.published)
    name = ask(world)
    reports = []
    for _ in range(100):
        world.planner.tick()
        if not world.queue.messages:
            break
        [message] = world.queue.messages
        world.queue.messages.clear()
        reports.append(world.worker.handle(message, has_time_left=lambda: False))
        world.now += timedelta(seconds=11)
    assert [report.outcome for report in reports[:-1]] == [Outcome.PAUSED] * (len(reports) - 1)
    assert reports[-1].outcome is Outcome.DONE
    assert len(reports) > 3
    assert sum(report.replayed for report in reports) == len(expected(world))
    again = world.topic.published[published:]
    assert Counter(e.entry_id for e in again) == Counter(expected(world))
    assert counts_of(world, name) == {"replayed": len(expected(world))}
    assert world.worker.handle(work(name)).outcome is Outcome.GONE


class Failing(FakeTopic):
    """Publishes a number of times, and then fails each time."""

    def __init__(self, error: Exception, after: int) -> None:
        super().__init__()
        self.error = error
        self.left = after

    def publish(self, events: Any) -> dict[str, str]:
        if not self.left:
            raise self.error
        self.left -= 1
        return super().publish(events)


def test_an_outage_is_waited_out_and_counts_no_attempt() -> None:
    world = exported()
    mended, world.topic = world.topic, Failing(TransientError("throttled"), after=2)
    ask(world)
    for _ in range(8):
        with pytest.raises(TransientError):
            world.worker.handle(work())
        assert (request(world).attempts, request(world).error) == (0, "throttled")
        world.now += timedelta(minutes=3)
    before, world.topic = world.topic.published, mended
    published = len(mended.published)
    assert world.worker.handle(work()).outcome is Outcome.DONE
    again = before + world.topic.published[published:]
    assert Counter(e.entry_id for e in again) == Counter(expected(world))


def test_a_crash_repeats_a_page_at_most() -> None:
    world = exported()
    mended, world.topic = world.topic, Failing(KeyboardInterrupt(), after=2)  # type: ignore[arg-type]
    ask(world)
    with pytest.raises(KeyboardInterrupt):
        world.worker.handle(work())
    assert world.worker.handle(work()).outcome is Outcome.LEASED
    world.now += timedelta(minutes=3)
    mended.published[:], world.topic = world.topic.published, mended
    assert world.worker.handle(work()).outcome is Outcome.DONE
    assert Counter(e.entry_id for e in mended.published) == Counter(expected(world))


def test_a_worker_that_was_overtaken_stops() -> None:
    world = exported()

    class Overtaken(FakeTopic):
        def publish(self, events: Any) -> dict[str, str]:
            if not self.published:
                super().publish(events)
                world.now += timedelta(minutes=10)
                assert world.worker.handle(work()).outcome is Outcome.DONE
                return {}
            return super().publish(events)

    ask(world)
    world.topic = Overtaken()
    assert world.worker.handle(work()).outcome is Outcome.SUPERSEDED
    published = Counter(e.entry_id for e in world.topic.published)
    assert published.keys() == expected(world)
    assert len({e.body for e in world.topic.published}) == len(published)


def test_a_lost_object_ends_the_request_after_its_attempts_and_harms_no_other() -> None:
    world = exported()
    page = world.timeline.page_at(START + timedelta(days=5))
    assert page is not None
    assert page.object is not None
    del world.lake.objects[page.object]
    ask(world)
    for _ in range(5):
        with pytest.raises(PermanentError, match="has no object"):
            world.worker.handle(work())
    report = world.worker.handle(work())
    assert report.outcome is Outcome.GIVEN_UP
    assert page.object in str(report.error)
    assert not list(world.timeline.jobs())
    [ended] = world.timeline.ended_jobs()
    assert ended.error == str(report.error)


def test_workers_that_crash_end_the_request() -> None:
    world = exported()
    ask(world)
    world.topic = Failing(KeyboardInterrupt(), after=0)  # type: ignore[arg-type]
    for _ in range(5):
        with pytest.raises(KeyboardInterrupt):
            world.worker.handle(work())
        world.now += timedelta(minutes=3)
    report = world.worker.handle(work())
    assert report.outcome is Outcome.GIVEN_UP
    assert "without reporting a result" in str(report.error)


def test_a_queue_that_is_not_there_is_the_requests_own_fault() -> None:
    world = exported()
    name = ask(world, queueArn=QUEUE)
    with pytest.raises(PermanentError, match="no queue"):
        world.worker.handle(work(name))
    assert request(world).attempts == 1


def test_what_is_refused_is_reported_and_the_rest_goes_out() -> None:
    world = exported()
    poisoned = min(expected(world))
    world.topic.refuse = lambda event: "never" if event.entry_id == poisoned else None
    published = len(world.topic.published)
    ask(world)
    report = world.worker.handle(work())
    assert report.outcome is Outcome.DONE
    assert poisoned in str(report.error)
    again = {event.entry_id for event in world.topic.published[published:]}
    assert again == expected(world) - {poisoned}
    assert counts_of(world, NAME) == {"replayed": len(again), "refused": 1}


def test_a_page_that_is_not_done_is_left_to_whoever_ends_it() -> None:
    world = exported(100)
    world.simulator.insert(world.now - timedelta(minutes=10))
    world.planner.tick()
    published = len(world.topic.published)
    span = {"from": "2020-01-01T00:00:00Z", "to": "2030-01-01T00:00:00Z"}
    name = world.command({"command": "replay", "subscribers": "all", **span})["requested"]
    assert world.worker.handle(work(name)).replayed == 100
    assert len(world.topic.published) == published + 100


def test_a_merge_in_between_loses_and_repeats_nothing() -> None:
    world = exported()
    published = len(world.topic.published)
    ask(world)
    stop = iter([True, True, False])
    report = world.worker.handle(work(), has_time_left=lambda: next(stop))
    assert report.outcome is Outcome.PAUSED
    pages = len(world.pages)
    world.slice_target = 800
    world.command({"command": "sweep", "from": "2026-01-01T00:00:00Z"})
    world.export()
    assert len(world.pages) < pages
    assert not list(world.timeline.jobs())
    again = world.topic.published[published:]
    assert Counter(e.entry_id for e in again) == Counter(expected(world))
