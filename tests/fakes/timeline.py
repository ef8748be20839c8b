"""A timeline in a dictionary."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from cpd_exporter.model.timeline import Page, Refusal, State, Tick, Watermark

MOST_PAGES = 99


class FakeTimeline:
    """``stored`` is every page by its start, ``stands`` the watermark."""

    def __init__(self, tenant_id: str = "eu-west-2_AbcdEfghI") -> None:
        self.tenant_id = tenant_id
        self.stands: Watermark | None = None
        self.stored: dict[datetime, Page] = {}
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

    def advance(self, *, before: datetime, through: datetime) -> bool:
        if self.stands is None:
            return False
        if self.stands.exported_through == before:
            self.stands = replace(self.stands, exported_through=through)
        return self.stands.exported_through == through

    def prove(self, at: datetime) -> None:
        if self.stands is not None:
            self.stands = replace(self.stands, proven_at=at)

    def note_tick(self, tick: Tick) -> None:
        if self.stands is not None:
            self.stands = replace(self.stands, last_tick=tick)

    def page(self, start: datetime) -> Page | None:
        return self.stored.get(start)

    def pages(self, start: datetime) -> Iterator[Page]:
        found = [page for page in self.stored.values() if page.window.start >= start]
        yield from sorted(found, key=lambda page: page.window)

    def undone(self) -> Iterator[Page]:
        found = [page for page in self.stored.values() if page.state is not State.DONE]
        yield from sorted(found, key=lambda page: page.window)

    def update(self, page: Page, changed: Page) -> bool:
        stored = self.stored.get(page.window.start)
        if stored is not None and stored.revision == page.revision:
            self._put([replace(changed, sent_at=stored.sent_at)])
        return self._holds(changed)

    def split(self, page: Page, parts: Sequence[Page]) -> bool:
        _check(parts)
        stored = self.stored.get(page.window.start)
        others = parts[1:]
        if (
            stored is not None
            and stored.revision == page.revision
            and not any(part.window.start in self.stored for part in others)
        ):
            self._put(parts)
        return self._holds(parts[0])

    def mark_sent(self, pages: Sequence[Page], at: datetime) -> None:
        for page in pages:
            stored = self.stored.get(page.window.start)
            if stored is not None and stored.generation == page.generation:
                self._put([replace(stored, sent_at=at)])

    def record_refusal(self, refusal: Refusal) -> None:
        self.refused.setdefault((refusal.window.start, refusal.entry_id), refusal)

    def refusals(self) -> Iterator[Refusal]:
        yield from list(self.refused.values())

    def _put(self, pages: Sequence[Page]) -> None:
        self.stored |= {page.window.start: page for page in pages}

    def _holds(self, page: Page) -> bool:
        stored = self.stored.get(page.window.start)
        return stored is not None and stored.revision == page.revision


def _check(pages: Sequence[Page]) -> None:
    if not 1 <= len(pages) <= MOST_PAGES:
        raise ValueError(f"from 1 to {MOST_PAGES} pages at a time, not {len(pages)}")
