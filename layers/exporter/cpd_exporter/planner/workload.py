"""The work that is left, and whether anybody does it, as ``status`` sees it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cpd_exporter.model.job import EndedJob, Job, JobKind, JobOutcome
from cpd_exporter.model.page import Page, PageState
from cpd_exporter.model.timestamps import age_seconds, format_instant

UNTOUCHED_AFTER = timedelta(seconds=90)
"""From then on, a message should have reached a worker: SQS's own counts are a minute old."""

_UNDONE_STATES = (PageState.OPEN, PageState.WRITING, PageState.STORED)
_PLANNERS_OWN = (JobKind.SWEEP, JobKind.BACKFILL)


def count_states(pages: Iterable[Page]) -> dict[str, int]:
    """The undone pages by state."""
    states = Counter(page.state for page in pages)
    return {state.value: states[state] for state in _UNDONE_STATES}


@dataclass(frozen=True, slots=True)
class Workload:
    """The undone pages and sweeps, and the jobs under way."""

    pages: Sequence[Page]
    sweeps: Sequence[Page]
    jobs: Sequence[Job]
    now: datetime

    @property
    def oldest(self) -> dict[str, Any] | None:
        """The page or sweep that has waited longest since it was planned, holes left out."""
        waiting = [
            (page.planned_at, page)
            for page in (*self.pages, *self.sweeps)
            if page.planned_at and not page.hole_since
        ]
        if not waiting:
            return None
        since, page = min(waiting, key=lambda one: one[0])
        return {
            "kind": page.kind.value,
            "start": format_instant(page.window.start),
            "end": format_instant(page.window.end),
            "state": page.state.value,
            "since": format_instant(since),
            "seconds": age_seconds(since, self.now),
        }

    @property
    def untouched(self) -> int:
        """Messages that were sent a while ago, and that no worker has begun with."""
        pages = sum(
            _is_untouched(page.sent_at, page.updated_at, page.lease_until, self.now)
            for page in (*self.pages, *self.sweeps)
        )
        jobs = (job for job in self.jobs if job.kind not in _PLANNERS_OWN)
        return pages + sum(
            _is_untouched(job.sent_at, job.lease_until, job.lease_until, self.now) for job in jobs
        )

    @property
    def failing(self) -> list[dict[str, Any]]:
        """The errors of work that is tried again, the most frequent first."""
        errors = [one.error for one in (*self.pages, *self.sweeps) if one.hole_since is None]
        errors += [job.error for job in self.jobs]
        counts = Counter(error for error in errors if error)
        return [{"error": error, "count": count} for error, count in counts.most_common(5)]

    def last_write(
        self, recently_done: Sequence[Page], ended: Sequence[EndedJob]
    ) -> datetime | None:
        """When a worker wrote last, as far as these show."""
        pages = (*self.pages, *self.sweeps, *recently_done)
        writes = [page.updated_at for page in pages if page.updated_at]
        writes += [
            one.ended_at
            for one in ended
            if one.kind not in _PLANNERS_OWN and one.outcome is not JobOutcome.CANCELLED
        ]
        return max(writes, default=None)


def _is_untouched(
    sent_at: datetime | None,
    touched_at: datetime | None,
    lease_until: datetime | None,
    now: datetime,
) -> bool:
    if sent_at is None or now - sent_at < UNTOUCHED_AFTER:
        return False
    is_leased = lease_until is not None and lease_until > now
    return not is_leased and (touched_at is None or touched_at < sent_at)
