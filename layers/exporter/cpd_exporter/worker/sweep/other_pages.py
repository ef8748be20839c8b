"""The pages of other dates, to which entries of the swept pages have moved."""

from collections.abc import Mapping
from datetime import datetime

from cpd_exporter.model.page import Page, PageState
from cpd_exporter.model.page_index import IndexEntry, PageIndex
from cpd_exporter.model.window import Window
from cpd_exporter.worker.context import WorkerContext
from cpd_exporter.worker.lake_reader import LakeReader


class OtherPages:
    """What the pages outside a window have of the entries that left it. Each index is read once.

    Raises ``LakeError`` where a page's index is not there or damaged.
    """

    def __init__(self, context: WorkerContext, window: Window) -> None:
        self._context, self._window = context, window
        self._indexes: dict[str, PageIndex] = {}
        self._writing: set[str] | None = None

    def follow(self, id_: str, own: IndexEntry) -> bool:
        """Whether the page of the entry's date follows it: it has the entry in the version of our
        row, or in a later row.
        """
        page = self._page_at(own.date)
        there = self._index_of(page).get(id_) if page else None
        if there is None:
            return False
        is_same = (there.date, there.fingerprint) == (own.date, own.fingerprint)
        return (is_same and not own.is_tied) or there.stored_at > own.stored_at

    def publish_deletion(self, id_: str, own: IndexEntry, moved_to: datetime) -> bool:
        """Whether the page of the date to which an entry moved publishes its deletion: it has the
        entry, or is about to.

        If that page knows that the entry has moved on, it does so only where its row is the later
        one: two pages would wait for each other otherwise.
        """
        page = self._page_at(moved_to)
        if page is None or (page.hole_since and page.state is PageState.OPEN):
            return False
        if page.state is not PageState.DONE or self._is_being_written(page):
            return True
        there = self._index_of(page).get(id_)
        if there is None:
            return False
        missing = page.missing.get(id_)
        has_left = missing is not None and missing.moved_to is not None
        is_later = (there.stored_at, page.window.start) > (own.stored_at, self._window.start)
        return not has_left or is_later

    def _page_at(self, date: datetime) -> Page | None:
        return None if date in self._window else self._context.timeline.page_at(date)

    def _is_being_written(self, page: Page) -> bool:
        """Whether a sweep of the page has begun to store rows, which its index lacks yet."""
        if page.reserved_by is None:
            return False
        if self._writing is None:
            writing = (PageState.WRITING, PageState.STORED)
            sweeps = self._context.timeline.sweeps()
            self._writing = {sweep.name for sweep in sweeps if sweep.state in writing}
        return page.reserved_by in self._writing

    def _index_of(self, page: Page) -> Mapping[str, IndexEntry]:
        """The index of a page; empty if the page is not done."""
        if page.state is not PageState.DONE:
            return {}
        if page.revision not in self._indexes:
            self._indexes[page.revision] = LakeReader(self._context.lake).read_index(page)
        return self._indexes[page.revision]
