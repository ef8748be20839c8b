"""Every event that a topic can take arrives; every other one is named."""

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter, itemgetter

import pytest

from cpd_exporter.adapters.aws.topic import MAX_MESSAGE_BYTES, SnsTopic
from cpd_exporter.model.event import Event
from cpd_exporter.ports import Topic
from tests.support.fakes import FakeTopic


@dataclass(frozen=True)
class Case:
    """``received``: bodies and attributes, in order of the bodies."""

    topic: Topic
    received: Callable[[], list[tuple[str, dict[str, str]]]]


@pytest.fixture(params=["in memory", "SNS"])
def case(request: pytest.FixtureRequest) -> Case:
    if request.param == "in memory":
        fake = FakeTopic()
        return Case(
            fake,
            lambda: [
                (e.body, e.attributes) for e in sorted(fake.published, key=attrgetter("body"))
            ],
        )
    account = request.getfixturevalue("account")
    return Case(
        SnsTopic(account.sns, account.topic_arn),
        lambda: [
            (
                message["Body"],
                {
                    name: attribute["StringValue"]
                    for name, attribute in message.get("MessageAttributes", {}).items()
                },
            )
            for message in sorted(account.received(account.subscriber_url), key=itemgetter("Body"))
        ],
    )


def event(number: int, size: int = 0, **attributes: str) -> Event:
    return Event(f"event-{number}", f"entry-{number}", f"{number:06d}".ljust(size, "x"), attributes)


@pytest.mark.parametrize("count", [0, 1, 10, 11, 205])
def test_any_number_arrives(case: Case, count: int) -> None:
    events = [event(n, change="created", activityType="vidéo") for n in range(count)]
    assert case.topic.publish(events) == {}
    assert case.received() == [(e.body, e.attributes) for e in events]


def test_publishing_again_gives_an_equal_event(case: Case) -> None:
    one = event(1, change="created")
    case.topic.publish([one])
    case.topic.publish([one])
    assert case.received() == [(one.body, one.attributes)] * 2


def test_large_events_arrive_though_ten_are_too_much_for_a_batch(case: Case) -> None:
    events = [event(n, size=100_000) for n in range(7)]
    assert case.topic.publish(events) == {}
    assert [body for body, _ in case.received()] == [e.body for e in events]


def test_the_largest_event_arrives(case: Case) -> None:
    largest = event(1, size=MAX_MESSAGE_BYTES)
    assert case.topic.publish([largest]) == {}
    assert [body for body, _ in case.received()] == [largest.body]


@pytest.mark.parametrize(
    "large",
    [event(5, size=MAX_MESSAGE_BYTES + 1), event(5, size=MAX_MESSAGE_BYTES, change="created")],
    ids=["body", "attributes"],
)
def test_one_that_is_too_large_is_refused_and_its_neighbours_are_not(
    case: Case, large: Event
) -> None:
    neighbours = [event(n) for n in (1, 9)]
    assert case.topic.publish([neighbours[0], large, neighbours[1]]).keys() == {large.id}
    assert [body for body, _ in case.received()] == [e.body for e in neighbours]
