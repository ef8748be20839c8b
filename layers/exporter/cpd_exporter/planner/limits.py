"""How much a tick plans and sends."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Self

from cpd_exporter.model.resend_policy import ResendPolicy
from cpd_exporter.planner.slicer import SlicePolicy
from cpd_exporter.source.response import MAX_PER_PAGE


@dataclass(frozen=True, slots=True)
class PlannerLimits:
    """How the planner slices time, and how much work waits in the queue.

    At most ``max_outstanding_pages`` new pages are planned and not done, a quarter as many of a
    backfill, ``max_sweeps`` sweeps, ``max_jobs`` long jobs and as many short ones: new pages wait
    for no more than that. Beyond ``max_holes`` holes, the planner plans nothing new until an
    operator looks at them. All that is exported is read again within each ``full_sweep``; zero
    turns that off. The filter is checked once a ``filter_check_interval``, and again after
    ``filter_retry_interval`` where the check was incomplete.
    """

    origin: datetime
    resend_policy: ResendPolicy
    slice_policy: SlicePolicy
    max_outstanding_pages: int = 500
    max_sweeps: int = 50
    sweep_capacity: int = MAX_PER_PAGE * 8 // 10
    max_jobs: int = 2
    max_holes: int = 5000
    filter_check_interval: timedelta = timedelta(days=1)
    full_sweep: timedelta = timedelta(days=30)
    filter_retry_interval: timedelta = timedelta(hours=1)
    filter_time_zone: tzinfo = UTC

    def within(self, calls_per_minute: int) -> Self:
        """The limits under which new pages do not wait long for workers with so few calls.

        A backfill and the sweeps then take less than a tick's calls. Zero leaves all as it is.
        """
        if not calls_per_minute:
            return self
        return replace(
            self,
            max_outstanding_pages=min(self.max_outstanding_pages, 10 * calls_per_minute),
            max_sweeps=min(self.max_sweeps, calls_per_minute),
        )

    @property
    def past_outstanding(self) -> int:
        """The share of a backfill."""
        return self.max_outstanding_pages // 4

    @property
    def new_outstanding(self) -> int:
        """The room that pages which no worker has tried find beside all parts of splits."""
        return self.max_outstanding_pages // 4

    @property
    def full_sweeps(self) -> int:
        """The share of the full sweep: commands and requests always find room for theirs."""
        return max(1, self.max_sweeps // 2)
