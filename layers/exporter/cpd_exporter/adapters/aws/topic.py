"""The topic in SNS."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from cpd_exporter.adapters.aws.batch import MAX_BATCH_ENTRIES, Batch
from cpd_exporter.adapters.aws.client import CLIENT_CONFIG, code_of, in_parallel, is_throttling
from cpd_exporter.adapters.aws.form import write_at_once
from cpd_exporter.model.event import Event

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient
    from types_boto3_sns.type_defs import PublishBatchRequestEntryTypeDef

MAX_MESSAGE_BYTES = 262_144
"""The limit of a message and of a batch. Names, types and values of attributes count too."""

_PARALLEL_CALLS = 2
"""More threads take each other's CPU: four took about a tenth more of it. More calls at once also
run into SNS's quota in bursts: at 300 messages a second, 16 take 1.33 times the least time to
publish 24 pages.
"""

# SNS refuses the whole batch because of a message in it. The sender and the topic are all right.
_CONTENT_REFUSED = frozenset(
    {
        "BatchRequestTooLong",
        "InvalidParameter",
        "InvalidParameterException",
        "InvalidParameterValue",
        "InvalidParameterValueException",
        "ParameterValueInvalid",
        "ValidationError",
        "ValidationException",
    }
)
_ACTION = "sns:Publish"


def topic_client(**options: Any) -> "SNSClient":
    """A client that slows down to what SNS takes: 300 messages a second in most regions.

    In botocore's standard mode, repeats of what SNS refused use up the quota of new messages.
    """
    own = Config(
        retries={"mode": "adaptive", "total_max_attempts": 10},
        # ``SnsTopic`` checks what SNS checks, and botocore's checks of types take long.
        parameter_validation=False,
    )
    client = boto3.client("sns", config=CLIENT_CONFIG.merge(own), **options)
    write_at_once(client)
    client.meta.events.register("response-received.sns", _name_throttling)
    return client


def _name_throttling(parsed_response: dict[str, Any] | None, **_: Any) -> None:
    """Give SNS's codes ``Throttled`` and ``KMSThrottling`` a name that botocore's retries know."""
    error = (parsed_response or {}).get("Error", {})
    if is_throttling(error.get("Code", "")):
        error["Code"] = "Throttling"


class _RefusedBatchError(Exception):
    """SNS refuses a batch because of some event in it, but does not say which."""


class SnsTopic:
    """One topic. Make ``client`` by ``topic_client``."""

    def __init__(
        self, client: "SNSClient", arn: str, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._client = client
        self._arn = arn
        self._sleep = sleep

    def publish(self, events: Sequence[Event]) -> dict[str, str]:
        refused: dict[str, str] = {}
        for refusals in in_parallel(self._publish_batch, batches(events), threads=_PARALLEL_CALLS):
            refused |= refusals
        return refused

    def _publish_batch(self, events: Sequence[Event]) -> dict[str, str]:
        """Publish up to ten events; returns the IDs of those refused for good, with the reasons."""
        if size(events[0]) > MAX_MESSAGE_BYTES:
            # It comes alone: ``batches`` puts it with no other.
            return {events[0].id: f"the message has more than {MAX_MESSAGE_BYTES} bytes"}
        batch = Batch(events)
        refused: dict[str, str] = {}
        try:
            batch.send(self._call, action=_ACTION, resource=self._arn, sleep=self._sleep)
        except _RefusedBatchError as error:
            refused = self._publish_halves(list(batch.left.values()), reason=str(error))
        return refused | {event.id: code for event, code in batch.refused}

    def _call(self, events: Mapping[str, Event]) -> Mapping[str, Any]:
        try:
            return self._client.publish_batch(
                TopicArn=self._arn,
                PublishBatchRequestEntries=[
                    _batch_entry(name, event) for name, event in events.items()
                ],
            )
        except ClientError as error:
            if code_of(error) in _CONTENT_REFUSED:
                raise _RefusedBatchError(code_of(error)) from error
            raise

    def _publish_halves(self, batch: Sequence[Event], *, reason: str) -> dict[str, str]:
        """Publish a refused batch in ever smaller halves, until each culprit is alone."""
        if len(batch) == 1:
            return {batch[0].id: reason}
        middle = len(batch) // 2
        return self._publish_batch(batch[:middle]) | self._publish_batch(batch[middle:])


def size(event: Event) -> int:
    """Bytes that count towards the limit of a message and of a batch."""
    attributes = sum(
        len(name) + len("String") + len(value.encode()) for name, value in event.attributes.items()
    )
    return len(event.body.encode()) + attributes


def batches(
    events: Iterable[Event], *, max_bytes: int = MAX_MESSAGE_BYTES
) -> Iterator[list[Event]]:
    """Group events into batches of ten at most, and of ``max_bytes`` unless one event is larger."""
    batch: list[Event] = []
    total = 0
    for event in events:
        own = size(event)
        if batch and (len(batch) == MAX_BATCH_ENTRIES or total + own > max_bytes):
            yield batch
            batch, total = [], 0
        batch.append(event)
        total += own
    if batch:
        yield batch


def _batch_entry(name: str, event: Event) -> "PublishBatchRequestEntryTypeDef":
    return {
        "Id": name,
        "Message": event.body,
        "MessageAttributes": {
            attribute: {"DataType": "String", "StringValue": value}
            for attribute, value in event.attributes.items()
        },
    }
