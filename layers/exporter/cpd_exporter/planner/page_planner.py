"""Slices new and past time into pages, and stores them."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import batched

from cpd_exporter.model.job import EndedJob, JobKind
from cpd_exporter.model.page import MAX_PAGES_PER_TRANSACTION, Page, PageState
from cpd_exporter.model.timestamps import floor_second
from cpd_exporter.model.watermark import Watermark
from cpd_exporter.model.window import Window
from cpd_exporter.planner.backlog import Backlog
from cpd_exporter.planner.follow_up import note_backfill
from cpd_exporter.planner.limits import PlannerLimits
from cpd_exporter.planner.slicer import NewPage, slice_month
from cpd_exporter.ports import (
    Clock,
    EntriesApi,
    HasTimeLeft,
    NewToken,
    PlannerTimeline,
)


@dataclass(frozen=True, slots=True)
class PagePlanner:
    """Plans for as long as ``has_time_left``, and no more pages than the limits allow.

    Each method appends pages to a list once they are stored, so that an error loses none of them.
    """

    api: EntriesApi
    timeline: PlannerTimeline
    clock: Clock
    new_token: NewToken
    limits: PlannerLimits
    has_time_left: HasTimeLeft

    def plan_new(self, watermark: Watermark, backlog: Backlog, planned: list[Page]) -> None:
        """Plan ``[planned_through, now - settle)``, oldest first."""
        reserve = self.limits.new_outstanding - backlog.untried
        budget = max(self.limits.max_outstanding_pages - backlog.new, reserve)
        horizon = floor_second(self.clock() - self.limits.slice_policy.settle)
        if budget <= 0 or backlog.holes > self.limits.max_holes:
            return
        if watermark.planned_through >= horizon:
            return
        policy, new_page = self.limits.slice_policy, self._new_page(watermark)
        for month in Window(watermark.planned_through, horizon).months():
            if budget <= 0 or not self.has_time_left():
                return
            slices = slice_month(self.api, month, policy, new_page)
            pages = slices.pages[:budget]
            budget -= len(open_pages(pages))
            if not self._append(pages, planned) or len(pages) < len(slices.pages):
                return
            if slices.end < month.end:
                return

    def plan_past(self, watermark: Watermark, backlog: Backlog, planned: list[Page]) -> None:
        """Plan the time of a backfill job, newest first."""
        job = next((one for one in self.timeline.jobs() if one.kind is JobKind.BACKFILL), None)
        if job is None:
            return
        if job.start >= watermark.origin:
            is_exported = watermark.exported_from == watermark.origin
            if is_exported and note_backfill(self.timeline, watermark, job, self.clock()):
                self.timeline.end_job(job, EndedJob.of(job, self.clock()))
            return
        budget = self.limits.past_outstanding - backlog.past
        policy, new_page = self.limits.slice_policy, self._new_page(watermark)
        for month in reversed(list(Window(job.start, watermark.origin).months())):
            if budget <= 0 or not self.has_time_left():
                return
            slices = slice_month(self.api, month, policy, new_page)
            pages = slices.pages[-budget:]
            budget -= len(open_pages(pages))
            if not self._prepend(pages, planned) or len(pages) < len(slices.pages):
                return

    def _append(self, pages: list[Page], planned: list[Page]) -> bool:
        """Store pages after all others. ``False``: another tick planned first."""
        for chunk in batched(pages, MAX_PAGES_PER_TRANSACTION, strict=False):
            if not self.timeline.append(chunk, after=chunk[0].window.start):
                return False
            planned.extend(chunk)
        return True

    def _prepend(self, pages: list[Page], planned: list[Page]) -> bool:
        """Store pages before all others. ``False``: another tick planned first."""
        for chunk in batched(reversed(pages), MAX_PAGES_PER_TRANSACTION, strict=False):
            ascending = chunk[::-1]
            if not self.timeline.prepend(ascending, before=chunk[0].window.end):
                return False
            planned.extend(ascending)
        return True

    def _new_page(self, watermark: Watermark) -> NewPage:
        def new_page(window: Window, state: PageState, counted: int | None) -> Page:
            return Page(
                window=window,
                generation=1,
                timeline_id=watermark.timeline_id,
                revision=self.new_token(),
                state=state,
                counted=counted,
                read_at=self.clock() if state is PageState.DONE else None,
                planned_at=self.clock() if state is PageState.OPEN else None,
            )

        return new_page


def open_pages(pages: Sequence[Page]) -> list[Page]:
    """The pages that a worker has to export."""
    return [page for page in pages if page.state is PageState.OPEN]
