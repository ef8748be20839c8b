"""Reserves done pages for sweeps: neighbours of one month that fit into one response."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from cpd_exporter.model.job import EndedJob, Job, JobKind
from cpd_exporter.model.page import Page, PageState, reserving, sweep_of
from cpd_exporter.model.sweep_request import SweepRequest
from cpd_exporter.model.watermark import Watermark
from cpd_exporter.model.window import next_month
from cpd_exporter.ports import Clock, HasTimeLeft, NewToken, PlannerTimeline

MAX_PAGES_PER_SWEEP = 98
"""A transaction takes 100 items: the pages, the sweep, and the page that replaces them."""


@dataclass(frozen=True, slots=True)
class SweepPlanner:
    """Turns sweep requests and sweep jobs into sweeps.

    The pages of a sweep hold at most ``capacity`` records: fewer than a response can, since others
    may have been added since.
    """

    timeline: PlannerTimeline
    clock: Clock
    new_token: NewToken
    has_time_left: HasTimeLeft = lambda: True
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
        """Reserve the job's pages from its cursor on, as far as there is room.

        A page that a sweep has reserved gets a request, so that it is swept after that sweep. The
        cursor then moves on: a request that is renewed each tick would never end.
        """
        cursor = max(job.cursor, watermark.exported_from)
        end = min(job.end, watermark.exported_through)
        reached = self.reserve_through(cursor, end, watermark, sweeps, max_sweeps)
        if reached < end:
            continued = replace(job, cursor=reached, revision=self.new_token())
            self.timeline.update_job(job, continued)
        else:
            self.timeline.end_job(job, EndedJob.of(job, self.clock()))

    def reserve_through(
        self,
        start: datetime,
        end: datetime,
        watermark: Watermark,
        sweeps: list[Page],
        max_sweeps: int,
        *,
        read_before: datetime | None = None,
    ) -> datetime:
        """Reserve the pages of ``[start, end)``; returns the instant up to which all are reserved,
        ``end`` or later if none is left.

        With ``read_before``, it passes over pages that were read since.
        """
        cursor = start
        first = self.timeline.page_at(start) if start < end else None
        if first is not None:
            pages = _Passed(self.timeline.pages(first.window.start, end), self.has_time_left)
            for group in self._groups(pages, watermark, read_before):
                is_reserved = group[0].reserved_by is not None
                is_room = (is_reserved or len(sweeps) < max_sweeps) and self.has_time_left()
                if is_room and is_reserved:
                    self._request(group)
                elif not is_room or not self._reserve(group, sweeps):
                    # No room, or another tick reserved a page: the next tick goes on from here.
                    return cursor
                cursor = group[-1].window.end
            if pages.is_cut_off:
                return max(cursor, pages.through or start)
        return max(cursor, end)

    def _groups(
        self, pages: Iterable[Page], watermark: Watermark, read_before: datetime | None
    ) -> Iterator[list[Page]]:
        """Divide done pages into those of one sweep each; a page that a sweep has is alone.

        With ``read_before``, it leaves out pages that a sweep has reserved: that sweep reads them
        now.
        """
        group: list[Page] = []
        for page in pages:
            fits = group and _is_neighbour(page, group) and self._fits([*group, page])
            is_wanted = _is_sweepable(page, watermark) and not _is_read(page, read_before)
            if group and not (fits and is_wanted):
                yield group
                group = []
            if is_wanted:
                group.append(page)
            elif page.reserved_by is not None and read_before is None:
                yield [page]
        if group:
            yield group

    def _fits(self, group: list[Page]) -> bool:
        records = sum(page.entries + page.quarantined for page in group)
        return len(group) <= MAX_PAGES_PER_SWEEP and records <= self.capacity

    def _request(self, reserved: list[Page]) -> None:
        for page in reserved:
            self.timeline.request_sweep(SweepRequest(page.window.start, self.clock()))

    def _reserve(self, pages: list[Page], sweeps: list[Page]) -> bool:
        sweep = sweep_of(pages, revision=self.new_token(), at=self.clock())
        if not self.timeline.commit(reserving(pages, sweep, revision=self.new_token())):
            return False
        sweeps.append(sweep)
        return True


@dataclass(slots=True)
class _Passed:
    """The pages for as long as ``has_time_left``, and how far that went."""

    pages: Iterator[Page]
    has_time_left: HasTimeLeft
    through: datetime | None = None
    is_cut_off: bool = False

    def __iter__(self) -> Iterator[Page]:
        for page in self.pages:
            if self.through and not self.has_time_left():
                self.is_cut_off = True
                return
            self.through = page.window.end
            yield page


def _is_sweepable(page: Page, watermark: Watermark) -> bool:
    """Whether a page is done and free, inside the exported time, where no watermark moves."""
    return (
        page.state is PageState.DONE
        and page.reserved_by is None
        and watermark.exported_from <= page.window.start
        and page.window.end <= watermark.exported_through
    )


def _is_read(page: Page, read_before: datetime | None) -> bool:
    """Whether a page was read at ``read_before`` or later, if that matters."""
    return bool(read_before and page.read_at and page.read_at >= read_before)


def _is_neighbour(page: Page, group: list[Page]) -> bool:
    return page.window.start == group[-1].window.end and page.window.end <= next_month(
        group[0].window.start
    )
