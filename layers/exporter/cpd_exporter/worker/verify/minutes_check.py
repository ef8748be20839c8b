"""Compares the lake's minutes by user with the API's sums."""

from collections import Counter
from collections.abc import Collection, Sequence
from datetime import timedelta

from cpd_exporter.errors import PermanentError
from cpd_exporter.model.window import Window
from cpd_exporter.source.minutes_reader import read_minutes_by_user
from cpd_exporter.source.response import SLACK
from cpd_exporter.worker.context import WorkerContext
from cpd_exporter.worker.verify.lake_check import PageShare
from cpd_exporter.worker.verify.report import Finding

MAX_TRACE_QUERIES = 40
MAX_TRACE_TIME = timedelta(seconds=20)
"""Bounds of the search for a difference's windows. Beyond them, the report names wider windows."""


def find_differing_users(context: WorkerContext, shares: Sequence[PageShare]) -> dict[str, Finding]:
    """The users whose minutes in the lake cannot be the API's sums.

    The query is narrower than the window, so that it holds no entry from beyond, whatever the
    API's bounds are. Entries near the bounds may be in its sums or not.
    """
    window = window_of(shares)
    if window.length <= 2 * SLACK:
        return {}
    narrower = Window(window.start + SLACK, window.end - SLACK)
    least: Counter[str] = Counter()
    most: Counter[str] = Counter()
    for share in shares:
        for date, user, minutes in share.logged:
            is_sure = narrower.start + SLACK <= date < narrower.end - SLACK
            least[user] += minutes if is_sure else min(0, minutes)
            most[user] += minutes if is_sure else max(0, minutes)
    sums = read_minutes_by_user(context.api, narrower)
    return {
        user: {
            "userId": user,
            "lakeMinutesLeast": least[user],
            "lakeMinutesMost": most[user],
            "apiMinutes": sums.get(user, 0),
        }
        for user in sums.keys() | most.keys()
        if not least[user] <= sums.get(user, 0) <= most[user]
    }


def trace(
    context: WorkerContext, shares: Sequence[PageShare], users: Collection[str]
) -> list[Sequence[PageShare]]:
    """Find the narrowest windows, each of a page or more, in which these users' minutes differ."""
    found: list[Sequence[PageShare]] = []
    todo = [shares]
    queries, until = 0, context.clock() + MAX_TRACE_TIME
    while todo:
        some = todo.pop()
        guilty: list[Sequence[PageShare]] = []
        if len(some) > 1 and queries < MAX_TRACE_QUERIES and context.clock() < until:
            queries += 2
            halves = some[: len(some) // 2], some[len(some) // 2 :]
            guilty = [half for half in halves if _find_difference(context, half, users)]
        if guilty:
            todo.extend(reversed(guilty))
        else:
            found.append(some)
    return found


def window_of(shares: Sequence[PageShare]) -> Window:
    """The window that neighbouring shares cover."""
    return Window(shares[0].window.start, shares[-1].window.end)


def _find_difference(
    context: WorkerContext, shares: Sequence[PageShare], users: Collection[str]
) -> bool:
    try:
        return not find_differing_users(context, shares).keys().isdisjoint(users)
    except PermanentError:
        return False  # the report then names the wider window, whose sums were readable
