"""A real subscriber: an SQS queue behind the topic, which several threads empty."""

import contextlib
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

from local.stack.deploy import DeployedStack

_RECEIVERS = 3
_LATE_SECONDS = 60
"""How long to wait for the next message, while any is missing."""


class Subscriber:
    """``events`` counts the arrivals of each event, by ID; ``subjects`` holds entry IDs."""

    def __init__(self, stack: DeployedStack) -> None:
        self._sqs = stack.account.sqs
        self._queue_url = subscribe(stack, "subscriber")
        self._lock = threading.Lock()
        self.events: Counter[str] = Counter()
        self.subjects: set[str] = set()

    def receive_until(self, stop: threading.Event) -> None:
        """Receive and count messages; several threads may do so at once."""
        while not stop.is_set():
            answer = self._sqs.receive_message(
                QueueUrl=self._queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=1
            )
            messages = answer.get("Messages", [])
            if not messages:
                continue
            events = [json.loads(message["Body"]) for message in messages]
            with self._lock:
                self.events.update(event["id"] for event in events)
                self.subjects.update(event["subject"] for event in events)
            self._sqs.delete_message_batch(
                QueueUrl=self._queue_url,
                Entries=[
                    {"Id": str(position), "ReceiptHandle": message["ReceiptHandle"]}
                    for position, message in enumerate(messages)
                ],
            )

    def await_events(self, expected: int, show: Callable[[int], None]) -> None:
        """Wait until the expected number of different events came, or no new one for a while."""
        count, changed_at = -1, time.monotonic()
        while count < expected and time.monotonic() < changed_at + _LATE_SECONDS:
            if len(self.events) != count:
                count, changed_at = len(self.events), time.monotonic()
                show(count)
            time.sleep(0.1)


@contextlib.contextmanager
def subscribed(stack: DeployedStack) -> Iterator[Subscriber]:
    """Receive in the background for as long as the context lasts."""
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


def subscribe(stack: DeployedStack, name: str) -> str:
    """Make a queue that receives every notification as published, and return its URL."""
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
