"""How long the planner waits before it sends work again."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class ResendPolicy:
    """The times after which the planner sends work again.

    A message may take ``in_queue`` to be received or redelivered. The clocks of two machines may
    differ by ``lease_grace``. The back-off of a hole lies between ``min_hole_wait`` and
    ``max_hole_wait``, and doubles with each attempt after the first ``max_attempts``.
    """

    in_queue: timedelta
    lease_grace: timedelta = timedelta(seconds=10)
    min_hole_wait: timedelta = timedelta(minutes=5)
    max_hole_wait: timedelta = timedelta(hours=6)
    max_attempts: int = 5

    def after_failures(self, attempts: int) -> timedelta:
        """The back-off of a hole after that many attempts in all."""
        doublings: int = 2 ** min(max(0, attempts - self.max_attempts), 12)
        return min(self.min_hole_wait * doublings, self.max_hole_wait)
