"""How many parts of a failing window may hold the fault."""

from datetime import timedelta

from cpd_exporter.errors import FilterError, PermanentError, ServerError, TransientError
from cpd_exporter.model.timestamps import floor_second
from cpd_exporter.model.window import Window
from cpd_exporter.source.counter import count, count_part
from cpd_exporter.source.filter_check import check_filter
from cpd_exporter.worker.context import WorkerContext

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
