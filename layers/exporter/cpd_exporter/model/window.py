"""Half-open intervals of ``entryDate``. A page covers one."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Self

from cpd_exporter.model.timestamps import SECOND, format_instant


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """``[start, end)``, never empty. The bounds are whole seconds in UTC."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start >= self.end:
            raise ValueError(f"a window must end after it starts: {self}")
        for bound in (self.start, self.end):
            if bound.tzinfo is not UTC or bound.microsecond:
                raise ValueError(f"a window's bounds are whole seconds in UTC: {self}")

    def __str__(self) -> str:
        return f"[{format_instant(self.start)}, {format_instant(self.end)})"

    def __contains__(self, instant: datetime) -> bool:
        return self.start <= instant < self.end

    @property
    def length(self) -> timedelta:
        return self.end - self.start

    def widened(self, by: timedelta) -> Self:
        """The window with ``by`` (whole seconds) added on both sides."""
        return type(self)(self.start - by, self.end + by)

    def split(self, parts: int, *, floor: timedelta = SECOND) -> list[Self]:
        """Up to ``parts`` even windows, none shorter than ``floor`` unless it is the only one."""
        parts = max(1, min(parts, self.length // floor))
        seconds = self.length // SECOND
        return self.split_at(
            self.start + (seconds * part // parts) * SECOND for part in range(parts)
        )

    def split_at(self, instants: Iterable[datetime]) -> list[Self]:
        """The parts between those of some whole seconds that lie within the window."""
        bounds = [self.start, *sorted({i for i in instants if self.start < i < self.end}), self.end]
        return [type(self)(start, end) for start, end in pairwise(bounds)]

    def months(self) -> Iterator[Self]:
        """The parts of the window in each calendar month, in order."""
        start = self.start
        while start < self.end:
            end = min(next_month(start), self.end)
            yield type(self)(start, end)
            start = end

    @property
    def within_one_month(self) -> bool:
        return self.end <= next_month(self.start)


def next_month(instant: datetime) -> datetime:
    """The first second of the month after the one that ``instant`` is in."""
    first = instant.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first + timedelta(days=32)).replace(day=1)
