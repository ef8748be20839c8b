"""The deletions that the breaker holds back, and the ones that the operator confirmed."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice

from cpd_exporter.errors import TransientError
from cpd_exporter.model.breaker import BreakerChange
from cpd_exporter.model.page import PageFlag
from cpd_exporter.model.sweep_request import SweepRequest
from cpd_exporter.ports import Clock, NewToken, PlannerTimeline

CONFIRMATION_RETRY = timedelta(hours=1)
"""When the planner sweeps a page again whose confirmed deletions are not published yet."""

MAX_FLAGGED_PAGES = 1000
"""Flagged pages of one kind that a tick or a status reads, so that its time is bounded."""

MAX_TRIES = 5
"""Confirmations that may lose against a sweep that holds further deletions."""


@dataclass(frozen=True, slots=True)
class HeldDeletions:
    """How many deletions are held, and the starts of the pages whose confirmed ones are overdue."""

    count: int = 0
    overdue: tuple[datetime, ...] = ()


def read_held_deletions(timeline: PlannerTimeline, now: datetime) -> HeldDeletions:
    """Sum up at most ``MAX_FLAGGED_PAGES`` pages."""
    breaker = timeline.breaker()
    if breaker is None:
        return HeldDeletions()
    count, overdue = 0, list[datetime]()
    for page in islice(timeline.flagged(PageFlag.HELD), MAX_FLAGGED_PAGES):
        count += breaker.count_held(page.missing)
        is_overdue = page.updated_at is None or page.updated_at + CONFIRMATION_RETRY <= now
        is_confirmed = any(breaker.confirms(entry) for entry in page.missing.values())
        if is_confirmed and is_overdue and page.reserved_by is None:
            overdue.append(page.window.start)
    return HeldDeletions(count, tuple(overdue))


def request_overdue_sweeps(timeline: PlannerTimeline, held: HeldDeletions, now: datetime) -> None:
    """Request a sweep of each page whose confirmed deletions are overdue."""
    for start in held.overdue:
        timeline.request_sweep(SweepRequest(start, now))


@dataclass(frozen=True, slots=True)
class Confirmation:
    """Confirms exactly the deletions that are held now."""

    timeline: PlannerTimeline
    clock: Clock
    new_token: NewToken

    def confirm(self) -> int:
        """Release the held deletions, and sweep their pages; returns how many were held.

        Beyond ``MAX_FLAGGED_PAGES``, later ticks request the sweeps.

        A sweep that holds further deletions meanwhile writes the breaker, so this write fails and
        the count begins again.
        """
        for _ in range(MAX_TRIES):
            breaker = self.timeline.breaker()
            if breaker is None:
                return 0
            now = through = self.clock()
            held, starts = 0, list[datetime]()
            for page in self.timeline.flagged(PageFlag.HELD):
                instants = [entry.held_at for entry in page.missing.values() if entry.held_at]
                if instants:
                    held += breaker.count_held(page.missing)
                    through = max(through, *instants)
                    starts.append(page.window.start)
            after = replace(
                breaker, opened_at=None, confirmed_through=through, revision=self.new_token()
            )
            if self.timeline.update_breaker(BreakerChange(breaker, after)):
                for start in starts[:MAX_FLAGGED_PAGES]:
                    self.timeline.request_sweep(SweepRequest(start, now))
                return held
        raise TransientError(
            "sweeps hold further deletions at this moment: see `status`, and confirm again"
        )
