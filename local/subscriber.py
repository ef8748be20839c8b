"""A real subscriber: an SQS queue behind the topic, emptied in parallel."""

import contextlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from local.stack import Stack

_RECEIVERS = 3
_LATE_SECONDS = 15
"""How long to wait for the next message, while any is missing."""


class Subscriber:
    """What the queue brought: how often each event came, by its ID, and the entries told of."""

    def __init__(self, stack: Stack) -> None:
        self._sqs = stack.account.sqs
        self._queue_url = subscribe(stack, "subscriber")
        self._lock = threading.Lock()
        self.events: Counter[str] = Counter()
        self.subjects: set[str] = set()

    def receive_until(self, stop: threading.Event) -> None:
        while not stop.is_set():
            answer = self._sqs.receive_message(
                QueueUrl=self._queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=1
            )
            messages = answer.get("Messages", [])
            if not messages:
                continue
            told = [json.loads(message["Body"]) for message in messages]
            with self._lock:
                self.events.update(event["id"] for event in told)
                self.subjects.update(event["subject"] for event in told)
            self._sqs.delete_message_batch(
                QueueUrl=self._queue_url,
                Entries=[
                    {"Id": str(position), "ReceiptHandle": message["ReceiptHandle"]}
                    for position, message in enumerate(messages)
                ],
            )

    def await_events(self, expected: int, show: Callable[[int], None]) -> None:
        """Wait until so many different events came, or none for a while."""
        count, changed_at = -1, time.monotonic()
        while count < expected and time.monotonic() < changed_at + _LATE_SECONDS:
            if len(self.events) != count:
                count, changed_at = len(self.events), time.monotonic()
                show(count)
            time.sleep(0.1)


@contextlib.contextmanager
def subscribed(stack: Stack) -> Iterator[Subscriber]:
    """Receives in the background until left."""
    subscriber = Subscriber(stack)
    stop = threading.Event()
    with ThreadPoolExecutor(_RECEIVERS) as pool:
        receivers = [pool.submit(subscriber.receive_until, stop) for _ in range(_RECEIVERS)]
        try:
            yield subscriber
        finally:
            stop.set()
    for receiver in receivers:
        receiver.result()


def subscribe(stack: Stack, name: str) -> str:
    """A new queue that gets every notification as it was published; its URL."""
    account, topic = stack.account, stack.outputs["NotificationsTopicArn"]
    url = account.sqs.create_queue(QueueName=name)["QueueUrl"]
    attributes = account.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    queue = attributes["Attributes"]["QueueArn"]
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "sns.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": queue,
                "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
            }
        ],
    }
    account.sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    account.sns.subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=queue,
        Attributes={"RawMessageDelivery": "true"},
    )
    return url
