"""A timeline in a dictionary."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from cpd_exporter.model.timeline import (
    Ask,
    DeletionQuota,
    Kind,
    Page,
    Refusal,
    Request,
    State,
    Tick,
    Watermark,
    Write,
)
from cpd_exporter.model.windows import Window

MOST_PAGES = 99
MOST_WRITES = 100
_TICK = timedelta(microseconds=1)


class FakeTimeline:
    """``stored`` is every page by its start, ``sweeping`` every sweep, ``stands`` the watermark.

    Streams are not snapshots: each item is as it stands when it is reached.
    """

    def __init__(self, tenant_id: str = "eu-west-2_AbcdEfghI") -> None:
        self.tenant_id = tenant_id
        self.stands: Watermark | None = None
        self.stored: dict[datetime, Page] = {}
        self.sweeping: dict[datetime, Page] = {}
        self.wishes: dict[tuple[datetime, str], Ask] = {}
        self.requested: dict[str, Request] = {}
        self.quotas: dict[str, DeletionQuota] = {}
        self.refused: dict[tuple[datetime, str], Refusal] = {}

    def watermark(self) -> Watermark | None:
        return self.stands

    def begin(self, watermark: Watermark) -> Watermark:
        if self.stands is None:
            self.stands = watermark
        return self.stands

    def append(self, pages: Sequence[Page], *, after: datetime) -> bool:
        _check(pages)
        end = pages[-1].window.end
        if self.stands is None:
            return False
        if self.stands.planned_through != after:
            return self._holds(pages[0])
        if any(page.window.start in self.stored for page in pages):
            return False
        self.stands = replace(self.stands, planned_through=end)
        self._put(pages)
        return True

    def prepend(self, pages: Sequence[Page], *, before: datetime) -> bool:
        _check(pages)
        if self.stands is None:
            return False
        if self.stands.origin != before:
            return self._holds(pages[0])
        if any(page.window.start in self.stored for page in pages):
            return False
        self.stands = replace(self.stands, origin=pages[0].window.start)
        self._put(pages)
        return True

    def advance(self, *, before: datetime, through: datetime) -> bool:
        if self.stands is None:
            return False
        if self.stands.exported_through == before:
            self.stands = replace(self.stands, exported_through=through)
        return self.stands.exported_through == through

    def retreat(self, *, before: datetime, through: datetime) -> bool:
        if self.stands is None:
            return False
        if self.stands.exported_from == before:
            self.stands = replace(self.stands, exported_from=through)
        return self.stands.exported_from == through

    def prove(self, at: datetime) -> None:
        if self.stands is not None:
            self.stands = replace(self.stands, proven_at=at)

    def note_tick(self, tick: Tick) -> None:
        if self.stands is not None:
            self.stands = replace(self.stands, last_tick=tick)

    def page(self, start: datetime, kind: Kind = Kind.PAGE) -> Page | None:
        return self._items(kind).get(start)

    def page_at(self, instant: datetime) -> Page | None:
        starts = [start for start in self.stored if start <= instant]
        page = self.stored[max(starts)] if starts else None
        return page if page is not None and instant in page.window else None

    def pages(self, start: datetime) -> Iterator[Page]:
        reached = start
        while True:
            ahead = [at for at in self.stored if at >= reached]
            if not ahead:
                return
            page = self.stored[min(ahead)]
            yield page
            reached = page.window.start + _TICK

    def pages_before(self, end: datetime) -> Iterator[Page]:
        reached = end
        while True:
            behind = [at for at in self.stored if at < reached]
            if not behind:
                return
            page = self.stored[max(behind)]
            yield page
            reached = page.window.start

    def undone(self) -> Iterator[Page]:
        for start in sorted(self.stored):
            page = self.stored.get(start)
            if page is not None and page.state is not State.DONE:
                yield page

    def sweeps(self) -> Iterator[Page]:
        for start in sorted(self.sweeping):
            if start in self.sweeping:
                yield self.sweeping[start]

    def update(self, page: Page, changed: Page) -> bool:
        stored = self._stored(page)
        if stored is not None and stored.revision == page.revision:
            self._put([replace(changed, sent_at=stored.sent_at)])
        return self._holds(changed)

    def commit(self, writes: Sequence[Write]) -> bool:
        if not 1 <= len(writes) <= MOST_WRITES:
            raise ValueError(f"from 1 to {MOST_WRITES} writes at a time, not {len(writes)}")
        first = writes[0].after
        if first is None:
            raise ValueError("the first write must leave an item")
        if all(self._may(write) for write in writes):
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

    def ask(self, ask: Ask) -> None:
        self.wishes[ask.at, ask.entry_id] = ask

    def asks(self, window: Window | None = None) -> Iterator[Ask]:
        for key in sorted(self.wishes):
            ask = self.wishes.get(key)
            if ask is not None and (window is None or ask.at in window):
                yield ask

    def forget(self, ask: Ask) -> None:
        if self.wishes.get((ask.at, ask.entry_id)) == ask:
            del self.wishes[ask.at, ask.entry_id]

    def request(self, request: Request) -> None:
        self.requested.setdefault(request.name, request)

    def requests(self) -> Iterator[Request]:
        yield from [self.requested[name] for name in sorted(self.requested)]

    def continue_request(self, request: Request, continued: Request | None) -> bool:
        stored = self.requested.get(request.name)
        if stored is not None and stored.revision == request.revision:
            if continued is None:
                del self.requested[request.name]
            else:
                self.requested[request.name] = replace(continued, sent_at=stored.sent_at)
            return True
        return (
            continued is not None and stored is not None and stored.revision == (continued.revision)
        )

    def mark_request_sent(self, request: Request, at: datetime) -> None:
        stored = self.requested.get(request.name)
        if stored is not None:
            self.requested[request.name] = replace(stored, sent_at=at)

    def deletion_quota(self, day: str) -> DeletionQuota | None:
        return self.quotas.get(day)

    def update_deletion_quota(self, quota: DeletionQuota | None, changed: DeletionQuota) -> bool:
        stored = self.quotas.get(changed.day)
        if (stored and stored.revision) == (quota and quota.revision):
            self.quotas[changed.day] = stored = changed
        return stored is not None and stored.revision == changed.revision

    def record_refusal(self, refusal: Refusal) -> None:
        self.refused.setdefault((refusal.window.start, refusal.entry_id), refusal)

    def refusals(self) -> Iterator[Refusal]:
        yield from list(self.refused.values())

    def _items(self, kind: Kind) -> dict[datetime, Page]:
        return self.sweeping if kind is Kind.SWEEP else self.stored

    def _stored(self, page: Page) -> Page | None:
        return self._items(page.kind).get(page.window.start)

    def _put(self, pages: Sequence[Page]) -> None:
        for page in pages:
            self._items(page.kind)[page.window.start] = page

    def _holds(self, page: Page) -> bool:
        stored = self._stored(page)
        return stored is not None and stored.revision == page.revision

    def _may(self, write: Write) -> bool:
        if write.before is not None:
            return self._holds(write.before)
        return write.after is not None and self._stored(write.after) is None


def _check(pages: Sequence[Page]) -> None:
    if not 1 <= len(pages) <= MOST_PAGES:
        raise ValueError(f"from 1 to {MOST_PAGES} pages at a time, not {len(pages)}")
