"""The topic in SNS."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from cpd_exporter.adapters.aws import code_of, in_parallel
from cpd_exporter.adapters.batch import SIZE, Batch
from cpd_exporter.model.events import Event

if TYPE_CHECKING:
    from types_boto3_sns import SNSClient
    from types_boto3_sns.type_defs import PublishBatchRequestEntryTypeDef

LARGEST = 262_144
"""Bytes of a message and of a batch, names, types and values of attributes included."""

# A batch that is refused as a whole for what is in it, rather than for who sends it where.
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


class _RefusedBatchError(Exception):
    """At least one event of a batch cannot be accepted; nothing says which."""


class SnsTopic:
    """``client`` is made with ``aws.CLIENT_CONFIG``."""

    def __init__(
        self, client: "SNSClient", arn: str, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._client = client
        self._arn = arn
        self._sleep = sleep

    def publish(self, events: Sequence[Event]) -> dict[str, str]:
        refused = {
            event.id: f"the message has more than {LARGEST} bytes"
            for event in events
            if size(event) > LARGEST
        }
        fitting = (event for event in events if event.id not in refused)
        for refusals in in_parallel(self._publish_batch, batches(fitting)):
            refused |= refusals
        return refused

    def _publish_batch(self, events: Sequence[Event]) -> dict[str, str]:
        """Publish up to ten events; those that are refused for good, with the reasons."""
        batch = Batch(events)
        refused: dict[str, str] = {}
        try:
            batch.send(self._call, action=_ACTION, resource=self._arn, sleep=self._sleep)
        except _RefusedBatchError as error:
            refused = self._publish_apart(list(batch.left.values()), reason=str(error))
        return refused | {event.id: code for event, code in batch.refused}

    def _call(self, events: Mapping[str, Event]) -> Mapping[str, Any]:
        try:
            return self._client.publish_batch(
                TopicArn=self._arn,
                PublishBatchRequestEntries=[
                    _request(name, event) for name, event in events.items()
                ],
            )
        except ClientError as error:
            if code_of(error) in _CONTENT_REFUSED:
                raise _RefusedBatchError(code_of(error)) from error
            raise

    def _publish_apart(self, batch: Sequence[Event], *, reason: str) -> dict[str, str]:
        """Publish the halves of a batch that was refused whole, until only culprits are left."""
        if len(batch) == 1:
            return {batch[0].id: reason}
        middle = len(batch) // 2
        return self._publish_batch(batch[:middle]) | self._publish_batch(batch[middle:])


def size(event: Event) -> int:
    """Bytes that count against the limit of a message and of a batch."""
    attributes = sum(
        len(name) + len("String") + len(value.encode()) for name, value in event.attributes.items()
    )
    return len(event.body.encode()) + attributes


def batches(events: Iterable[Event], *, largest: int = LARGEST) -> Iterator[list[Event]]:
    """Cut events, none too large alone, into batches that one call may hold: ``largest`` bytes."""
    batch: list[Event] = []
    total = 0
    for event in events:
        if batch and (len(batch) == SIZE or total + size(event) > largest):
            yield batch
            batch, total = [], 0
        batch.append(event)
        total += size(event)
    if batch:
        yield batch


def _request(name: str, event: Event) -> "PublishBatchRequestEntryTypeDef":
    return {
        "Id": name,
        "Message": event.body,
        "MessageAttributes": {
            attribute: {"DataType": "String", "StringValue": value}
            for attribute, value in event.attributes.items()
        },
    }
