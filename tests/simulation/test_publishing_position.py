"""Rows are published from a position on, and events that the topic refuses are noted."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from cpd_exporter.errors import TransientError
from cpd_exporter.model import exact_json as json_text
from cpd_exporter.model.event import Event
from cpd_exporter.model.page import PageState
from cpd_exporter.worker.context import Outcome
from simulator.behaviour import InjectedFault
from tests.support.fakes import FakeTopic
from tests.support.pages import (
    WorkerCrashError,
    assert_published_once,
    attempt,
    done,
    page_of,
    planned,
    worker_with,
)

CANARY = "confidential reflection"


def test_a_refused_event_goes_out_as_a_reference_and_then_is_recorded() -> None:
    world, work = planned(20)
    first, second, *_ = (entry.log_entry_id for entry in world.store)

    def refuse(event: Event) -> str | None:
        whole = "entry" in json_text.load(event.body)["data"]
        if event.entry_id == first:
            return "too large" if whole else None
        return "policy" if event.entry_id == second else None

    world.topic.refuse = refuse
    assert world.worker.handle(work) == done(20)
    published = {event.entry_id: json_text.load(event.body) for event in world.topic.published}
    assert len(world.topic.published) == len(published) == 19
    assert "entry" not in published[first]["data"]
    assert second not in published
    [refusal] = world.timeline.refusals()
    assert (refusal.entry_id, refusal.error, refusal.window) == (second, "policy", work.window)


def test_no_failure_shows_what_an_entry_says() -> None:
    """Messages are logged, stored and shown."""
    world, work = planned(20)
    for entry in list(world.store):
        world.store.edit(entry.log_entry_id, description=CANARY, isVerified=CANARY)
    world.simulator.behave(
        faults=(InjectedFault(kind="ignore-filter"), InjectedFault(kind="repeat-edited"))
    )
    report = attempt(world, work)
    assert CANARY not in str(report)
    for key in world.quarantined:
        assert CANARY not in world.lake.objects[key].split(b"\n", 1)[0].decode()
    assert CANARY not in str(world.pages)


class EndingTopic(FakeTopic):
    """Accepts ``limit`` events, and then fails each call."""

    def __init__(self, limit: int, error: BaseException) -> None:
        super().__init__()
        self.limit, self.error = limit, error

    def publish(self, events: Sequence[Event]) -> dict[str, str]:
        some = events[: max(0, self.limit - len(self.published))]
        super().publish(some)
        if len(some) < len(events):
            raise self.error
        return {}


@pytest.mark.parametrize("error", [WorkerCrashError(), TransientError("throttled")], ids=repr)
def test_a_crash_repeats_at_most_a_thousand_events(error: BaseException) -> None:
    world, work = planned(20)
    for number in range(2880):
        world.simulator.insert(work.start + timedelta(seconds=number))
    writing = replace(page_of(world, work), state=PageState.WRITING, revision="no split")
    assert world.timeline.update(page_of(world, work), writing)
    topic = EndingTopic(2350, error)
    with pytest.raises(type(error)):
        worker_with(world, topic=topic).handle(work)
    page = page_of(world, work)
    assert (page.state, page.published, page.attempts) == (PageState.STORED, 2000, 0)
    assert attempt(world, work) == done(2900)
    assert page_of(world, work).published == 0
    again = {event.id for event in topic.published} & {event.id for event in world.topic.published}
    assert len(again) == 350
    assert len(world.topic.published) == 900


def test_a_worker_without_time_leaves_the_rest_to_the_next_tick() -> None:
    world, work = planned(250)
    report = world.worker.handle(work, has_time_left=lambda: False)
    assert report.outcome is Outcome.PAUSED
    assert page_of(world, work).published == len(world.topic.published) == 100
    world.queue.messages.clear()
    world.now += timedelta(minutes=5)
    assert world.planner.tick().sent == 1
    world.export()
    assert_published_once(world)


def test_a_slow_topic_renews_the_lease_on_the_way() -> None:
    world, work = planned(500)
    leases = set()

    class SlowTopic(FakeTopic):
        def publish(self, events: Sequence[Event]) -> dict[str, str]:
            world.now += timedelta(seconds=60)
            lease_until = page_of(world, work).lease_until
            assert lease_until is not None
            assert lease_until >= world.now
            leases.add(lease_until)
            return super().publish(events)

    assert worker_with(world, topic=SlowTopic()).handle(work) == done(500)
    assert len(leases) >= 3
