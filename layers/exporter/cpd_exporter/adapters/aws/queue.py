"""The work queue in SQS."""

import time
from collections.abc import Callable, Mapping, Sequence
from itertools import batched
from typing import TYPE_CHECKING, Any

from cpd_exporter.adapters.aws.batch import MAX_BATCH_ENTRIES, Batch
from cpd_exporter.adapters.aws.client import in_parallel, translated
from cpd_exporter.errors import TransientError
from cpd_exporter.model.message import Message, QueueDepth

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient

MAX_POSTPONEMENT_SECONDS = 43_200 - 900
"""SQS allows 12 hours from the receipt, which may be 15 minutes old when a function postpones."""


class SqsQueue:
    """One queue. Make ``client`` with ``CLIENT_CONFIG``."""

    def __init__(
        self, client: "SQSClient", url: str, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._client = client
        self._url = url
        self._sleep = sleep

    def send(self, work: Sequence[Message]) -> list[Message]:
        outcomes = in_parallel(self._send_batch, batched(work, MAX_BATCH_ENTRIES, strict=False))
        sent = [one for batch, _ in outcomes for one in batch]
        outage = next((error for _, error in outcomes if error is not None), None)
        if outage is not None and not sent:
            raise outage
        return sent

    def depth(self) -> QueueDepth:
        """About how many messages the queue holds: SQS catches up within a minute."""
        with translated("sqs:GetQueueAttributes", self._url):
            answer = self._client.get_queue_attributes(
                QueueUrl=self._url,
                AttributeNames=[
                    "ApproximateNumberOfMessages",
                    "ApproximateNumberOfMessagesNotVisible",
                ],
            )
        counts = answer["Attributes"]
        return QueueDepth(
            waiting=int(counts["ApproximateNumberOfMessages"]),
            in_flight=int(counts["ApproximateNumberOfMessagesNotVisible"]),
        )

    def postpone(self, receipt_handle: str, seconds: float) -> None:
        """Hide a received message for some seconds more, unless the queue has it back already."""
        with translated("sqs:ChangeMessageVisibility", self._url):
            try:
                self._client.change_message_visibility(
                    QueueUrl=self._url,
                    ReceiptHandle=receipt_handle,
                    VisibilityTimeout=round(min(max(seconds, 0), MAX_POSTPONEMENT_SECONDS)),
                )
            except (
                self._client.exceptions.MessageNotInflight,
                self._client.exceptions.ReceiptHandleIsInvalid,
            ):
                return

    def _send_batch(self, work: Sequence[Message]) -> tuple[list[Message], TransientError | None]:
        """Send up to ten messages; returns those that are surely queued, and the outage if any."""

        def call(messages: Mapping[str, Message]) -> Mapping[str, Any]:
            return self._client.send_message_batch(
                QueueUrl=self._url,
                Entries=[
                    {"Id": name, "MessageBody": message.model_dump_json(by_alias=True)}
                    for name, message in messages.items()
                ],
            )

        batch, outage = Batch(work), None
        try:
            batch.send(call, action="sqs:SendMessage", resource=self._url, sleep=self._sleep)
        except TransientError as error:
            outage = error
        return batch.accepted, outage
