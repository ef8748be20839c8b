"""The queues of single subscribers in SQS. A replay to one of them disturbs nobody else."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cpd_exporter.adapters.aws.batch import Batch
from cpd_exporter.adapters.aws.client import in_parallel, translated
from cpd_exporter.adapters.aws.topic import MAX_MESSAGE_BYTES, batches, size
from cpd_exporter.errors import ConfigurationError, PermanentError
from cpd_exporter.model.event import Event

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

MAX_BATCH_BYTES = 1_048_576
"""SQS accepts no more in one call."""

_ACTION = "sqs:SendMessage"


class SqsReplayQueue:
    """Sends to queues in the client's own region. Make ``client`` with ``CLIENT_CONFIG``.

    An event that is too large for the topic is refused here too, though a queue would accept it: a
    replay delivers the same events as the topic, which delivered a reference.
    """

    def __init__(self, client: "SQSClient", *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._sleep = sleep

    def deliver(self, queue_arn: str, events: Sequence[Event]) -> dict[str, str]:
        refused = {
            event.id: f"the topic accepts no message of more than {MAX_MESSAGE_BYTES} bytes"
            for event in events
            if size(event) > MAX_MESSAGE_BYTES
        }
        fitting = [event for event in events if event.id not in refused]
        if not fitting:
            return refused
        try:
            url = self._url(queue_arn)

            def send(batch: Sequence[Event]) -> None:
                self._send_batch(url, batch)

            in_parallel(send, batches(fitting, max_bytes=MAX_BATCH_BYTES))
        except ConfigurationError as error:
            # The operator named this queue for one job only: no other work has to wait for it.
            raise PermanentError(
                f"cannot replay to {queue_arn}: name it in ReplayQueueArns, and let its policy "
                "allow the worker's role sqs:GetQueueUrl and sqs:SendMessage, or cancel the job. "
                f"{error}"
            ) from error
        return refused

    def _url(self, queue_arn: str) -> str:
        *_, region, account, name = queue_arn.split(":")
        if region != self._client.meta.region_name:
            raise PermanentError(
                f"cannot replay to {queue_arn}: replays reach queues of "
                f"{self._client.meta.region_name} only"
            )
        with translated("sqs:GetQueueUrl", queue_arn):
            answer = self._client.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)
        return answer["QueueUrl"]

    def _send_batch(self, url: str, events: Sequence[Event]) -> None:
        def call(events: Mapping[str, Event]) -> Mapping[str, Any]:
            entries = [_batch_entry(name, event) for name, event in events.items()]
            return self._client.send_message_batch(QueueUrl=url, Entries=entries)

        batch = Batch(events).send(call, action=_ACTION, resource=url, sleep=self._sleep)
        if batch.refused:
            _, code = batch.refused[0]
            raise PermanentError(f"{_ACTION} on {url} is refused ({code})")


def _batch_entry(name: str, event: Event) -> "SendMessageBatchRequestEntryTypeDef":
    return {
        "Id": name,
        "MessageBody": event.body,
        "MessageAttributes": {
            attribute: {"DataType": "String", "StringValue": value}
            for attribute, value in event.attributes.items()
        },
    }
