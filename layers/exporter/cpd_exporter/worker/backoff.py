"""What becomes of a message whose work failed."""

import random

from cpd_exporter.errors import ConfigurationError, MalformedInputError, TransientError

FIRST_RETRY_SECONDS = 5
MAX_BACKOFF_SECONDS = 300


def is_resent(error: Exception) -> bool:
    """Whether the planner sends the work again, so that the message is dropped.

    An outage strikes all messages alike. If they stayed, a long one would drive them all into the
    dead-letter queue, and each tick would send more.
    """
    return isinstance(error, TransientError | ConfigurationError)


def seconds_until_retry(
    error: Exception, receives: int, chance: random.Random | None = None
) -> int:
    """How long a message waits that stays in the queue: twice as long with each receipt.

    A malformed message does not wait: no retry helps it, so it goes to the dead-letter queue. Other
    waits are spread at random, so that workers which failed together do not come back together.
    """
    if isinstance(error, MalformedInputError):
        return 0
    least = min(FIRST_RETRY_SECONDS * 2 ** min(receives - 1, 10), MAX_BACKOFF_SECONDS)
    return int(least * (chance or random.SystemRandom()).uniform(1, 1.5))
