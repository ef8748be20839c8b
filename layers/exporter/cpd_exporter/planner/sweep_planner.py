"""Reserves done pages for sweeps: neighbours of one month that fit into one response."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from cpd_exporter.model.job import Job, JobKind
from cpd_exporter.model.page import Page, PageState, reserving, sweep_of
from cpd_exporter.model.watermark import Watermark
from cpd_exporter.model.window import next_month
from cpd_exporter.ports import NewToken, PlannerTimeline

MAX_PAGES_PER_SWEEP = 98
"""A transaction takes 100 items: the pages, the sweep, and the page that replaces them."""


@dataclass(frozen=True, slots=True)
class SweepPlanner:
    """Turns sweep requests and sweep jobs into sweeps.

    The pages of a sweep hold at most ``capacity`` records: fewer than a response can, since others
    may have been added since.
    """

    timeline: PlannerTimeline
    new_token: NewToken
    has_time_left: Callable[[], bool] = lambda: True
    capacity: int = 800

    def plan(self, watermark: Watermark, *, max_sweeps: int) -> list[Page]:
        """Reserve pages for up to ``max_sweeps`` sweeps, for as long as ``has_time_left``.

        Requests come first, then jobs, the shortest first.
        """
        sweeps: list[Page] = []
        self._plan_requests(watermark, sweeps, max_sweeps)
        for job in sorted(self.timeline.jobs(), key=lambda one: one.end - one.cursor):
            if job.kind is JobKind.SWEEP and len(sweeps) < max_sweeps:
                self._plan_job(watermark, job, sweeps, max_sweeps)
        return sweeps

    def _plan_requests(self, watermark: Watermark, sweeps: list[Page], max_sweeps: int) -> None:
        page: Page | None = None
        for request in self.timeline.sweep_requests():
            if len(sweeps) >= max_sweeps or not self.has_time_left():
                return
            if page is not None and request.at in page.window:
                continue  # one sweep of a page serves all requests for it
            page = self.timeline.page_at(request.at)
            if page is None:
                # The instant is not planned yet, and is read when it is; or it is never exported.
                self.timeline.drop_sweep_request(request)
            elif _is_sweepable(page, watermark):
                self._reserve([page], sweeps)

    def _plan_job(
        self, watermark: Watermark, job: Job, sweeps: list[Page], max_sweeps: int
    ) -> None:
        cursor = max(job.cursor, watermark.exported_from)
        end = min(job.end, watermark.exported_through)
        first = self.timeline.page_at(cursor) if cursor < end else None
        if first is not None:
            for group in self._groups(first.window.start, end, watermark):
                is_room = len(sweeps) < max_sweeps and self.has_time_left()
                if not is_room or not self._reserve(group, sweeps):
                    # No room, or another tick reserved a page: the next tick goes on from here.
                    continued = replace(job, cursor=cursor, revision=self.new_token())
                    self.timeline.update_job(job, continued)
                    return
                cursor = group[-1].window.end
        self.timeline.update_job(job, None)

    def _groups(self, start: datetime, end: datetime, watermark: Watermark) -> Iterator[list[Page]]:
        group: list[Page] = []
        for page in self.timeline.pages(start, end):
            fits = group and _is_neighbour(page, group) and self._fits([*group, page])
            if group and not (fits and _is_sweepable(page, watermark)):
                yield group
                group = []
            if _is_sweepable(page, watermark):
                group.append(page)
        if group:
            yield group

    def _fits(self, group: list[Page]) -> bool:
        records = sum(page.entries + page.quarantined for page in group)
        return len(group) <= MAX_PAGES_PER_SWEEP and records <= self.capacity

    def _reserve(self, pages: list[Page], sweeps: list[Page]) -> bool:
        sweep = sweep_of(pages, revision=self.new_token())
        if not self.timeline.commit(reserving(pages, sweep, revision=self.new_token())):
            return False
        sweeps.append(sweep)
        return True


def _is_sweepable(page: Page, watermark: Watermark) -> bool:
    """Whether a page is done, free, and inside the exported time, where no watermark moves over it."""
    return (
        page.state is PageState.DONE
        and page.reserved_by is None
        and watermark.exported_from <= page.window.start
        and page.window.end <= watermark.exported_through
    )


def _is_neighbour(page: Page, group: list[Page]) -> bool:
    return page.window.start == group[-1].window.end and page.window.end <= next_month(
        group[0].window.start
    )
