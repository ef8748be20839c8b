"""Subscribers' queues in lists."""

from collections.abc import Sequence

from cpd_exporter.errors import PermanentError
from cpd_exporter.model.event import Event
from tests.support.fakes.topic import MESSAGE_LIMIT, size


class FakeReplayQueue:
    """``delivered`` is what each queue got, in order; a queue that is not in it does not exist."""

    def __init__(self, *queue_arns: str) -> None:
        self.delivered: dict[str, list[Event]] = {arn: [] for arn in queue_arns}

    def deliver(self, queue_arn: str, events: Sequence[Event]) -> dict[str, str]:
        refused = {event.id: "too large" for event in events if size(event) > MESSAGE_LIMIT}
        fitting = [event for event in events if event.id not in refused]
        if fitting and queue_arn not in self.delivered:
            raise PermanentError(f"there is no queue {queue_arn}")
        if fitting:
            self.delivered[queue_arn].extend(fitting)
        return refused
