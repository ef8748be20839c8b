"""Slices new and past time into pages, and stores them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import batched

from cpd_exporter.model.job import JobKind
from cpd_exporter.model.page import Page, PageState
from cpd_exporter.model.timestamps import floor_second
from cpd_exporter.model.watermark import Watermark
from cpd_exporter.model.window import Window
from cpd_exporter.planner.backlog import Backlog
from cpd_exporter.planner.limits import PlannerLimits
from cpd_exporter.planner.slicer import NewPage, slice_window
from cpd_exporter.ports import Clock, EntriesApi, NewToken, PlannerTimeline

MAX_PAGES_PER_TRANSACTION = 99
"""DynamoDB takes 100 items in one transaction; one of them is the watermark."""


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
    has_time_left: Callable[[], bool]

    def plan_new(self, watermark: Watermark, backlog: Backlog, planned: list[Page]) -> None:
        """Plan ``[planned_through, now - settle)``, oldest first."""
        budget = self.limits.outstanding - backlog.new
        horizon = floor_second(self.clock() - self.limits.slice_policy.settle)
        if budget <= 0 or backlog.holes > self.limits.max_holes:
            return
        if watermark.planned_through >= horizon:
            return
        todo = [Window(watermark.planned_through, horizon)]
        while todo and budget > 0 and self.has_time_left():
            window = todo.pop()
            slices = slice_window(
                self.api, window, self.limits.slice_policy, self._new_page(watermark)
            )
            if slices.end < window.end:
                todo.clear()
            if slices.halves:
                todo.extend(reversed(slices.halves))
                continue
            pages = slices.pages[:budget]
            budget -= len(open_pages(pages))
            if not self._append(pages, planned) or len(pages) < len(slices.pages):
                return

    def plan_past(self, watermark: Watermark, backlog: Backlog, planned: list[Page]) -> None:
        """Plan the time of a backfill job, newest first."""
        job = next((one for one in self.timeline.jobs() if one.kind is JobKind.BACKFILL), None)
        if job is None:
            return
        if job.start >= watermark.origin:
            if watermark.exported_from == watermark.origin:
                self.timeline.update_job(job, None)
            return
        budget = self.limits.past_outstanding - backlog.past
        todo = [Window(job.start, watermark.origin)]
        while todo and budget > 0 and self.has_time_left():
            slices = slice_window(
                self.api, todo.pop(), self.limits.slice_policy, self._new_page(watermark)
            )
            if slices.halves:
                todo.extend(slices.halves)
                continue
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
        def new_page(window: Window, state: PageState) -> Page:
            return Page(
                window=window,
                generation=1,
                timeline_id=watermark.timeline_id,
                revision=self.new_token(),
                state=state,
            )

        return new_page


def open_pages(pages: Sequence[Page]) -> list[Page]:
    """The pages that a worker has to export."""
    return [page for page in pages if page.state is PageState.OPEN]
