"""Events that the topic refuses for good."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self

from cpd_exporter.model.window import Window

MIN_RETRY_INTERVAL = timedelta(minutes=5)
MAX_RETRY_INTERVAL = timedelta(hours=6)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A stored row whose event the topic refused for good, in full and as a reference.

    ``object`` is the lake key of the row, from which the event is published again. The wait
    doubles with each of the ``attempts``.
    """

    window: Window
    entry_id: str
    error: str
    since: datetime
    object: str
    attempts: int = 1
    retry_at: datetime | None = None

    def due(self, now: datetime) -> bool:
        """Whether the event is to be published again."""
        return now >= (self.retry_at or self.since + MIN_RETRY_INTERVAL)

    def tried(self, now: datetime) -> Self:
        """The refusal after another attempt, which counts before it ends."""
        wait = min(MIN_RETRY_INTERVAL * 2 ** min(self.attempts, 12), MAX_RETRY_INTERVAL)
        return replace(self, attempts=self.attempts + 1, retry_at=now + wait)
