"""Counts the deletions of a day, and holds those beyond its limit: the tenant's breaker."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from cpd_exporter.errors import TransientError
from cpd_exporter.model.breaker import Breaker, BreakerChange, DayCount
from cpd_exporter.model.page import ConditionalWrite
from cpd_exporter.worker.attempt import PageClaim
from cpd_exporter.worker.sweep.compare import SweepResult

MAX_BREAKER_TRIES = 5
"""Writes of the breaker that may lose against other sweeps."""

NEW_BREAKER = Breaker("")
"""What the breaker is before the first deletion."""


def count_as_published(claim: PageClaim, deletions: int) -> bool:
    """Count these deletions as the day's, unless they exceed what a day allows.

    The count of this sweep's earlier attempt is in the sweep's own item, so nothing counts twice.
    """
    context = claim.context
    day = f"{context.clock():%Y-%m-%d}"
    for _ in range(MAX_BREAKER_TRIES):
        stored = context.timeline.breaker()
        breaker = stored or NEW_BREAKER
        if breaker.published:
            day = max(day, breaker.published.day)  # midnight may have passed since
        counted = claim.page.deletions_counted.on(day) if claim.page.deletions_counted else 0
        published = breaker.published_on(day) + max(0, deletions - counted)
        if breaker.opened_at is not None or published > context.limits.max_deletions:
            return False
        after = replace(breaker, published=DayCount(day, published), revision=context.new_token())
        change = BreakerChange(stored, after)
        if deletions <= counted or claim.count_deletions(DayCount(day, deletions), change):
            return True
    raise TransientError("other sweeps count deletions at this moment", retry_after=1)


def take_back_count(claim: PageClaim) -> None:
    """Take back what an open sweep counted, before it compares again, is divided or given up.

    It has stored no row, and whoever publishes these deletions counts them again.
    """
    counted = claim.page.deletions_counted
    for _ in range(MAX_BREAKER_TRIES):
        stored = claim.context.timeline.breaker()
        if not counted or not stored or not stored.published_on(counted.day):
            return
        left = max(0, stored.published_on(counted.day) - counted.deletions)
        revision = claim.context.new_token()
        after = replace(stored, published=DayCount(counted.day, left), revision=revision)
        if claim.count_deletions(DayCount(counted.day, 0), BreakerChange(stored, after)):
            return
    raise TransientError("other sweeps count deletions at this moment", retry_after=1)


def hold(claim: PageClaim, ids: Sequence[str], result: SweepResult) -> None:
    """Hold deletions back, later than the last confirmation."""
    breaker, held_at = claim.context.timeline.breaker() or NEW_BREAKER, claim.context.clock()
    if breaker.confirmed_through is not None:
        # The clocks of two machines differ.
        held_at = max(held_at, breaker.confirmed_through + datetime.resolution)
    for id_ in ids:
        result.missing[id_] = replace(result.missing[id_], held_at=held_at)
    result.held_at = held_at


def merge_held(
    claim: PageClaim, writes: Sequence[ConditionalWrite], held_at: datetime | None
) -> None:
    """Do the writes of a merge that holds deletions, and open the breaker for those since
    ``held_at``. A merge that carries older ones along writes the breaker too, so that a
    confirmation which counts them meanwhile begins again.

    If the operator confirmed deletions meanwhile, the merge fails: no confirmation covers a
    deletion that it did not see.
    """
    for _ in range(MAX_BREAKER_TRIES):
        stored = claim.context.timeline.breaker()
        breaker = stored or NEW_BREAKER
        through = breaker.confirmed_through
        if held_at is not None and through is not None and held_at <= through:
            break
        opened_at, revision = breaker.opened_at or held_at, claim.context.new_token()
        after = replace(breaker, opened_at=opened_at, revision=revision)
        if claim.commit(writes, BreakerChange(stored, after)):
            return
    raise TransientError("the breaker changes at this moment", retry_after=1)
