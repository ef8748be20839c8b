"""Refused events: counted with the holes and their age, tried again, dropped when accepted."""

from datetime import timedelta
from itertools import pairwise

import pytest

from cpd_exporter.errors import TransientError
from cpd_exporter.model.event import Event
from cpd_exporter.planner.status import MAX_LISTED_REFUSALS, read_status, tick_metrics
from tests.support.world import World, entries

HOUR = timedelta(hours=1)


def refusing(count: int = 120) -> World:
    """All is exported, and the topic refused every event, as a reference too."""
    world = World(store=entries(count))
    world.topic.refuse = lambda _: "InvalidParameter"
    world.export()
    return world


def test_refusals_are_counted_with_the_holes_and_their_age() -> None:
    world = refusing()
    since = min(refusal.since for refusal in world.timeline.refusals())
    world.now += HOUR
    report = world.planner.tick()
    assert report.holes == 120
    assert report.oldest_hole == since
    metrics = tick_metrics(report, world.now)
    assert metrics["HoleAgeSeconds"] >= 3600


def test_accepted_events_are_published_as_stored_and_their_refusals_dropped() -> None:
    world = refusing()
    world.topic.refuse = lambda _: None
    world.now += HOUR
    world.export()
    assert not list(world.timeline.refusals())
    world.assert_exact()
    assert len(world.topic.published) == 120
    assert world.planner.tick().holes == 0


def test_a_refused_event_of_each_version_is_kept_apart() -> None:
    """Two refusals of one entry lie in two objects; both are published when accepted."""
    world = refusing(20)
    entry = next(iter(world.store)).log_entry_id
    world.store.edit(entry, description="edited")
    world.command({"command": "sweep", "from": "2026-01-01T00:00:00Z"})
    world.export()
    assert [one.entry_id for one in world.timeline.refusals()].count(entry) == 2
    world.topic.refuse = lambda _: None
    world.now += 12 * HOUR
    world.export()
    assert [event.entry_id for event in world.topic.published].count(entry) == 2
    assert len({event.id for event in world.topic.published}) == 21
    assert not list(world.timeline.refusals())


def test_refused_again_an_event_waits_twice_as_long_up_to_six_hours() -> None:
    world = refusing(1)
    tried: list[Event] = []

    def refuse(event: Event) -> str:
        tried.append(event)
        return "still refused"

    world.topic.refuse = refuse
    ends = world.now + timedelta(days=2)
    times = []
    while world.now < ends:
        world.now += timedelta(minutes=5)
        world.planner.tick()
        before = len(tried)
        world.drain()
        if len(tried) > before:
            times.append(world.now)
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert waits == sorted(waits)
    assert timedelta(hours=5) < waits[-1] <= timedelta(hours=6, minutes=5)
    assert len(times) < 20
    [refusal] = world.timeline.refusals()
    assert refusal.error == "still refused"
    assert refusal.attempts == 1 + len(times)


def test_one_that_stays_refused_holds_up_no_other() -> None:
    world = refusing(50)
    poisoned = next(iter(world.store)).log_entry_id
    world.topic.refuse = lambda event: "policy" if event.entry_id == poisoned else None
    world.now += HOUR
    world.export()
    assert [refusal.entry_id for refusal in world.timeline.refusals()] == [poisoned]
    assert len(world.topic.published) == 49


def test_an_object_that_is_gone_holds_up_no_other_and_is_said() -> None:
    world = refusing(50)
    [*keys] = sorted(key for key in world.lake.objects if key.startswith("entries/"))
    lost = len(world.rows_of(keys[:1]))
    del world.lake.objects[keys[0]]
    world.topic.refuse = lambda _: None
    world.now += HOUR
    world.export()
    refusals = list(world.timeline.refusals())
    assert len(refusals) == lost
    assert all(keys[0] in refusal.error for refusal in refusals)


def test_an_outage_of_the_topic_loses_no_refusal() -> None:
    world = refusing(20)
    publish, failures = world.topic.publish, [TransientError("throttled")] * 3
    world.topic.refuse = lambda _: None

    def failing(events: list[Event]) -> dict[str, str]:
        if failures:
            raise failures.pop()
        return publish(events)

    world.topic.publish = failing  # type: ignore[method-assign, assignment]
    for _ in range(12):
        world.now += HOUR
        world.export()
    assert not list(world.timeline.refusals())
    world.assert_exact()


def test_a_worker_that_dies_on_an_event_is_no_obstacle_to_the_others() -> None:
    """Each try is noted before the event is published."""
    world = refusing(5)

    class Killed(BaseException):
        pass

    deadly = min(row.entry_id for row in world.rows)
    publish = world.topic.publish

    def kill(events: list[Event]) -> dict[str, str]:
        if any(event.entry_id == deadly for event in events):
            raise Killed
        return publish(events)

    world.topic.refuse = lambda _: None
    world.topic.publish = kill  # type: ignore[method-assign, assignment]
    world.now += HOUR
    world.planner.tick()
    [message] = world.queue.messages
    world.queue.messages.clear()
    with pytest.raises(Killed):
        world.worker.handle(message)
    [tried] = {one.attempts for one in world.timeline.refusals() if one.entry_id == deadly}
    assert tried == 2


def test_the_status_lists_twenty_refusals_and_counts_the_rest() -> None:
    world = refusing()
    status = read_status(world.timeline, world.queue, world.clock)
    assert MAX_LISTED_REFUSALS == 20
    assert len(status["holes"]) == 20
    assert status["refusedEvents"] == 120
