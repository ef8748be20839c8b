"""A queue in a list."""

from collections.abc import Sequence

from cpd_exporter.model.messages import Work


class FakeQueue:
    """``messages`` is what waits for a worker; take from it, repeat or lose it at will."""

    def __init__(self) -> None:
        self.messages: list[Work] = []

    def send(self, work: Sequence[Work]) -> list[Work]:
        self.messages.extend(work)
        return list(work)
