"""Jobs: commands of an operator that take more than one tick."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cpd_exporter.model.resend_policy import ResendPolicy


class JobKind(StrEnum):
    """The commands that become jobs."""

    SWEEP = "sweep"
    BACKFILL = "backfill"
    REPLAY = "replay"
    VERIFY = "verify"


@dataclass(frozen=True, slots=True)
class Job:
    """An operator's command over ``[start, end)``, not done yet but up to ``cursor``.

    ``name`` begins with the kind. Repeating a command under a stored job's name changes nothing.
    The planner does sweeps and backfills itself, and sends replays and verifications to a worker.
    """

    name: str
    kind: JobKind
    start: datetime
    end: datetime
    cursor: datetime
    requested_at: datetime
    revision: str
    queue_arn: str | None = None
    sent_at: datetime | None = None
    lease_until: datetime | None = None
    attempts: int = 0
    error: str | None = None

    def due(self, now: datetime, resend_policy: ResendPolicy) -> bool:
        """Whether the planner has to send the job to a worker, for the first time or again."""
        if self.sent_at is None:
            return True
        if self.lease_until is not None and self.lease_until >= self.sent_at:
            return now > self.lease_until + resend_policy.lease_grace
        return now > self.sent_at + resend_policy.in_queue
