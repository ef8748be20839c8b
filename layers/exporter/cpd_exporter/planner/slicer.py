"""Slices a window into pages of some responses each, by the API's own totals.

A total says how many entries there are, and not where: a worker that finds more than a response
splits the page where the rows lie.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cpd_exporter.errors import PermanentError, ServerError
from cpd_exporter.model.page import Page, PageState
from cpd_exporter.model.timestamps import SECOND, floor_second
from cpd_exporter.model.window import Window
from cpd_exporter.ports import EntriesApi
from cpd_exporter.source.counter import count, count_part
from cpd_exporter.source.response import MAX_PER_PAGE

_UNBELIEVABLE = 10**12
"""A total that no window is believed to hold: the window stays one page."""

type NewPage = Callable[[Window, PageState, int | None], Page]
"""Makes a page of a window, with its state and the entries that were counted in it."""


@dataclass(frozen=True, slots=True)
class SlicePolicy:
    """How fine, and how late, time is sliced.

    A page is planned to hold ``target`` entries at most: as many as a worker splits at once, with
    room for uneven time. No total slices finer than ``floor``. Time is sliced once it is older than
    the settle time, by this clock and by the API's.
    """

    settle: timedelta
    target: int = MAX_PER_PAGE * 13
    floor: timedelta = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Slices:
    """The pages that tile a window up to ``end``.

    ``end`` is before the window's end where its last part is too young. There is no page where all
    of it is.
    """

    pages: list[Page]
    end: datetime


def slice_month(api: EntriesApi, window: Window, policy: SlicePolicy, new_page: NewPage) -> Slices:
    """Slice a window of at most a month, as a rule with one request.

    A month without entries becomes a done page. No answer counts for more than a month, so an API
    that answers nothing to a wide range hides no entry. If the API cannot count a month but can
    count part of it, the month becomes one page, and a worker splits it later.
    """
    if not window.within_one_month:
        raise ValueError(f"one answer is believed for no more than a month: {window}")
    try:
        counted = count(api, window)
    except (PermanentError, ServerError):
        part = count_part(api, window)
        if part is None:
            raise
        counted = replace(part, total=_UNBELIEVABLE, has_record=False)
    end = window.end
    if counted.served_at is not None:
        # The API's clock dates the entries, and it may be behind this one.
        end = min(end, floor_second(counted.served_at - policy.settle))
    if end <= window.start:
        return Slices([], window.start)
    is_whole = end == window.end
    window = Window(window.start, end)
    if counted.total == 0:
        return Slices([new_page(window, PageState.DONE, 0)], end)
    # A total of more than an entry a second is not believed: the window stays one page, and its
    # worker splits what really overflows.
    believable = counted.total <= window.length // SECOND
    parts = -(-counted.total // policy.target) if believable else 1
    windows = window.split(parts, floor=policy.floor)
    # A count says nothing of a part. A total without a record may be a wrong total.
    is_own = is_whole and counted.has_record and len(windows) == 1
    counted_here = counted.total if is_own else None
    return Slices([new_page(part, PageState.OPEN, counted_here) for part in windows], end)
