"""How long the planner waits before it sends work again."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class ResendPolicy:
    """The times after which the planner sends work again.

    A message may take ``in_queue`` to be received or redelivered. The clocks of two machines may
    differ by ``lease_grace``. The back-off of a hole lies between ``hole_least`` and ``hole_most``,
    and doubles with each attempt after the first ``attempts``.
    """

    in_queue: timedelta
    lease_grace: timedelta = timedelta(seconds=10)
    hole_least: timedelta = timedelta(minutes=5)
    hole_most: timedelta = timedelta(hours=6)
    attempts: int = 5

    def after_failures(self, attempts: int) -> timedelta:
        """The back-off of a hole after that many attempts in all."""
        doublings: int = 2 ** min(max(0, attempts - self.attempts), 12)
        return min(self.hole_least * doublings, self.hole_most)
