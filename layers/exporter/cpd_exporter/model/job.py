"""Jobs: work that takes more than one tick, given by an operator or by the planner."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Self

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


class JobOutcome(StrEnum):
    """How a job ended."""

    DONE = "done"
    CANCELLED = "cancelled"
    GIVEN_UP = "given up"


class LookUp(StrEnum):
    """What became of one entry of a refresh."""

    REQUESTED = "its page is swept next"
    UNKNOWN = "the API has no such entry"
    UNDATED = "the API gives it without a readable date: the regular sweeps find it"
    OUTSIDE = "its date is not in the exported time, or not yet"
    FAILED = "the API fails over it: the regular sweeps ask again"


@dataclass(frozen=True, slots=True)
class Job:
    """Work over ``[start, end)`` that is done up to ``cursor``.

    It is given by an operator or by the planner. ``name`` begins with the kind. Another job under a
    stored job's name changes nothing. The planner does sweeps and backfills itself, and sends all
    other jobs to a worker. A refresh looks up ``entry_ids``, and is done up to ``position``;
    ``found`` says what became of each so far. A replay is done up to the place ``after``, which is
    near the cursor, and there up to row ``position``. A ping has ``attributes``. ``counts`` sums up
    what the job did.
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
    found: tuple[LookUp, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)

    def due(self, now: datetime, resend_policy: ResendPolicy) -> bool:
        """Whether the planner has to send the job to a worker, for the first time or again."""
        if self.sent_at is None:
            return True
        if self.lease_until is not None and self.lease_until >= self.sent_at:
            return now > self.lease_until + resend_policy.lease_grace
        return now > self.sent_at + resend_policy.in_queue


@dataclass(frozen=True, slots=True)
class EndedJob:
    """What is left of a job after its end; the last one of each name is kept, ten in all.

    ``report`` is the lake key of a verification's report, ``error`` why the job was given up.
    """

    name: str
    kind: JobKind
    start: datetime
    end: datetime
    requested_at: datetime
    ended_at: datetime
    outcome: JobOutcome
    counts: Mapping[str, int] = field(default_factory=dict)
    report: str | None = None
    error: str | None = None
    entry_ids: tuple[str, ...] = ()
    found: tuple[LookUp, ...] = ()

    @classmethod
    def of(
        cls,
        job: Job,
        at: datetime,
        outcome: JobOutcome = JobOutcome.DONE,
        *,
        report: str | None = None,
        error: str | None = None,
    ) -> Self:
        """The end of ``job`` at an instant."""
        return cls(
            name=job.name,
            kind=job.kind,
            start=job.start,
            end=job.end,
            requested_at=job.requested_at,
            ended_at=at,
            outcome=outcome,
            counts=job.counts,
            report=report,
            error=error,
            entry_ids=job.entry_ids,
            found=job.found,
        )
