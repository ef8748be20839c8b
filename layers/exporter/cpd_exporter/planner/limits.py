"""How much a tick plans and sends."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from cpd_exporter.model.resend_policy import ResendPolicy
from cpd_exporter.planner.slicer import SlicePolicy


@dataclass(frozen=True, slots=True)
class PlannerLimits:
    """How the planner slices time, and how much work waits in the queue.

    At most ``outstanding`` new pages are planned and not done, a quarter as many of a backfill,
    ``sweeps`` sweeps and ``jobs`` jobs: new pages wait for no more than that. Beyond ``max_holes``
    holes, the planner plans nothing new until an operator looks at them. The filter is checked daily. A check
    without a sample is repeated after ``filter_retry_interval``.
    """

    origin: datetime
    resend_policy: ResendPolicy
    slice_policy: SlicePolicy
    outstanding: int = 500
    sweeps: int = 50
    jobs: int = 2
    max_holes: int = 5000
    filter_check_interval: timedelta = timedelta(days=1)
    filter_retry_interval: timedelta = timedelta(hours=1)
    filter_time_zone: tzinfo = UTC

    @property
    def past_outstanding(self) -> int:
        """The share of a backfill."""
        return self.outstanding // 4
