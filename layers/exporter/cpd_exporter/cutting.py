"""Cutting time into pages that one response each should answer, by the API's own totals."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cpd_exporter.errors import PermanentError
from cpd_exporter.model.instants import SECOND, floor_second
from cpd_exporter.model.timeline import Page, State
from cpd_exporter.model.windows import Window
from cpd_exporter.ports import EntriesApi
from cpd_exporter.reading import MOST_PER_PAGE, count, count_part

_UNBELIEVABLE = 10**12
"""More than any window is believed to hold: it stays one page."""

type NewPage = Callable[[Window, State], Page]


@dataclass(frozen=True, slots=True)
class Cutting:
    """``target`` is how many entries a page is planned to hold: below what a response can, so that
    uneven time seldom overflows. No total cuts finer than ``floor``. Time is cut once it is older
    than ``settle``, by this clock and by the API's.
    """

    slack: timedelta
    settle: timedelta
    target: int = MOST_PER_PAGE * 8 // 10
    floor: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Cut:
    """What one look at a window gave: pages that tile it, or two halves to look at; nothing, where
    all of it is too young. ``end`` is before the window's where its end is.
    """

    pages: list[Page]
    halves: tuple[Window, ...]
    end: datetime


def cut(api: EntriesApi, window: Window, cutting: Cutting, new_page: NewPage) -> Cut:
    """Look at a window, as a rule with one request. One without entries is done at once, month by
    month; a month that cannot be counted for something within it is a page, for a worker to split.
    """
    try:
        counted = count(api, window, cutting.slack)
    except PermanentError:
        if not window.within_one_month:
            return Cut([], window.halved_by_month(), window.end)
        part = count_part(api, window, cutting.slack)
        if part is None:
            raise
        counted = replace(part, total=_UNBELIEVABLE)
    end = window.end
    if counted.served_at is not None:
        # An entry is logged by the API's clock, which may be behind this one.
        end = min(end, floor_second(counted.served_at - cutting.settle))
    if end <= window.start:
        return Cut([], (), window.start)
    window = Window(window.start, end)
    if counted.total == 0:
        return Cut([new_page(month, State.DONE) for month in window.months()], (), end)
    if not window.within_one_month:
        return Cut([], window.halved_by_month(), end)
    # A total of more than an entry a second is not believed: then it is one page, and what really
    # overflows is split by its worker.
    believable = counted.total <= window.length // SECOND
    parts = -(-counted.total // cutting.target) if believable else 1
    windows = window.cut(parts, floor=max(cutting.floor, cutting.slack))
    return Cut([new_page(part, State.OPEN) for part in windows], (), end)
