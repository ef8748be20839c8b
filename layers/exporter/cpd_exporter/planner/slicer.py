"""Slices a window into pages that one response each should answer, by the API's own totals."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cpd_exporter.errors import PermanentError
from cpd_exporter.model.page import Page, PageState
from cpd_exporter.model.timestamps import SECOND, floor_second
from cpd_exporter.model.window import Window
from cpd_exporter.ports import EntriesApi
from cpd_exporter.source.counter import count, count_part
from cpd_exporter.source.response import MAX_PER_PAGE

_UNBELIEVABLE = 10**12
"""A total that no window is believed to hold: the window stays one page."""

type NewPage = Callable[[Window, PageState], Page]


@dataclass(frozen=True, slots=True)
class SlicePolicy:
    """How fine, and how late, time is sliced.

    A page is planned to hold ``target`` entries: fewer than a response can, so that uneven time
    seldom overflows. No total slices finer than ``floor``. Time is sliced once it is older than
    the settle time, by this clock and by the API's.
    """

    settle: timedelta
    target: int = MAX_PER_PAGE * 8 // 10
    floor: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Slices:
    """The result for one window: pages that tile it, or two halves to slice in turn.

    Both are empty where the whole window is too young. ``end`` is before the window's end where the
    last part is too young.
    """

    pages: list[Page]
    halves: tuple[Window, ...]
    end: datetime


def slice_window(api: EntriesApi, window: Window, policy: SlicePolicy, new_page: NewPage) -> Slices:
    """Slice a window, as a rule with one request.

    A window without entries becomes done pages, one a month. If the API cannot count a month but
    can count part of it, the month becomes one page, and a worker splits it later.
    """
    try:
        counted = count(api, window)
    except PermanentError:
        if not window.within_one_month:
            return Slices([], window.halves_by_month(), window.end)
        part = count_part(api, window)
        if part is None:
            raise
        counted = replace(part, total=_UNBELIEVABLE)
    end = window.end
    if counted.served_at is not None:
        # The API's clock dates the entries, and it may be behind this one.
        end = min(end, floor_second(counted.served_at - policy.settle))
    if end <= window.start:
        return Slices([], (), window.start)
    window = Window(window.start, end)
    if counted.total == 0:
        return Slices([new_page(month, PageState.DONE) for month in window.months()], (), end)
    if not window.within_one_month:
        return Slices([], window.halves_by_month(), end)
    # A total of more than an entry a second is not believed: the window stays one page, and its
    # worker splits what really overflows.
    believable = counted.total <= window.length // SECOND
    parts = -(-counted.total // policy.target) if believable else 1
    windows = window.split(parts, floor=policy.floor)
    return Slices([new_page(part, PageState.OPEN) for part in windows], (), end)
