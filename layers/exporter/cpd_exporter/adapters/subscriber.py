"""The queues of single subscribers in SQS, for replays that disturb nobody else."""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tenacity import Retrying, retry_if_result, stop_after_attempt, wait_random_exponential

from cpd_exporter.adapters.aws import failure, in_parallel, translated
from cpd_exporter.adapters.sns import LARGEST as LARGEST_NOTIFICATION
from cpd_exporter.adapters.sns import batches, size
from cpd_exporter.errors import ConfigurationError, PermanentError, TransientError
from cpd_exporter.model.events import Event

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

LARGEST = 1_048_576
"""Bytes of a batch."""

_ACTION = "sqs:SendMessage"


class SqsMailbox:
    """``client`` is made with ``aws.CLIENT_CONFIG``; the queues are of its region, since a client
    calls its own region whatever queue it is told.

    What has no place in a notification is refused here too, though a queue would take it: what is
    delivered is what the topic delivered, and that was a reference.
    """

    def __init__(self, client: "SQSClient", *, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = client
        self._sleep = sleep

    def deliver(self, queue_arn: str, events: Sequence[Event]) -> dict[str, str]:
        refused = {
            event.id: f"the topic takes no message of more than {LARGEST_NOTIFICATION} bytes"
            for event in events
            if size(event) > LARGEST_NOTIFICATION
        }
        fitting = [event for event in events if event.id not in refused]
        if not fitting:
            return refused
        try:
            url = self._url(queue_arn)

            def send(batch: Sequence[Event]) -> None:
                self._send_batch(url, batch)

            in_parallel(send, batches(fitting, largest=LARGEST))
        except ConfigurationError as error:
            # The operator named this queue for this one errand: nothing else has to wait for it.
            raise PermanentError(
                f"cannot replay to {queue_arn}: {error} Its policy must allow the worker's role "
                "sqs:GetQueueUrl and sqs:SendMessage, and ReplayQueueArns must name it"
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

    def _send_batch(self, url: str, batch: Sequence[Event]) -> None:
        left = {str(position): event for position, event in enumerate(batch)}
        failures: list[str] = []

        def attempt() -> bool:
            failures.clear()
            with translated(_ACTION, url):
                answer = self._client.send_message_batch(
                    QueueUrl=url, Entries=[_request(name, event) for name, event in left.items()]
                )
            for success in answer.get("Successful", []):
                del left[success["Id"]]
            for failed in answer.get("Failed", []):
                fault = failure(failed["Code"], action=_ACTION, resource=url)
                if isinstance(fault, ConfigurationError):
                    raise fault
                if failed["SenderFault"]:
                    raise PermanentError(f"{_ACTION} on {url} is refused ({failed['Code']})")
                failures.append(failed["Code"])
            return bool(left)

        Retrying(
            retry=retry_if_result(bool),
            stop=stop_after_attempt(5),
            wait=wait_random_exponential(multiplier=0.2, max=5),
            sleep=self._sleep,
            retry_error_callback=lambda _: None,
        )(attempt)
        if left:
            raise TransientError(
                f"{_ACTION} on {url} failed for {len(left)} events "
                f"({', '.join(sorted(set(failures))) or 'no answer'})"
            )


def _request(name: str, event: Event) -> "SendMessageBatchRequestEntryTypeDef":
    return {
        "Id": name,
        "MessageBody": event.body,
        "MessageAttributes": {
            attribute: {"DataType": "String", "StringValue": value}
            for attribute, value in event.attributes.items()
        },
    }
