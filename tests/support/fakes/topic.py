"""A topic in a list."""

from collections.abc import Callable, Sequence

from cpd_exporter.model.event import Event

MESSAGE_LIMIT = 262_144
"""Bytes of a message, names, types and values of its attributes included."""


class FakeTopic:
    """``published`` is what subscribers got, in order, repetitions too.

    ``refuse`` gives the reason for which an event is refused for good, or ``None``.
    """

    def __init__(self, refuse: Callable[[Event], str | None] = lambda _: None) -> None:
        self.refuse = refuse
        self.published: list[Event] = []

    def publish(self, events: Sequence[Event]) -> dict[str, str]:
        refused: dict[str, str] = {}
        for event in events:
            if size(event) > MESSAGE_LIMIT:
                refused[event.id] = "too large"
            elif reason := self.refuse(event):
                refused[event.id] = reason
            else:
                self.published.append(event)
        return refused


def size(event: Event) -> int:
    """Bytes that count against the limit."""
    attributes = (name + "String" + value for name, value in event.attributes.items())
    return len("".join([event.body, *attributes]).encode())
