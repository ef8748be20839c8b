"""A queue in a list."""

from collections.abc import Sequence

from cpd_exporter.model.message import Message, QueueDepth


class FakeQueue:
    """``messages`` is what waits for a worker; take from it, repeat or lose it at will."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def send(self, work: Sequence[Message]) -> list[Message]:
        self.messages.extend(work)
        return list(work)

    def depth(self) -> QueueDepth:
        return QueueDepth(waiting=len(self.messages), in_flight=0)
