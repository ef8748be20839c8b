"""The breaker: holds deletions back once a day has too many, until the operator confirms them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class DayCount:
    """How many deletions were published on one day (``YYYY-MM-DD``, UTC)."""

    day: str
    deletions: int

    def on(self, day: str) -> int:
        """The deletions of ``day``."""
        return self.deletions if self.day == day else 0


class _Held(Protocol):
    @property
    def held_at(self) -> datetime | None:
        """When a sweep held the entry's deletion back."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """The tenant's one guard against mass deletion.

    ``published`` counts the last day's deletions, except the confirmed ones. From ``opened_at``
    until the operator confirms, every deletion is held back. A deletion that was held at
    ``confirmed_through`` or before is confirmed. Each confirmation and each merge of a page that
    holds further deletions writes a new ``revision``, so a confirmation covers exactly what it saw.
    """

    revision: str
    published: DayCount | None = None
    opened_at: datetime | None = None
    confirmed_through: datetime | None = None

    def published_on(self, day: str) -> int:
        """The deletions that were published on ``day`` and that nobody confirmed."""
        return self.published.on(day) if self.published else 0

    def holds(self, missing: _Held) -> bool:
        """Whether the entry's deletion waits for a confirmation."""
        return missing.held_at is not None and not self.confirms(missing)

    def confirms(self, missing: _Held) -> bool:
        """Whether the operator has confirmed the entry's deletion."""
        through = self.confirmed_through
        return missing.held_at is not None and through is not None and missing.held_at <= through

    def count_held(self, missing: Mapping[str, _Held]) -> int:
        """How many of a page's missing entries wait for a confirmation."""
        return sum(self.holds(entry) for entry in missing.values())


@dataclass(frozen=True, slots=True)
class BreakerChange:
    """A write of the breaker, if it still is ``before``; ``None`` where there was none."""

    before: Breaker | None
    after: Breaker
