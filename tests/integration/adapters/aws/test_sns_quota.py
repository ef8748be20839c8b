"""The topic in a region where SNS takes 300 messages a second: a first export ends all the same.

botocore's real retries run against a token bucket in place of the network, by a virtual clock.
"""

import re
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl

import botocore.endpoint
import botocore.retries.bucket
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from cpd_exporter.adapters.aws.topic import SnsTopic, topic_client
from cpd_exporter.errors import TransientError
from cpd_exporter.model.event import Event
from cpd_exporter.worker.backoff import seconds_until_retry
from tests.support.virtual_clock import VirtualClock, VirtualCondition

RATE = 300
PAGES, EVENTS_OF_A_PAGE = 24, 800
WORKERS = 4
MAX_RECEIVES = 5
CALL_SECONDS = 0.02
ID = re.compile(r"PublishBatchRequestEntries\.member\.\d+\.Id")
ACCEPTED = """<PublishBatchResponse><PublishBatchResult><Successful>{}</Successful><Failed/>
</PublishBatchResult></PublishBatchResponse>"""
THROTTLED = """<ErrorResponse><Error><Type>Sender</Type><Code>Throttled</Code>
<Message>Rate exceeded</Message></Error></ErrorResponse>"""


class Body:
    """The body of an answer, as a connection would give it."""

    def __init__(self, text: str) -> None:
        self._text = text.encode()

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self._text


class Sns:
    """Takes ``RATE`` messages a second, a second's worth at once, and counts each."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.accepted: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._statuses = cycle((400, 429))  # either is documented
        self._tokens, self._filled_at = float(RATE), 0.0

    def answer(self, request: Any, **_: Any) -> AWSResponse:
        body = dict(parse_qsl(request.body.decode()))
        names = [key for key in body if ID.fullmatch(key)]
        self.clock.sleep(CALL_SECONDS)
        with self._lock:
            moment = self.clock.now()
            self._tokens = min(RATE, self._tokens + (moment - self._filled_at) * RATE)
            self._filled_at = moment
            if self._tokens < len(names):
                return response(request, next(self._statuses), THROTTLED)
            self._tokens -= len(names)
            self.accepted.update(body[name.removesuffix("Id") + "Message"] for name in names)
        members = (f"<member><Id>{body[name]}</Id></member>" for name in names)
        return response(request, 200, ACCEPTED.format("".join(members)))


def response(request: Any, status: int, text: str) -> AWSResponse:
    return AWSResponse(request.url, status, HTTPHeaders(), Body(text))


@pytest.fixture
def sns(monkeypatch: pytest.MonkeyPatch) -> Sns:
    sns = Sns()
    clock = sns.clock
    condition = type("Condition", (VirtualCondition,), {"clock": clock})
    threads = SimpleNamespace(Lock=threading.Lock, Condition=condition)
    monkeypatch.setattr(botocore.endpoint, "time", SimpleNamespace(sleep=clock.sleep))
    monkeypatch.setattr(botocore.retries.bucket, "threading", threads)
    monkeypatch.setattr(botocore.retries.bucket.Clock, "current_time", lambda _: clock.now())
    return sns


class CountedTopic(SnsTopic):
    """A topic whose threads are known to the virtual clock."""

    clock: VirtualClock

    def _publish_batch(self, events: Sequence[Event]) -> dict[str, str]:
        with self.clock.at_work():
            return super()._publish_batch(events)


def topic(sns: Sns) -> SnsTopic:
    client = topic_client(
        region_name="eu-west-2", aws_access_key_id="testing", aws_secret_access_key="testing"
    )
    client.meta.events.register("before-send.sns.PublishBatch", sns.answer)  # type: ignore[arg-type]
    topic = CountedTopic(client, "arn:aws:sns:eu-west-2:123456789012:topic", sleep=sns.clock.sleep)
    topic.clock = sns.clock
    return topic


def page(number: int) -> list[Event]:
    return [
        Event(f"{number}-{n}", str(n), f"event {n} of page {number}", {"change": "created"})
        for n in range(EVENTS_OF_A_PAGE)
    ]


def test_the_first_export_ends_where_sns_takes_300_messages_a_second(sns: Sns) -> None:
    waiting: SimpleQueue[tuple[int, int]] = SimpleQueue()
    for number in range(PAGES):
        waiting.put((number, 1))
    done: list[int] = []
    dead_letters: list[int] = []

    def work() -> None:
        publishing = topic(sns)
        with sns.clock.at_work():
            while not waiting.empty():
                number, receives = waiting.get()
                try:
                    with sns.clock.waiting():
                        publishing.publish(page(number))
                    done.append(number)
                except TransientError as error:
                    if receives == MAX_RECEIVES:
                        dead_letters.append(number)
                        continue
                    sns.clock.sleep(seconds_until_retry(error, receives))
                    waiting.put((number, receives + 1))

    with ThreadPoolExecutor(WORKERS) as pool:
        for worker in [pool.submit(work) for _ in range(WORKERS)]:
            worker.result()
    events = PAGES * EVENTS_OF_A_PAGE
    assert not dead_letters
    assert sorted(done) == list(range(PAGES))
    assert len(sns.accepted) == events
    assert sns.accepted.total() < 1.01 * events
    assert sns.clock.now() <= 1.2 * events / RATE
