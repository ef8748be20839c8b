"""Messages that a worker can read."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from cpd_exporter.adapters.aws.queue import SqsQueue
from cpd_exporter.model.message import JobMessage, Message, PageMessage, read_message
from cpd_exporter.model.page import WorkKind
from cpd_exporter.ports import Queue
from tests.support.fakes import FakeQueue

START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Case:
    queue: Queue
    received: Callable[[], list[Message]]


@pytest.fixture(params=["in memory", "SQS"])
def case(request: pytest.FixtureRequest) -> Case:
    if request.param == "in memory":
        fake = FakeQueue()
        return Case(fake, lambda: fake.messages)
    account = request.getfixturevalue("account")
    queue = SqsQueue(account.sqs, account.queue_url)
    return Case(
        queue,
        lambda: [read_message(message["Body"]) for message in account.received(account.queue_url)],
    )


def work(count: int) -> list[PageMessage]:
    hour = timedelta(hours=1)
    return [
        PageMessage(
            tenant_id="t",
            start=START + n * hour,
            end=START + (n + 1) * hour,
            generation=1,
            chain_length=2,
        )
        for n in range(count)
    ]


@pytest.mark.parametrize("count", [0, 1, 10, 11, 95])
def test_any_number_is_sent(case: Case, count: int) -> None:
    messages = work(count)
    assert case.queue.send(messages) == messages
    assert sorted(case.received(), key=str) == sorted(messages, key=str)


def test_a_message_may_be_sent_again(case: Case) -> None:
    messages = work(1)
    assert case.queue.send(messages) == case.queue.send(messages) == messages
    assert case.received() == messages * 2


def test_every_kind_of_message_arrives(case: Case) -> None:
    page = work(1)[0]
    messages: list[Message] = [
        JobMessage(tenant_id="t", name="replay:" + "n" * 505),
        page,
        page.model_copy(update={"kind": WorkKind.SWEEP}),
    ]
    assert case.queue.send(messages) == messages
    assert sorted(case.received(), key=str) == sorted(messages, key=str)
