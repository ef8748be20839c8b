"""Counts the entries of a window, as far as the API's totals can be believed."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from cpd_exporter.errors import PermanentError, ServerError
from cpd_exporter.model.window import Window
from cpd_exporter.ports import EntriesApi
from cpd_exporter.source.response import SLACK, query_window

_PARTS = 8
"""Parts of a window that the API cannot count as a whole."""


@dataclass(frozen=True, slots=True)
class Count:
    """A window holds at least ``total`` entries. ``served_at`` is the API's clock, if sent.

    ``has_record``: the response had a record, so the window cannot be empty. A total alone may be
    wrong.
    """

    total: int
    served_at: datetime | None
    has_record: bool


def count(api: EntriesApi, window: Window) -> Count:
    """Ask for a window's total. It is zero only if no row contradicts it."""
    listing = query_window(api, window.widened(SLACK), per_page=1)
    records = len(listing.records)
    return Count(max(listing.total, records), listing.served_at, has_record=records > 0)


def count_part(api: EntriesApi, window: Window) -> Count | None:
    """Count the first part that can be counted, of a window that cannot be counted as a whole.

    Then a record within the window is at fault. ``None``: no part can be counted, so the API is.
    """
    for part in window.split(_PARTS):
        with suppress(PermanentError, ServerError):
            return count(api, part)
    return None
