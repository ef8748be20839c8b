"""A ping: one event of no entry, before any export, to all subscribers or to one queue."""

from dataclasses import replace
from datetime import timedelta

import pytest

from cpd_exporter.errors import MalformedInputError, PermanentError
from cpd_exporter.model import exact_json
from cpd_exporter.model.message import JobMessage
from cpd_exporter.planner.status import read_status
from cpd_exporter.worker.context import Outcome
from tests.support.fakes import FakeReplayQueue
from tests.support.world import TENANT, World, entries

QUEUE = "arn:aws:sqs:eu-west-2:123456789012:theirs"
ATTRIBUTES = {"change": "created", "activityType": "article"}


def test_a_new_stack_pings_all_subscribers_before_its_first_export() -> None:
    world = World(store=entries(20))
    answer = world.command({"command": "ping", "attributes": ATTRIBUTES})
    [listed] = read_status(world.timeline, world.queue, world.clock)["jobs"]
    assert (listed["queueArn"], listed["attributes"]) == (None, ATTRIBUTES)
    assert (listed["percent"], listed["secondsLeft"]) == (None, None)
    world.planner.tick()
    world.drain()
    [event] = [event for event in world.topic.published if not event.entry_id]
    body = exact_json.load(event.body)
    assert (body["type"], body["data"]) == ("cpd.exporter.ping", {"requested": answer["requested"]})
    assert body["source"] == f"urn:cpd-exporter:tenant:{TENANT}"
    assert "subject" not in body
    assert event.attributes == ATTRIBUTES
    assert not list(world.timeline.jobs())
    [ended] = read_status(world.timeline, world.queue, world.clock)["endedJobs"]
    assert (ended["name"], ended["outcome"]) == (answer["requested"], "done")


def test_a_ping_to_one_queue_reaches_nobody_else() -> None:
    world = World()
    world.replay_queue = FakeReplayQueue(QUEUE)
    world.command({"command": "ping", "queueArn": QUEUE})
    world.export()
    assert not world.topic.published
    [event] = world.replay_queue.delivered[QUEUE]
    assert event.attributes == {}


def test_each_ping_is_an_event_of_its_own_and_a_repeated_one_is_equal() -> None:
    world = World()
    names = [world.command({"command": "ping"})["requested"] for _ in range(2)]
    jobs = list(world.timeline.jobs())
    world.export()
    for job in jobs:  # as if its worker had died before the end
        world.timeline.add_job(replace(job, revision="again"))
    world.now += timedelta(days=1)
    world.export()
    bodies = [event.body for event in world.topic.published]
    assert len(bodies) == 4
    assert len(set(bodies)) == len({event.id for event in world.topic.published}) == 2
    assert {exact_json.load(body)["data"]["requested"] for body in bodies} == set(names)


def test_a_queue_that_refuses_is_reported_and_given_up() -> None:
    world = World()
    name = world.command({"command": "ping", "queueArn": QUEUE})["requested"]
    message = JobMessage(tenant_id=TENANT, name=name)
    for _ in range(4):
        with pytest.raises(PermanentError, match="no queue"):
            world.worker.handle(message)
    report = world.worker.handle(message)
    assert report.outcome is Outcome.GIVEN_UP
    assert QUEUE in str(report.error)
    assert not list(world.timeline.jobs())
    [ended] = read_status(world.timeline, world.queue, world.clock)["endedJobs"]
    assert (ended["outcome"], ended["error"]) == ("given up", str(report.error))


@pytest.mark.parametrize(
    "settings",
    [
        {"attributes": {"colour": "red"}},
        {"attributes": {"change": ""}},
        {"attributes": {"change": "a\x00b"}},
        {"queueArn": "theirs"},
    ],
    ids=str,
)
def test_what_no_event_could_have_is_refused(settings: dict[str, object]) -> None:
    with pytest.raises(MalformedInputError, match='"ping"'):
        World().command({"command": "ping"} | settings)
