"""A timeline in a dictionary."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any

from cpd_exporter.model.breaker import Breaker, BreakerChange
from cpd_exporter.model.garbage import IndexGarbage
from cpd_exporter.model.job import EndedJob, Job
from cpd_exporter.model.page import (
    MAX_PAGES_PER_TRANSACTION,
    ConditionalWrite,
    Page,
    PageFlag,
    PageState,
    WorkKind,
)
from cpd_exporter.model.refusal import Refusal
from cpd_exporter.model.sweep_request import SweepRequest
from cpd_exporter.model.watermark import Watermark
from cpd_exporter.model.window import Window

MAX_TRANSACTION_ITEMS = 100
MAX_ENDED_JOBS = 10
_TICK = timedelta(microseconds=1)


class FakeTimeline:
    """``stored_pages`` holds every page by its start, ``stored_sweeps`` every sweep.

    Streams are not snapshots: each item is as it is when it is reached.
    """

    def __init__(self, tenant_id: str = "eu-west-2_AbcdEfghI") -> None:
        self.tenant_id = tenant_id
        self.stored_watermark: Watermark | None = None
        self.stored_pages: dict[datetime, Page] = {}
        self.stored_sweeps: dict[datetime, Page] = {}
        self.requested_sweeps: dict[datetime, SweepRequest] = {}
        self.added_jobs: dict[str, Job] = {}
        self.ended: dict[str, EndedJob] = {}
        self.refused: dict[tuple[datetime, str, str], Refusal] = {}
        self.stored_breaker: Breaker | None = None
        self.noted_garbage: dict[tuple[datetime, str], IndexGarbage] = {}

    def watermark(self) -> Watermark | None:
        return self.stored_watermark

    def begin(self, watermark: Watermark) -> Watermark:
        if self.stored_watermark is None:
            self.stored_watermark = watermark
        return self.stored_watermark

    def append(self, pages: Sequence[Page], *, after: datetime) -> bool:
        _check(pages)
        end = pages[-1].window.end
        if self.stored_watermark is None:
            return False
        if self.stored_watermark.planned_through != after:
            return self._holds(pages[0])
        if any(page.window.start in self.stored_pages for page in pages):
            return False
        self.stored_watermark = replace(self.stored_watermark, planned_through=end)
        self._put(pages)
        return True

    def prepend(self, pages: Sequence[Page], *, before: datetime) -> bool:
        _check(pages)
        if self.stored_watermark is None:
            return False
        if self.stored_watermark.origin != before:
            return self._holds(pages[0])
        if any(page.window.start in self.stored_pages for page in pages):
            return False
        self.stored_watermark = replace(self.stored_watermark, origin=pages[0].window.start)
        self._put(pages)
        return True

    def update_watermark(self, before: Watermark, after: Watermark) -> bool:
        if self.stored_watermark is None:
            return False
        was, becomes = _changes(before, after)
        if all(getattr(self.stored_watermark, name) == was[name] for name in was):
            self.stored_watermark = replace(self.stored_watermark, **becomes)
        return all(getattr(self.stored_watermark, name) == becomes[name] for name in becomes)

    def page(self, start: datetime, kind: WorkKind = WorkKind.PAGE) -> Page | None:
        return self._items(kind).get(start)

    def page_at(self, instant: datetime) -> Page | None:
        starts = sorted(self.stored_pages)
        position = bisect_right(starts, instant)
        page = self.stored_pages[starts[position - 1]] if position else None
        return page if page is not None and instant in page.window else None

    def pages(self, start: datetime, end: datetime | None = None) -> Iterator[Page]:
        reached = start
        while True:
            starts = sorted(self.stored_pages)
            position = bisect_left(starts, reached)
            if position == len(starts):
                return
            page = self.stored_pages[starts[position]]
            if end is not None and page.window.start >= end:
                return
            yield page
            reached = page.window.start + _TICK

    def pages_before(self, end: datetime) -> Iterator[Page]:
        reached = end
        while True:
            starts = sorted(self.stored_pages)
            position = bisect_left(starts, reached)
            if not position:
                return
            page = self.stored_pages[starts[position - 1]]
            yield page
            reached = page.window.start

    def undone(self, window: Window | None = None) -> Iterator[Page]:
        for start in sorted(self.stored_pages):
            page = self.stored_pages.get(start)
            if window is not None and start not in window:
                continue
            if page is not None and page.state is not PageState.DONE:
                yield page

    def flagged(self, flag: PageFlag) -> Iterator[Page]:
        for start in sorted(self.stored_pages):
            page = self.stored_pages.get(start)
            if page is not None and page.flag is flag:
                yield page

    def sweeps(self) -> Iterator[Page]:
        for start in sorted(self.stored_sweeps):
            if start in self.stored_sweeps:
                yield self.stored_sweeps[start]

    def update(self, page: Page, changed: Page) -> bool:
        stored = self._stored(page)
        if stored is not None and stored.revision == page.revision:
            self._put([replace(changed, sent_at=stored.sent_at)])
        return self._holds(changed)

    def commit(
        self, writes: Sequence[ConditionalWrite], breaker: BreakerChange | None = None
    ) -> bool:
        items = len(writes) + (breaker is not None)
        if not 1 <= items <= MAX_TRANSACTION_ITEMS:
            raise ValueError(f"from 1 to {MAX_TRANSACTION_ITEMS} writes at a time, not {items}")
        first = writes[0].after
        if first is None:
            raise ValueError("the first write must leave an item")
        if all(self._may(write) for write in writes) and (
            breaker is None or self.stored_breaker == breaker.before
        ):
            if breaker is not None:
                self.stored_breaker = breaker.after
            for write in writes:
                if write.after is not None:
                    self._put([write.after])
                elif write.before is not None:
                    del self._items(write.before.kind)[write.before.window.start]
        return self._holds(first)

    def mark_sent(self, pages: Sequence[Page], at: datetime) -> None:
        for page in pages:
            stored = self._stored(page)
            if stored is not None and stored.generation == page.generation:
                self._put([replace(stored, sent_at=at)])

    def request_sweep(self, request: SweepRequest) -> None:
        self.requested_sweeps[request.at] = request

    def sweep_requests(self, window: Window | None = None) -> Iterator[SweepRequest]:
        for at in sorted(self.requested_sweeps):
            request = self.requested_sweeps.get(at)
            if request is not None and (window is None or request.at in window):
                yield request

    def drop_sweep_request(self, request: SweepRequest) -> None:
        if self.requested_sweeps.get(request.at) == request:
            del self.requested_sweeps[request.at]

    def add_job(self, job: Job) -> None:
        self.added_jobs.setdefault(job.name, job)

    def jobs(self) -> Iterator[Job]:
        yield from [self.added_jobs[name] for name in sorted(self.added_jobs)]

    def update_job(self, job: Job, changed: Job) -> bool:
        stored = self.added_jobs.get(job.name)
        if stored is not None and stored.revision == job.revision:
            self.added_jobs[job.name] = replace(changed, sent_at=stored.sent_at)
            return True
        return stored is not None and stored.revision == changed.revision

    def end_job(self, job: Job, ended: EndedJob) -> bool:
        stored = self.added_jobs.get(job.name)
        if stored is None or stored.revision != job.revision:
            return False
        del self.added_jobs[job.name]
        self.ended[ended.name] = ended
        for old in list(self.ended_jobs())[MAX_ENDED_JOBS:]:
            del self.ended[old.name]
        return True

    def ended_jobs(self) -> Iterator[EndedJob]:
        yield from sorted(self.ended.values(), key=lambda one: one.ended_at, reverse=True)

    def mark_job_sent(self, job: Job, at: datetime) -> None:
        stored = self.added_jobs.get(job.name)
        if stored is not None:
            self.added_jobs[job.name] = replace(stored, sent_at=at)

    def breaker(self) -> Breaker | None:
        return self.stored_breaker

    def update_breaker(self, change: BreakerChange) -> bool:
        stored = self.stored_breaker
        if (stored and stored.revision) == (change.before and change.before.revision):
            self.stored_breaker = stored = change.after
        return stored is not None and stored.revision == change.after.revision

    def note_garbage(self, garbage: IndexGarbage) -> None:
        self.noted_garbage[garbage.noted_at, garbage.name] = garbage

    def garbage(self, until: datetime) -> Iterator[IndexGarbage]:
        for key in sorted(self.noted_garbage):
            if key[0] < until and key in self.noted_garbage:
                yield self.noted_garbage[key]

    def drop_garbage(self, garbage: IndexGarbage) -> None:
        self.noted_garbage.pop((garbage.noted_at, garbage.name), None)

    def record_refusal(self, refusal: Refusal) -> None:
        self.refused.setdefault(_refusal_key(refusal), refusal)

    def refusals(self) -> Iterator[Refusal]:
        yield from list(self.refused.values())

    def update_refusal(self, refusal: Refusal, changed: Refusal | None) -> None:
        key = _refusal_key(refusal)
        if changed is None:
            self.refused.pop(key, None)
        elif key in self.refused:
            self.refused[key] = changed

    def _items(self, kind: WorkKind) -> dict[datetime, Page]:
        return self.stored_sweeps if kind is WorkKind.SWEEP else self.stored_pages

    def _stored(self, page: Page) -> Page | None:
        return self._items(page.kind).get(page.window.start)

    def _put(self, pages: Sequence[Page]) -> None:
        for page in pages:
            self._items(page.kind)[page.window.start] = page

    def _holds(self, page: Page) -> bool:
        stored = self._stored(page)
        return stored is not None and stored.revision == page.revision

    def _may(self, write: ConditionalWrite) -> bool:
        items = [page for page in (write.before, write.after) if page is not None]
        if len({(page.kind, page.window.start) for page in items}) != 1:
            raise ValueError("a write is of one item")
        if write.before is not None:
            return self._holds(write.before)
        return write.after is not None and self._stored(write.after) is None


def _refusal_key(refusal: Refusal) -> tuple[datetime, str, str]:
    return refusal.window.start, refusal.object, refusal.entry_id


def _changes(before: Watermark, after: Watermark) -> tuple[dict[str, Any], dict[str, Any]]:
    """The members in which the two differ: as they were, and as they become."""
    names = [one.name for one in fields(Watermark)]
    differing = [name for name in names if getattr(before, name) != getattr(after, name)]
    return (
        {name: getattr(before, name) for name in differing},
        {name: getattr(after, name) for name in differing},
    )


def _check(pages: Sequence[Page]) -> None:
    if not 1 <= len(pages) <= MAX_PAGES_PER_TRANSACTION:
        raise ValueError(f"from 1 to {MAX_PAGES_PER_TRANSACTION} pages at a time, not {len(pages)}")
