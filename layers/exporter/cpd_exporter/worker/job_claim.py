"""A job in a worker's hands."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from cpd_exporter.errors import PermanentError
from cpd_exporter.model.job import EndedJob, Job, JobOutcome, LookUp
from cpd_exporter.model.page import Page
from cpd_exporter.model.window import Window
from cpd_exporter.worker.attempt import Claim, SupersededError
from cpd_exporter.worker.context import WorkerContext


@dataclass(slots=True)
class JobClaim(Claim):
    """A job in this worker's hands."""

    job: Job
    context: WorkerContext

    @property
    def attempts(self) -> int:
        return self.job.attempts

    @property
    def lease_until(self) -> datetime | None:
        return self.job.lease_until

    @property
    def crashed(self) -> bool:
        return self.job.attempts >= self.context.limits.max_attempts

    def update(self, **changes: Any) -> None:
        changed = replace(self.job, **changes, revision=self.context.new_token())
        if not self.context.timeline.update_job(self.job, changed):
            raise SupersededError
        self.job = changed

    def begin_after_crash(self) -> PermanentError:
        return PermanentError(self.job.error or self._crash)

    def progress(self, cursor: datetime, after: str = "", position: int = 0, **counts: int) -> None:
        """Store how far the job is, and add to the counts. Whoever goes on has all attempts."""
        self._progress(counts, cursor=cursor, after=after, position=position)

    @property
    def is_save_due(self) -> bool:
        """Whether half of the lease is over, so that a write should renew it."""
        lease_end, halfway = self.job.lease_until, self._lease_end - self.context.limits.lease / 2
        return lease_end is None or lease_end < halfway

    def renew_lease(self) -> None:
        """Keep other workers away while one page takes long."""
        if self.is_save_due:
            self.update(lease_until=self._lease_end)

    def progress_to(self, position: int, found: Sequence[LookUp]) -> None:
        """Store what became of further entries, as ``progress`` stores a cursor."""
        counts = Counter(one.name.lower() for one in found)
        self._progress(counts, position=position, found=(*self.job.found, *found))

    def pause(self) -> None:
        """Leave the rest to the next message.

        A lease that ends now, after the message was sent, makes the job due at the next tick.
        """
        now = self.context.clock()
        self.update(lease_until=max(now, self.job.sent_at or now))

    def end(
        self,
        outcome: JobOutcome = JobOutcome.DONE,
        *,
        report: str | None = None,
        error: str | None = None,
        counts: Mapping[str, int] | None = None,
    ) -> None:
        """Add to the counts, remove the job, and leave what became of it.

        Raises ``SupersededError``.
        """
        job = replace(self.job, counts=self._counts_with(counts or {}))
        at = self.context.clock()
        ended = EndedJob.of(job, at, outcome, report=report, error=error)
        if not self.context.timeline.end_job(self.job, ended):
            raise SupersededError

    def find_page_from(self, instant: datetime) -> Page | None:
        """Find the page that covers ``instant``, or the timeline's first after it, within the job.

        One page a call: a merge may change the neighbours between two calls.
        """
        if instant >= self.job.end:
            return None
        timeline = self.context.timeline
        page = timeline.page_at(instant)
        watermark = timeline.watermark() if page is None else None
        if watermark is not None and instant < watermark.origin:
            page = timeline.page_at(watermark.origin)
        return page if page is not None and page.window.start < self.job.end else None

    def share_of(self, page: Page, since: datetime) -> Window:
        """The part of a page's window that belongs to the job, from ``since`` on."""
        return Window(max(page.window.start, since), min(page.window.end, self.job.end))

    def _progress(self, counts: Mapping[str, int], **changes: Any) -> None:
        summed, lease_end = self._counts_with(counts), self._lease_end
        self.update(attempts=0, error=None, lease_until=lease_end, counts=summed, **changes)

    def _counts_with(self, further: Mapping[str, int]) -> dict[str, int]:
        summed = Counter(self.job.counts)
        summed.update(further)
        return dict(summed)
