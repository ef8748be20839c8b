"""Work into the queue. The plan is the outbox: what is not surely sent is sent by the next tick."""

import random
from collections.abc import Sequence

from cpd_exporter.errors import AccessError, ConfigurationError, MalformedInputError, TransientError
from cpd_exporter.model.messages import ErrandWork, Message, work_on
from cpd_exporter.model.timeline import Page, Request
from cpd_exporter.ports import Clock, Queue, Timeline


def send(
    pages: Sequence[Page], *, timeline: Timeline, queue: Queue, clock: Clock, hop: int = 0
) -> int:
    """Send pages to the workers and note it; returns how many are surely in the queue."""
    if not pages:
        return 0
    named: dict[Message, Page] = {
        work_on(page, timeline.tenant_id, hop=hop): page for page in pages
    }
    accepted = queue.send(list(named))
    timeline.mark_sent([named[work] for work in accepted], clock())
    return len(accepted)


def send_errand(request: Request, *, timeline: Timeline, queue: Queue, clock: Clock) -> None:
    """Send a request to a worker and note it."""
    if queue.send([ErrandWork(tenant_id=timeline.tenant_id, name=request.name)]):
        timeline.mark_request_sent(request, clock())


FIRST_RETRY_SECONDS = 5
LAST_RETRY_SECONDS = 300
LONGEST_WAIT_SECONDS = 12 * 60 * 60


def seconds_until_retry(
    error: Exception, receives: int, chance: random.Random | None = None
) -> int:
    """How long a message waits after a failure: as long as the API says, else doubling each time.

    Not at all for a message that no time can help: it is on its way to the dead-letter queue. As
    long as can be where only an operator can help. The rest is spread by chance, so that workers
    which failed together do not come back together.
    """
    if isinstance(error, MalformedInputError):
        return 0
    if isinstance(error, AccessError | ConfigurationError):
        return LAST_RETRY_SECONDS
    least = min(FIRST_RETRY_SECONDS * 2 ** min(receives - 1, 10), LAST_RETRY_SECONDS)
    if isinstance(error, TransientError) and error.retry_after is not None:
        least = max(FIRST_RETRY_SECONDS, int(min(error.retry_after, LONGEST_WAIT_SECONDS)) + 1)
    spread = (chance or random.SystemRandom()).uniform(1, 1.5)
    return min(int(least * spread), LONGEST_WAIT_SECONDS)
