"""One attempt at a piece of work: claimed, updated by conditional writes, and ended.

Pages, sweeps and jobs share this life cycle. An attempt counts when it is claimed, so an attempt
that kills its worker counts too. An outage takes the attempt back, and the lease then lasts for a
pause, after which the planner sends the work again. A failure of the work's own keeps the attempt,
and after the last one the worker gives the work up.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from cpd_exporter.errors import (
    ConfigurationError,
    PermanentError,
    ServerError,
    TransientError,
)
from cpd_exporter.model.breaker import BreakerChange, DayCount
from cpd_exporter.model.page import ConditionalWrite, Page, lake_key
from cpd_exporter.ports import HasTimeLeft
from cpd_exporter.worker.context import Outcome, WorkerContext, WorkReport
from cpd_exporter.worker.fault_suspects import lists_others

SAVE_INTERVAL = timedelta(seconds=90)
"""How often long work saves its progress: a lease, which each save renews, lasts longer."""

RENEWAL_AGE = timedelta(seconds=30)
"""A lease that is no older need not be renewed."""

PAUSE_LEASES, MAX_PAUSE_LEASES = 1 / 3, 3
"""How long work rests after an outage, in leases; and at most, if the API asks for longer: it may
be well again sooner.
"""


class SupersededError(Exception):
    """Another worker has this piece of work now: this worker stops."""


class Claim(ABC):
    """A piece of work in this worker's hands, as the worker last wrote it."""

    context: WorkerContext

    @property
    @abstractmethod
    def attempts(self) -> int:
        """The claims so far, this one included, without those that an outage ended."""

    @property
    @abstractmethod
    def lease_until(self) -> datetime | None:
        """When another worker may claim the work, if somebody holds it."""

    @property
    @abstractmethod
    def crashed(self) -> bool:
        """Whether the last allowed attempt ended without reporting a result."""

    @abstractmethod
    def update(self, **changes: Any) -> None:
        """Write the work's next state, if nobody else wrote since. Raises ``SupersededError``."""

    @abstractmethod
    def begin_after_crash(self) -> PermanentError:
        """Note the crash before anything else is tried that may kill the worker too."""

    @property
    def failures(self) -> int:
        """The attempts that count, if this one fails."""
        return self.attempts

    def is_at_fault(self) -> bool:
        """Whether a 500 is this work's own failure, and no outage."""
        return False

    @property
    def is_leased(self) -> bool:
        """Whether another worker holds the work now."""
        return self.lease_until is not None and self.lease_until > self.context.clock()

    def attempt(
        self, work: Callable[[], WorkReport], give_up: Callable[[PermanentError], WorkReport]
    ) -> WorkReport:
        """Do the work once; give it up where the last allowed attempt fails.

        Raises the work's error otherwise: the work is to be tried again.
        """
        if self.crashed:
            return give_up(self.begin_after_crash())
        self.update(attempts=self.attempts + 1, lease_until=self._lease_end)
        try:
            try:
                return work()
            except ServerError as error:
                if not self.is_at_fault():
                    raise
                raise PermanentError(
                    f"{error}. The API lists other entries: a record may be at fault"
                ) from error
        except (TransientError, ConfigurationError) as error:
            taken_back = max(0, self.failures - 1)
            pause_end = self._pause_end(error)
            self.update(attempts=taken_back, lease_until=pause_end, error=str(error))
            raise
        except PermanentError as error:
            counted = self.failures
            if counted >= self.context.limits.max_attempts:
                if counted != self.attempts:
                    self.update(attempts=counted)
                return give_up(error)
            self.update(attempts=counted, lease_until=None, error=str(error))
            raise

    def _pause_end(self, error: Exception) -> datetime | None:
        """When the work may be tried again after an outage."""
        lease = self.context.limits.lease
        retry_after = error.retry_after if isinstance(error, TransientError) else None
        asked = min(retry_after or 0, MAX_PAUSE_LEASES * lease.total_seconds())
        return self.context.clock() + max(PAUSE_LEASES * lease, timedelta(seconds=asked))

    @property
    def _lease_end(self) -> datetime:
        return self.context.clock() + self.context.limits.lease

    @property
    def _crash(self) -> str:
        return (
            f"{self.attempts} attempts ended without reporting a result: check the worker's "
            "timeout and memory"
        )


