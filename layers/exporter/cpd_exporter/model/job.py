"""Jobs: work that takes more than one tick, given by an operator or by the planner."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from cpd_exporter.model.resend_policy import ResendPolicy


class JobKind(StrEnum):
    """What a job does. The planner gives ``REPUBLISH`` jobs, and some sweeps; commands the rest.

    ``REPLAY`` is of a range of entry dates, ``REPLAY_STORED`` of the rows stored in a span of time.
    """

    SWEEP = "sweep"
    BACKFILL = "backfill"
    REPLAY = "replay"
    REPLAY_STORED = "replay-stored"
    VERIFY = "verify"
    REFRESH = "refresh"
    REPUBLISH = "republish"
    PING = "ping"


@dataclass(frozen=True, slots=True)
class Job:
    """Work over ``[start, end)`` that is done up to ``cursor``.

    It is given by an operator or by the planner. ``name`` begins with the kind. Another job under a
    stored job's name changes nothing. The planner does sweeps and backfills itself, and sends all
    other jobs to a worker. A refresh looks up ``entry_ids``, and is done up to ``position``. A
    replay is done up to the place ``after``, which is near the cursor, and there up to row
    ``position``. A ping has ``attributes``.
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
    entry_ids: tuple[str, ...] = ()
    position: int = 0
    after: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)

    def due(self, now: datetime, resend_policy: ResendPolicy) -> bool:
        """Whether the planner has to send the job to a worker, for the first time or again."""
        if self.sent_at is None:
            return True
        if self.lease_until is not None and self.lease_until >= self.sent_at:
            return now > self.lease_until + resend_policy.lease_grace
        return now > self.sent_at + resend_policy.in_queue
