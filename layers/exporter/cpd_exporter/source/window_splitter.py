"""Splits a window that overflows where its rows lie, so that each part fits one response.

A survey decides how many calls an export takes, and never what the export holds: whatever the API
lists, the parts tile the window, and a worker reads each for itself.
"""

from collections import Counter

from cpd_exporter.errors import ExporterError
from cpd_exporter.model.row_places import RowPlaces
from cpd_exporter.model.timestamps import floor_second
from cpd_exporter.model.window import Window
from cpd_exporter.ports import EntriesApi
from cpd_exporter.source.dense_reader import Checkpoint
from cpd_exporter.source.response import SLACK, query_window
from cpd_exporter.source.window_reader import Overflow

MAX_SPLIT_PARTS = 16
"""Parts of one split. A window that seems to take more is split evenly: such a total may be absurd,
and even parts come down to a second in the fewest splits.
"""

_FILL = 0.95
"""The share of a response that a part fills if the rows at its ends were seen."""

_ESTIMATED_FILL = 0.85
"""The same if its ends are estimated."""

_SECONDS_BESIDE = 3
"""A response holds more than the part: the slack on both sides, and the second of a bound."""


def split_window(
    api: EntriesApi, window: Window, overflow: Overflow, checkpoint: Checkpoint
) -> list[Window]:
    """Split a window into two parts or more, none of which should overflow.

    A sorted listing shows only one end of the window. Unless its rows seem evenly spread, some more
    offset pages show the rest.
    """
    parts = _parts(overflow, _ESTIMATED_FILL)
    if not overflow.dates or parts > MAX_SPLIT_PARTS:
        return window.split(min(parts, MAX_SPLIT_PARTS))
    asked, seen = window.widened(SLACK), len(overflow.dates)
    places = RowPlaces(asked, overflow.total, overflow.dates)
    if places.is_sorted and not places.is_even(seen - 1, overflow.total, beside=seen):
        parts = _parts(overflow, _FILL)
        size = min(-(-overflow.total // parts), overflow.per_page)
        _survey(api, asked, places, seen, size, checkpoint)
    windows = window.split_at(places.bounds(-(-overflow.total // parts)))
    return windows if len(windows) > 1 else window.split(parts)


def _parts(overflow: Overflow, fill: float) -> int:
    densest = max(Counter(map(floor_second, overflow.dates)).values(), default=0)
    capacity = int(overflow.per_page * fill) - _SECONDS_BESIDE * densest
    return max(2, -(-overflow.total // max(capacity, overflow.per_page // 2, 1)))


def _survey(
    api: EntriesApi,
    asked: Window,
    places: RowPlaces,
    seen: int,
    size: int,
    checkpoint: Checkpoint,
) -> None:
    """Look at offset pages until the rows between those seen are evenly spread, or one page.

    Every other page is enough: each shows the end of the part before it, and its own. The survey
    saves no progress, so it ends where a save is due.
    """
    gaps = [(seen - 1, places.total)]
    while gaps and checkpoint.has_time_left() and not checkpoint.is_due:
        low, high = gaps.pop()
        known = round(low / size)
        pages = -(-high // size) - known
        if pages < 2 or places.is_even(low, high, beside=size):
            continue
        page = known + pages // 4 * 2 + 1
        try:
            listing = query_window(api, asked, page=page + 1, per_page=size)
        except ExporterError:
            return  # what is wrong meets the worker of the part
        dates = [record.date for record in listing.records if record.date is not None]
        if dates:
            first = page * min(size, listing.per_page)
            places.add(first, dates)
            gaps += [(first + len(dates) - 1, high), (low, first)]
