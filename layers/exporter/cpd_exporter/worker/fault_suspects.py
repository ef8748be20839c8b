"""How many parts of a failing window may hold the fault."""

from datetime import timedelta
from itertools import islice

from cpd_exporter.errors import FilterError, PermanentError, ServerError, TransientError
from cpd_exporter.model.page import PageState
from cpd_exporter.model.timestamps import SECOND, floor_second
from cpd_exporter.model.window import Window
from cpd_exporter.source.counter import count, count_part
from cpd_exporter.source.filter_check import check_filter
from cpd_exporter.source.response import SLACK, query_window
from cpd_exporter.worker.context import WorkerContext

MAX_EARLIER_PAGES = 100
"""Pages before a window among which a worker looks for some with entries."""

MAX_LISTED_AGAIN = 2
"""Earlier pages with entries that a worker lists again, to see whether the API is well."""

_AWAY = (timedelta(hours=-49, minutes=-17), timedelta(hours=26, minutes=41))
"""How far from a window the API is asked where nothing is exported before it."""

MAX_SUSPECTS = 16
"""More suspects count as so many: a split around a fault makes no more parts at once."""


def count_suspects(context: WorkerContext, window: Window, error: PermanentError) -> int:
    """Count the entries that may spoil a window, up to ``MAX_SUSPECTS``.

    Zero where the API fails as a whole. A worker splits no window of which no part can be counted,
    and none that a broken filter answers: an outage must not shatter the timeline.
    """
    try:
        if isinstance(error, FilterError) and not _check_filter(context):
            return 0
        return min(_count(context, window), MAX_SUSPECTS)
    except TransientError:
        return 0


def lists_others(context: WorkerContext, window: Window) -> bool:
    """Whether the API lists entries before the window as it did when they were exported.

    Where none are exported, it is asked for other times, none at a distance of whole days: some
    jobs log an entry each night. A refusal is an answer.
    """
    pages = islice(context.timeline.pages_before(window.start), MAX_EARLIER_PAGES)
    done = (page.window for page in pages if page.state is PageState.DONE and page.entries)
    controls = list(islice(done, MAX_LISTED_AGAIN)) or [
        Window(start, start + SECOND) for start in (window.start + away for away in _AWAY)
    ]
    return any(_is_answered(context, control) for control in controls)


def _is_answered(context: WorkerContext, window: Window) -> bool:
    try:
        query_window(context.api, window.widened(SLACK))
    except PermanentError:
        return True
    except TransientError:
        return False
    return True


def _check_filter(context: WorkerContext) -> bool:
    try:
        now = floor_second(context.clock())
        places = [[Window(now - timedelta(days=1), now), None]]
        check = check_filter(context.api, places, until=now)
        return check.is_complete
    except PermanentError:
        return False


def _count(context: WorkerContext, window: Window) -> int:
    query = context.api, window
    try:
        return count(*query).total
    except (PermanentError, ServerError):
        return MAX_SUSPECTS if count_part(*query) else 0
