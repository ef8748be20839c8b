"""Gathering done pages into sweeps: neighbours, of one month, that fit into one response."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from cpd_exporter.model.timeline import (
    Errand,
    Page,
    Request,
    State,
    Watermark,
    reserving,
    sweep_of,
)
from cpd_exporter.model.windows import next_month
from cpd_exporter.ports import NewToken, Timeline

MOST_PAGES = 98
"""A transaction takes 100 items: the pages, the sweep, and what replaces them."""


@dataclass(frozen=True, slots=True)
class Gatherer:
    """Turns wishes and requests into sweeps. ``capacity`` is how many known records one may hold:
    below what a response does, since some may have come in unseen.
    """

    timeline: Timeline
    new_token: NewToken
    may_go_on: Callable[[], bool] = lambda: True
    capacity: int = 800

    def gather(self, watermark: Watermark, *, most: int) -> list[Page]:
        """Reserve pages for up to ``most`` sweeps, for as long as ``may_go_on``; wishes first, then
        requests, shortest first.
        """
        sweeps: list[Page] = []
        self._gather_asked(watermark, sweeps, most)
        for request in sorted(self.timeline.requests(), key=lambda one: one.end - one.cursor):
            if request.errand is Errand.SWEEP and len(sweeps) < most:
                self._gather_requested(watermark, request, sweeps, most)
        return sweeps

    def _gather_asked(self, watermark: Watermark, sweeps: list[Page], most: int) -> None:
        page: Page | None = None
        for ask in self.timeline.asks():
            if len(sweeps) >= most or not self.may_go_on():
                return
            if page is not None and ask.at in page.window:
                continue  # one sweep of a page is for all wishes
            page = self.timeline.page_at(ask.at)
            if page is None:
                # Not planned yet, and read when it is; or before all that is exported.
                self.timeline.forget(ask)
            elif _is_sweepable(page, watermark):
                self._reserve([page], sweeps)

    def _gather_requested(
        self, watermark: Watermark, request: Request, sweeps: list[Page], most: int
    ) -> None:
        cursor = max(request.cursor, watermark.exported_from)
        end = min(request.end, watermark.exported_through)
        first = self.timeline.page_at(cursor) if cursor < end else None
        if first is not None:
            for group in self._groups(first.window.start, end, watermark):
                is_room = len(sweeps) < most and self.may_go_on()
                if not is_room or not self._reserve(group, sweeps):
                    # No room, or one of the pages was just taken: the next tick goes on from here.
                    continued = replace(request, cursor=cursor, revision=self.new_token())
                    self.timeline.continue_request(request, continued)
                    return
                cursor = group[-1].window.end
        self.timeline.continue_request(request, None)

    def _groups(self, start: datetime, end: datetime, watermark: Watermark) -> Iterator[list[Page]]:
        group: list[Page] = []
        for page in self.timeline.pages(start):
            if page.window.start >= end:
                break
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
        return len(group) <= MOST_PAGES and records <= self.capacity

    def _reserve(self, pages: list[Page], sweeps: list[Page]) -> bool:
        sweep = sweep_of(pages, revision=self.new_token())
        if not self.timeline.commit(reserving(pages, sweep, revision=self.new_token())):
            return False
        sweeps.append(sweep)
        return True


def _is_sweepable(page: Page, watermark: Watermark) -> bool:
    """Done, of the exported stretch, so that the watermark never finds it merged away, and free."""
    return (
        page.state is State.DONE
        and page.reserved_by is None
        and watermark.exported_from <= page.window.start
        and page.window.end <= watermark.exported_through
    )


def _is_neighbour(page: Page, group: list[Page]) -> bool:
    return page.window.start == group[-1].window.end and page.window.end <= next_month(
        group[0].window.start
    )
