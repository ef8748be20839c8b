"""The API in memory: the simulator without HTTP."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from functools import lru_cache

from cpd_exporter.errors import (
    AccessError,
    LookUpError,
    PermanentError,
    ServerError,
    TransientError,
    WithdrawnError,
)
from cpd_exporter.model.entry import Found, Listing, read_entry, read_listing
from cpd_exporter.model.local_time import LocalBounds, local_bounds
from cpd_exporter.model.minutes import Summaries, read_summaries
from cpd_exporter.model.window import Window
from simulator.minutes import SummaryQuery
from simulator.offset_pages import Query
from simulator.refusal import Refused
from simulator.simulator import Simulator

MAX_REMEMBERED_CHARACTERS = 100_000


def _read(content: str, fingerprint_exclude: frozenset[str]) -> Listing:
    return read_listing(content.encode(), fingerprint_exclude=fingerprint_exclude)


_read_again = lru_cache(maxsize=512)(_read)
"""Worlds that begin alike get equal responses: to read them once makes the tests fast."""


class FakeApi:
    """``calls`` counts requests; what the simulator refuses is raised as the client would."""

    def __init__(
        self,
        simulator: Simulator,
        fingerprint_exclude: frozenset[str] = frozenset(),
        filter_time_zone: tzinfo = UTC,
    ) -> None:
        self.simulator = simulator
        self.fingerprint_exclude = fingerprint_exclude
        self.filter_time_zone = filter_time_zone
        self.calls = 0
        self.may_ask = True
        self.notice: str | None = None

    def query(self, window: Window | None, *, page: int = 1, per_page: int = 1000) -> Listing:
        bounds = local_bounds(window, self.filter_time_zone) if window else None
        query = Query(page, per_page, *_written(bounds))
        self.calls += 1
        try:
            content = self.simulator.list_entries(query).content
        except Refused as refused:
            if refused.status in (404, 410):
                raise WithdrawnError(str(refused)) from refused
            raise _translated(refused) from refused
        read = _read_again if len(content) < MAX_REMEMBERED_CHARACTERS else _read
        listing = read(content, self.fingerprint_exclude)
        span = bounds.span if bounds else None
        return replace(listing, served_at=self.simulator.now(), span=span)

    def entry(self, entry_id: str) -> Found:
        self.calls += 1
        try:
            text = self.simulator.get_entry(entry_id).text
        except Refused as refused:
            if refused.status in (404, 410):
                return None
            raise _translated(refused) from refused
        return read_entry(text.encode(), self.fingerprint_exclude)

    def entries(self, entry_ids: Sequence[str]) -> dict[str, Found | LookUpError]:
        return {entry_id: self._look_up(entry_id) for entry_id in entry_ids}

    def _look_up(self, entry_id: str) -> Found | LookUpError:
        try:
            return self.entry(entry_id)
        except (PermanentError, TransientError) as error:
            return error

    def summaries(self, window: Window, *, page: int = 1, per_page: int = 1000) -> Summaries:
        self.calls += 1
        try:
            bounds = local_bounds(window, self.filter_time_zone).exact(window)
            query = SummaryQuery(Query(page, per_page, *_written(bounds)))
            content = self.simulator.summarise(query).content
        except Refused as refused:
            raise _translated(refused) from refused
        return read_summaries(content.encode())


def _written(bounds: LocalBounds | None) -> tuple[datetime | None, datetime | None]:
    if bounds is None:
        return None, None
    return bounds.start.replace(tzinfo=UTC), bounds.end.replace(tzinfo=UTC)


def _translated(refused: Refused) -> Exception:
    if refused.status in (401, 403):
        return AccessError(str(refused))
    if refused.status in (500, 501, 502, 504):
        return ServerError(str(refused))
    if refused.status == 429 or refused.status > 500:
        return TransientError(str(refused))
    return PermanentError(str(refused))
