"""A single subscriber's queue gets what the topic would have delivered to it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from operator import attrgetter, itemgetter
from typing import Any

import pytest

from cpd_exporter.adapters.aws.replay_queue import SqsReplayQueue
from cpd_exporter.adapters.aws.topic import MAX_MESSAGE_BYTES, SnsTopic
from cpd_exporter.errors import PermanentError, TransientError
from cpd_exporter.model.event import Event
from cpd_exporter.ports import ReplayQueue
from tests.contracts.account import REGION, MotoAccount, lost_answers
from tests.support.fakes import FakeReplayQueue

THEIRS = f"arn:aws:sqs:{REGION}:123456789012:subscriber"
NOBODYS = f"arn:aws:sqs:{REGION}:123456789012:nobodys"


@dataclass(frozen=True)
class ReplayQueueCase:
    """``received``: bodies and attributes, in order of the bodies."""

    replay_queue: ReplayQueue
    received: Callable[[], list[tuple[str, dict[str, str]]]]


@pytest.fixture(params=["in memory", "SQS"])
def case(request: pytest.FixtureRequest) -> Iterator[ReplayQueueCase]:
    if request.param == "in memory":
        fake = FakeReplayQueue(THEIRS)
        yield ReplayQueueCase(
            fake,
            lambda: [
                (e.body, e.attributes)
                for e in sorted(fake.delivered[THEIRS], key=attrgetter("body"))
            ],
        )
        return
    account: MotoAccount = request.getfixturevalue("account")
    yield ReplayQueueCase(
        SqsReplayQueue(account.sqs, sleep=lambda _: None),
        lambda: taken(account),
    )


def taken(account: MotoAccount) -> list[tuple[str, dict[str, str]]]:
    return [
        (
            message["Body"],
            {
                name: attribute["StringValue"]
                for name, attribute in message.get("MessageAttributes", {}).items()
            },
        )
        for message in sorted(account.received(account.subscriber_url), key=itemgetter("Body"))
    ]


def event(number: int, size: int = 0, **attributes: str) -> Event:
    return Event(f"event-{number}", f"entry-{number}", f"{number:06d}".ljust(size, "x"), attributes)


@pytest.mark.parametrize("count", [0, 1, 10, 11, 95])
def test_any_number_arrives(case: ReplayQueueCase, count: int) -> None:
    events = [event(n, change="created", activityType="vidéo") for n in range(count)]
    assert case.replay_queue.deliver(THEIRS, events) == {}
    assert case.received() == [(e.body, e.attributes) for e in events]


def test_large_events_arrive_though_ten_are_too_much_for_a_batch(case: ReplayQueueCase) -> None:
    events = [event(n, size=MAX_MESSAGE_BYTES) for n in range(9)]
    assert case.replay_queue.deliver(THEIRS, events) == {}
    assert [body for body, _ in case.received()] == [e.body for e in events]


def test_what_the_topic_would_not_take_is_refused_and_its_neighbours_are_not(
    case: ReplayQueueCase,
) -> None:
    large = event(5, size=MAX_MESSAGE_BYTES, change="created")
    assert case.replay_queue.deliver(THEIRS, [event(1), large, event(9)]).keys() == {large.id}
    assert [body for body, _ in case.received()] == [event(1).body, event(9).body]


def test_a_queue_that_is_not_there_is_nobody_elses_trouble(case: ReplayQueueCase) -> None:
    with pytest.raises(PermanentError, match="nobodys"):
        case.replay_queue.deliver(NOBODYS, [event(1)])
    assert case.received() == []


def test_it_is_what_the_topic_delivers_without_an_envelope(account: MotoAccount) -> None:
    one = event(1, change="updated", isVerified="true")
    SnsTopic(account.sns, account.topic_arn).publish([one])
    [published] = taken(account)
    SqsReplayQueue(account.sqs).deliver(THEIRS, [one])
    assert taken(account) == [published]


def test_a_queue_of_another_region_is_refused(account: MotoAccount) -> None:
    with pytest.raises(PermanentError, match="queues of eu-west-2 only"):
        SqsReplayQueue(account.sqs).deliver(
            "arn:aws:sqs:eu-west-1:123456789012:subscriber", [event(1)]
        )
    assert taken(account) == []


def test_a_queue_that_is_not_there_says_first_what_to_do(account: MotoAccount) -> None:
    missing = f"{THEIRS}-gone"
    with pytest.raises(PermanentError) as raised:
        SqsReplayQueue(account.sqs).deliver(missing, [event(1)])
    remedy, _, rest = str(raised.value).partition(", or cancel the job. ")
    assert remedy.startswith(f"cannot replay to {missing}: name it in ReplayQueueArns, and let")
    assert rest.startswith("sqs:GetQueueUrl")


@contextmanager
def failing(
    account: MotoAccount, code: str, *, is_senders: bool = False, times: int = 99
) -> Iterator[SqsReplayQueue]:
    """A replay queue whose next answers name the first event of each batch as failed."""
    left = [None] * times

    def spoil(parsed: dict[str, Any], **_: Any) -> None:
        if left:
            left.pop()
            entry = parsed["Successful"].pop(0)
            failed = {"Id": entry["Id"], "Code": code, "SenderFault": is_senders}
            parsed.setdefault("Failed", []).append(failed)

    events = account.sqs.meta.events
    events.register("after-call.sqs.SendMessageBatch", spoil)
    try:
        yield SqsReplayQueue(account.sqs, sleep=lambda _: None)
    finally:
        events.unregister("after-call.sqs.SendMessageBatch", spoil)


def test_what_failed_in_a_batch_is_sent_again(account: MotoAccount) -> None:
    with failing(account, "InternalError", times=1) as replay_queue:
        assert replay_queue.deliver(THEIRS, [event(1), event(2)]) == {}
    bodies = [body for body, _ in taken(account)]
    assert bodies == [event(1).body, event(1).body, event(2).body]


def test_what_fails_for_long_is_an_outage(account: MotoAccount) -> None:
    with (
        failing(account, "InternalError") as replay_queue,
        pytest.raises(TransientError, match="InternalError"),
    ):
        replay_queue.deliver(THEIRS, [event(1)])


@pytest.mark.parametrize("code", ["InvalidMessageContents", "AccessDenied"])
def test_what_is_the_requests_own_fault_is_permanent(account: MotoAccount, code: str) -> None:
    with (
        failing(account, code, is_senders=True) as replay_queue,
        pytest.raises(PermanentError, match=code),
    ):
        replay_queue.deliver(THEIRS, [event(1)])


def test_a_lost_answer_may_repeat_but_loses_nothing(account: MotoAccount) -> None:
    with lost_answers(account.sqs, "SendMessageBatch"):
        SqsReplayQueue(account.sqs).deliver(THEIRS, [event(1), event(2)])
    assert {body for body, _ in taken(account)} == {event(1).body, event(2).body}
