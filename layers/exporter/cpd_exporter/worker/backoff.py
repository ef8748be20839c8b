"""How long a message waits after its work failed."""

import random

from cpd_exporter.errors import AccessError, ConfigurationError, MalformedInputError, TransientError

FIRST_RETRY_SECONDS = 5
MAX_BACKOFF_SECONDS = 300
MAX_RETRY_SECONDS = 12 * 60 * 60


def seconds_until_retry(
    error: Exception, receives: int, chance: random.Random | None = None
) -> int:
    """The wait: as long as the API asks for, otherwise doubled with each receipt.

    A malformed message does not wait: no retry helps it, so it goes to the dead-letter queue. A
    failure that only an operator can mend waits longest. Other waits are spread at random, so that
    workers which failed together do not come back together.
    """
    if isinstance(error, MalformedInputError):
        return 0
    if isinstance(error, AccessError | ConfigurationError):
        return MAX_BACKOFF_SECONDS
    least = min(FIRST_RETRY_SECONDS * 2 ** min(receives - 1, 10), MAX_BACKOFF_SECONDS)
    if isinstance(error, TransientError) and error.retry_after is not None:
        least = max(FIRST_RETRY_SECONDS, int(min(error.retry_after, MAX_RETRY_SECONDS)) + 1)
    spread = (chance or random.SystemRandom()).uniform(1, 1.5)
    return min(int(least * spread), MAX_RETRY_SECONDS)
