"""Where the rows of an overflowing query lie in time, as far as some of them were seen."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise

from cpd_exporter.model.timestamps import SECOND, floor_second
from cpd_exporter.model.window import Window

_EVEN = 1.2
"""Rows count as evenly spread if their density differs by this factor at most."""

_SORTED = 0.9
"""A listing counts as sorted if this share of its rows follow their predecessors in time."""


class RowPlaces:
    """The date of each row by its place in the order of dates, estimated between rows seen.

    It is made of the first rows of a listing with ``total`` rows. The rows of a listing in no order
    are a sample of the whole. All of this is a hint: the API may lie about order and total.
    """

    def __init__(self, asked: Window, total: int, dates: Sequence[datetime]) -> None:
        self.total = total
        self.is_sorted = True
        self._asked = asked
        self._is_descending = False
        self._places, self._offsets = [0.0, float(total)], [0.0, asked.length / SECOND]
        steps = list(pairwise(dates))
        if sum(a <= b for a, b in steps) < _SORTED * len(steps):
            self._is_descending = sum(a >= b for a, b in steps) >= _SORTED * len(steps)
            self.is_sorted = self._is_descending
        stride = 1 if self.is_sorted else total / len(dates)
        self.add(0, dates, stride=stride)

    def add(self, first: int, dates: Sequence[datetime], *, stride: float = 1) -> None:
        """Note the rows of an offset page that begins at some place.

        Places and dates are sorted each by itself: an order may have exceptions, or change.
        """
        end = self._offsets[-1]
        offsets = (min(max(0.0, self._offset_of(date)), end) for date in dates)
        places = (first + (stride - 1) / 2 + n * stride for n in range(len(dates)))
        self._places = sorted([*self._places, *places])
        self._offsets = sorted([*self._offsets, *offsets])

    def is_even(self, low: int, high: int, *, beside: int) -> bool:
        """Whether the rows between two places seem as dense as ``beside`` rows on either side.

        Each side counts by halves: one that is uneven itself may be as dense by chance.
        """
        sides = [low - beside, low - beside // 2, low, high, high + beside // 2, high + beside]
        bounds = sorted({min(max(0, place), self.total) for place in sides})
        paces = [(self._offset(b) - self._offset(a)) / (b - a) for a, b in pairwise(bounds)]
        return max(paces) <= _EVEN * min(paces)

    def bounds(self, step: int) -> Iterator[datetime]:
        """The seconds in which every ``step``-th row lies; of a dense one, both ends."""
        instants = [self._instant(place) for place in range(step, self.total, step)]
        yield from instants
        yield from (a + SECOND for a, b in pairwise(instants) if a == b)

    def _offset_of(self, date: datetime) -> float:
        apart = self._asked.end - date if self._is_descending else date - self._asked.start
        return apart / SECOND

    def _offset(self, place: float) -> float:
        """How far (s) a row is from the first bound of the query in its order."""
        right = min(max(1, bisect_left(self._places, place)), len(self._places) - 1)
        low, high = self._places[right - 1 : right + 1]
        start, end = self._offsets[right - 1 : right + 1]
        return start + (end - start) * (place - low) / (high - low) if low < high else end

    def _instant(self, place: int) -> datetime:
        """A second between a row and the one before it: beside the one that was seen, if any."""
        offset = self._offset(place)
        if self._places[bisect_left(self._places, place)] != place:
            offset = min(offset, self._offset(place - 1) + 1)
        apart = offset * SECOND
        return floor_second(
            self._asked.end - apart if self._is_descending else self._asked.start + apart
        )
