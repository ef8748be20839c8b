"""The union of repeated complete readings, for windows that hold more than one response does.

One reading of several offset pages proves nothing: rows move between two responses. Readings with
varying page sizes are joined until the union is as large as a total that does not change.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

_PAGE_SIZE_STEP = 61
"""A prime: an order that repeats for each page size cannot hide the same rows every time."""


def page_sizes(largest: int, readings: int) -> Iterator[int]:
    """A page size for each reading, from ``largest`` down to half of it."""
    for reading in range(readings):
        yield page_size(largest, reading)


def page_size(largest: int, reading: int) -> int:
    """The page size of one reading."""
    return largest - reading * _PAGE_SIZE_STEP % (largest // 2 + 1)


@dataclass(slots=True)
class Union[Value]:
    """Records by identity, joined from readings, and the total that the last reading named."""

    members: dict[str, Value] = field(default_factory=dict)
    total: int = -1

    def add(self, totals: set[int], reading: Mapping[str, Value], *, anew: bool = False) -> bool:
        """Join one complete reading; returns whether the union is as large as its only total.

        The union begins ``anew`` by itself where the total changed or is too small: it may hold
        records that are gone.
        """
        if anew or totals != {self.total} or len(self.members) > self.total:
            self.members = {}
        self.members |= reading
        self.total = max(totals)
        return totals == {len(self.members)}