@dataclass(slots=True)
class PageClaim(Claim):
    """A page or a sweep in this worker's hands."""

    page: Page
    context: WorkerContext
    has_time_left: HasTimeLeft = lambda: True
    attempts_before: int = field(init=False)

    def __post_init__(self) -> None:
        self.attempts_before = self.page.attempts

    @property
    def failures(self) -> int:
        # Progress takes the attempt back, but a failure of the page's own counts nevertheless.
        return self.attempts_before + 1

    def is_at_fault(self) -> bool:
        return lists_others(self.context, self.page.window)

    @property
    def key(self) -> str:
        """The one lake key that this page's rows may be written to."""
        return lake_key(self.page)

    @property
    def attempts(self) -> int:
        return self.page.attempts

    @property
    def lease_until(self) -> datetime | None:
        return self.page.lease_until

    def _pause_end(self, error: Exception) -> datetime | None:
        # A hole has no lease, since one would say that its worker crashed. Its back-off is longer.
        return None if self.page.hole_since else super(PageClaim, self)._pause_end(error)

    @property
    def crashed(self) -> bool:
        # An attempt that reports its failure makes the page a hole and ends the lease.
        reported = self.page.hole_since is not None and self.page.lease_until is None
        return self.page.attempts >= self.context.limits.max_attempts and not reported

    def update(self, **changes: Any) -> None:
        revision, now = self.context.new_token(), self.context.clock()
        changed = replace(self.page, **changes, revision=revision, updated_at=now)
        if not self.context.timeline.update(self.page, changed):
            raise SupersededError
        self.page = changed

    def count_deletions(self, counted: DayCount, breaker: BreakerChange) -> bool:
        """Add deletions to the breaker's count, and note in the sweep that they are counted.

        ``False``: the breaker changed since.
        """
        revision, now = self.context.new_token(), self.context.clock()
        changed = replace(self.page, deletions_counted=counted, revision=revision, updated_at=now)
        if not self.commit([ConditionalWrite(self.page, changed)], breaker):
            return False
        self.page = changed
        return True

    def commit(
        self, writes: Sequence[ConditionalWrite], breaker: BreakerChange | None = None
    ) -> bool:
        """Do conditional writes, all or none. ``False``: the breaker changed since.

        Raises ``SupersededError`` where another worker wrote one of the items.
        """
        timeline = self.context.timeline
        if timeline.commit(writes, breaker):
            return True
        if breaker is not None and timeline.breaker() != breaker.before:
            return False
        raise SupersededError

    def renew_lease(self) -> None:
        """Let the lease last for long again, before what takes a minute or two."""
        written_at = self.page.updated_at
        if written_at is None or self.context.clock() - written_at > RENEWAL_AGE:
            self.update(lease_until=self._lease_end)

    @property
    def is_save_due(self) -> bool:
        """Whether the last write is so long ago that progress should be saved."""
        saved_at = self.page.updated_at
        return saved_at is None or self.context.clock() - saved_at >= SAVE_INTERVAL

    def progress(self, **changes: Any) -> None:
        """Store progress and renew the lease. The attempt is taken back: it was not in vain."""
        attempts = min(self.attempts_before, self.context.limits.max_attempts - 1)
        self.update(attempts=attempts, lease_until=self._lease_end, **changes)

    def pause(self) -> WorkReport:
        """Leave the rest to the next message, which the next tick sends.

        A hole has no lease then, since one would say that its worker crashed.
        """
        now = self.context.clock()
        lease_end = None if self.page.hole_since else max(now, self.page.sent_at or now)
        # A hole that progresses waits no longer than one that has just become a hole.
        attempts = min(self.attempts_before, self.context.limits.max_attempts)
        self.update(attempts=attempts, lease_until=lease_end, error=None)
        return WorkReport(Outcome.PAUSED)

    def begin_after_crash(self) -> PermanentError:
        error = PermanentError(self._crash)
        now = self.context.clock()
        self.update(
            attempts=self.attempts + 1,
            lease_until=now + self.context.limits.lease,
            hole_since=self.page.hole_since or now,
            error=str(error),
        )
        return error
