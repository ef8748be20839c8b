"""Checks that the API's date filter finds an entry that the API lists without a filter.

A filter in another time zone, or one that returns nothing, looks like an empty API.
"""

from datetime import UTC, datetime, timedelta

from cpd_exporter.errors import FilterError, MalformedResponseError
from cpd_exporter.model.entry import Entry
from cpd_exporter.model.timestamps import SECOND, floor_second, format_instant
from cpd_exporter.model.window import Window
from cpd_exporter.ports import EntriesApi
from cpd_exporter.source.response import MAX_PER_PAGE, query_fitting

_FILTER_CHECK_SAMPLES = ((1, 100), (1, 1), (2, 1), (3, 1))
"""Offset pages and page sizes. An entry that spoils every listing with it does not spoil them all."""

_FILTER_CHECK_SINCE = datetime(1970, 1, 1, tzinfo=UTC)
"""The earliest date that counts; an earlier one is a slip of somebody's hand.

Entries before the first date to export count: they may be all that the API lists without a filter.
"""


def check_filter(api: EntriesApi, slack: timedelta, *, until: datetime) -> bool:
    """Ask the filter for the second of an entry that the API lists without a filter.

    ``False``: no entry from before ``until`` is there to check it with. Raises ``FilterError`` if
    the filter finds none of several entries, and ``MalformedResponseError`` if no answer can be
    read.
    """
    fault: MalformedResponseError | FilterError | None = None
    for page, per_page in _FILTER_CHECK_SAMPLES:
        try:
            listed = api.query(None, page=page, per_page=per_page).records
            usable = (
                e for e in listed if isinstance(e, Entry) and _FILTER_CHECK_SINCE <= e.date < until
            )
            sample = max(usable, key=lambda e: e.date, default=None)
            if sample is None:
                break
            if _find(api, slack, sample):
                return True
        except (MalformedResponseError, FilterError) as error:
            fault = error
    if fault is not None:
        raise fault
    return False


def _find(api: EntriesApi, slack: timedelta, sample: Entry) -> bool:
    """Find an entry by its second; ``False`` if it is gone by now."""
    second = Window(floor_second(sample.date), floor_second(sample.date) + SECOND)
    found, _ = query_fitting(api, second.widened(slack), slack, MAX_PER_PAGE)
    # A full response may leave out any entry, but all of its rows lie in the window.
    full = len(found.records) >= found.per_page
    if full or any(record.id == sample.id for record in found.records):
        return True
    still = api.entry(sample.id)
    if isinstance(still, Entry) and still.date == sample.date:
        raise FilterError(
            f"the API has an entry at {format_instant(sample.date)}, but a query for that second "
            f"(widened by {slack // SECOND} s) does not list it. If it filters in another "
            "time zone, set FilterSlackSeconds to at least the difference"
        )
    return False
