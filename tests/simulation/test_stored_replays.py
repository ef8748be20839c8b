"""Replays of all rows that were stored in a span of time, whatever became of them since."""

import json
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from cpd_exporter.model.event import Event
from cpd_exporter.model.message import JobMessage
from cpd_exporter.model.timestamps import format_instant
from cpd_exporter.planner.status import read_status
from cpd_exporter.worker.context import Outcome
from tests.support import sweeps
from tests.support.fakes import FakeReplayQueue
from tests.support.world import ORIGIN, TENANT, World

QUEUE = "arn:aws:sqs:eu-west-2:123456789012:theirs"


@pytest.fixture
def world() -> World:
    """An edit, a deletion and a back-dated entry, then another edit of the same entry."""
    world = sweeps.exported(80, slice_target=15, full_sweep=timedelta(0))
    one, other = sorted(entry.log_entry_id for entry in world.store)[:2]
    for minutes in (7, 8):
        world.store.edit(one, durationMinutes=minutes)
        sweeps.swept(world)
    world.store.delete(other)
    for _ in range(3):
        sweeps.swept(world)
    return world


def events_of(world: World, start: datetime, end: datetime) -> list[Event]:
    events = []
    for event in world.topic.published:
        stored_at = datetime.fromisoformat(json.loads(event.body)["time"])
        events += [event] if start <= stored_at < end else []
    return events


def command(world: World, start: datetime, end: datetime, **more: str) -> str:
    span = {"storedFrom": format_instant(start), "storedTo": format_instant(end)}
    answer = world.command({"command": "replay"} | span | (more or {"subscribers": "all"}))
    assert "note" not in answer
    return str(answer["requested"])


def spans(world: World) -> list[tuple[datetime, datetime]]:
    instants = sorted({row.exported_at.replace(microsecond=0) for row in world.rows})
    assert len(instants) > 3
    later = [instant + timedelta(seconds=1) for instant in instants]
    return [*zip(instants, later, strict=True), (instants[1], instants[-1])]


def test_its_rows_are_published_again_in_the_order_of_their_storing(world: World) -> None:
    for start, end in spans(world):
        before = events_of(world, start, end)
        published = len(world.topic.published)
        world.now += timedelta(hours=1)
        command(world, start, end)
        world.export()
        again = world.topic.published[published:]
        assert Counter(e.body for e in again) == Counter({e.body: 1 for e in before})
        for entry_id in {event.entry_id for event in before}:
            bodies = [e.body for e in before if e.entry_id == entry_id]
            assert [e.body for e in again if e.entry_id == entry_id] == list(dict.fromkeys(bodies))


def test_deletions_and_superseded_versions_are_among_them(world: World) -> None:
    world.replay_queue = FakeReplayQueue(QUEUE)
    published = len(world.topic.published)
    command(world, ORIGIN, world.now, queueArn=QUEUE)
    world.export()
    again = world.replay_queue.delivered[QUEUE]
    changes = Counter(event.attributes["change"] for event in again)
    assert changes == {"created": 80, "updated": 2, "deleted": 1}
    assert world.topic.published[published:] == []


def test_a_worker_that_has_no_time_goes_on_where_it_was(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cpd_exporter.worker.replay.MAX_ROWS_AT_ONCE", 3)
    published = len(world.topic.published)
    name = command(world, ORIGIN, world.now)
    reports = [
        world.worker.handle(JobMessage(tenant_id=TENANT, name=name), has_time_left=lambda: False)
        for _ in range(200)
        if list(world.timeline.jobs())
    ]
    assert reports[-1].outcome is Outcome.DONE
    again = world.topic.published[published:]
    assert len(again) == len({event.id for event in again}) == 83
    assert len(reports) > 30
    [ended] = [one for one in world.timeline.ended_jobs() if one.name == name]
    assert ended.counts == {"replayed": 83}


def test_the_status_says_how_far_it_is(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cpd_exporter.worker.replay.MAX_ROWS_AT_ONCE", 3)
    name = command(world, ORIGIN, world.now)
    per_cent = []
    while list(world.timeline.jobs()):
        [job] = read_status(world.timeline, world.queue, world.clock)["jobs"]
        per_cent.append(job["percent"])
        world.worker.handle(JobMessage(tenant_id=TENANT, name=name), has_time_left=lambda: False)
    assert per_cent == sorted(per_cent)
    assert per_cent[0] == 0
    assert 99 < per_cent[-1] <= 100


def test_a_late_part_of_the_lake_is_a_part_of_it(world: World) -> None:
    """What was written since is read too: a row may be written long after it was made."""
    start = world.now - timedelta(days=30)
    world.now += timedelta(days=30)
    command(world, start, start + timedelta(days=1))
    [job] = world.timeline.jobs()
    world.timeline.update_job(job, replace(job, cursor=start + timedelta(days=15), revision="2"))
    [listed] = read_status(world.timeline, world.queue, world.clock)["jobs"]
    assert listed["percent"] == 25


def test_objects_before_the_span_cost_a_pause_and_no_event(world: World) -> None:
    """The lake's clock may be behind, so objects of an hour before the span are looked at."""
    first = min(row.exported_at for row in world.rows)
    published = len(world.topic.published)
    name = command(world, first + timedelta(seconds=1), world.now)
    while list(world.timeline.jobs()):
        world.worker.handle(JobMessage(tenant_id=TENANT, name=name), has_time_left=lambda: False)
    [ended] = [one for one in world.timeline.ended_jobs() if one.name == name]
    assert ended.counts["replayed"] == len(world.topic.published) - published > 0
