"""A timeline of any length that takes no memory: its done pages are made when they are read."""

from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from cpd_exporter.model.breaker import Breaker
from cpd_exporter.model.page import MissingEntry, Page, PageFlag, PageState, WorkKind
from cpd_exporter.model.watermark import FollowUpSweep, Watermark
from cpd_exporter.model.window import Window
from tests.support.fakes import FakeTimeline

HELD_PAGES = 100
"""Pages of which each holds a deletion back."""


class LongTimeline(FakeTimeline):
    """``count`` done pages of one length from ``origin`` on. ``read`` counts pages read.

    A page that was written since is in ``stored_pages``; so are pages outside of that range.
    """

    def __init__(self, tenant_id: str, origin: datetime, count: int, length: timedelta) -> None:
        super().__init__(tenant_id)
        self.read = 0
        self._origin = origin
        self._count = count
        self._length = length
        self._end = end = origin + count * length
        self._others: list[datetime] = []
        self.stored_breaker = Breaker(revision="breaker", opened_at=end)
        self.stored_watermark = Watermark(
            "timeline",
            origin,
            end,
            origin,
            end,
            follow_up=FollowUpSweep(origin, end, origin, requested_at=origin),
        )

    def page(self, start: datetime, kind: WorkKind = WorkKind.PAGE) -> Page | None:
        if kind is WorkKind.SWEEP or start in self.stored_pages:
            return super().page(start, kind)
        place, rest = divmod(start - self._origin, self._length)
        return None if rest or not 0 <= place < self._count else self._made(place)

    def page_at(self, instant: datetime) -> Page | None:
        return next((page for page in self._down(instant) if instant in page.window), None)

    def pages(self, start: datetime, end: datetime | None = None) -> Iterator[Page]:
        for page in self._up(start):
            if end is not None and page.window.start >= end:
                return
            self.read += 1
            yield page

    def pages_before(self, end: datetime) -> Iterator[Page]:
        for page in self._down(end - datetime.resolution):
            self.read += 1
            yield page

    def flagged(self, flag: PageFlag) -> Iterator[Page]:
        if flag is PageFlag.HELD:
            for held in range(min(HELD_PAGES, self._count)):
                self.read += 1
                yield self._held(held * (self._count // HELD_PAGES))

    def _up(self, start: datetime) -> Iterator[Page]:
        yield from (self.stored_pages[one] for one in self._others if start <= one < self._origin)
        first = max(0, -((self._origin - start) // self._length))
        yield from map(self._made, range(first, self._count))
        later = self._others[bisect_left(self._others, max(start, self._end)) :]
        yield from (self.stored_pages[one] for one in later)

    def _down(self, latest: datetime) -> Iterator[Page]:
        known = [one for one in reversed(self._others) if one <= latest]
        yield from (self.stored_pages[one] for one in known if one >= self._end)
        last = min(self._count - 1, (latest - self._origin) // self._length)
        yield from map(self._made, range(last, -1, -1))
        yield from (self.stored_pages[one] for one in known if one < self._origin)

    def _made(self, place: int) -> Page:
        start = self._origin + place * self._length
        return self.stored_pages.get(start) or Page(
            Window(start, start + self._length),
            generation=1,
            timeline_id="timeline",
            revision="made",
            state=PageState.DONE,
            entries=8,
            stored_at=start,
            read_at=self._end,
        )

    def _held(self, place: int) -> Page:
        page = self._made(place)
        missing = {"entry": MissingEntry(self._end, held_at=self._end)}
        return Page(
            page.window, 1, "timeline", "held", state=PageState.DONE, entries=8, missing=missing
        )

    def _stored(self, page: Page) -> Page | None:
        return self.page(page.window.start, page.kind)

    def _put(self, pages: Sequence[Page]) -> None:
        for page in pages:
            start = page.window.start
            is_new = page.kind is WorkKind.PAGE and start not in self.stored_pages
            if is_new and not self._origin <= start < self._end:
                insort(self._others, start)
        super()._put(pages)
