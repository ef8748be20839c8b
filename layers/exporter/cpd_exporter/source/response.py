"""One response of the API, checked against the window that was asked for."""

from cpd_exporter.errors import FilterError, OversizedResponseError
from cpd_exporter.model.entry import Listing
from cpd_exporter.model.timestamps import SECOND, format_instant
from cpd_exporter.model.window import Window
from cpd_exporter.ports import EntriesApi

MAX_PER_PAGE = 1000
"""The largest page size that the API documents."""

SLACK = SECOND
"""How much wider than its window a query is, on both sides: the API's bounds are inclusive or not,
and compared by the second or the millisecond.
"""


def query_window(
    api: EntriesApi,
    asked: Window,
    *,
    page: int = 1,
    per_page: int = MAX_PER_PAGE,
) -> Listing:
    """Ask for one response, every row of which lies where the filter could have put it.

    Raises ``FilterError`` for a row outside the window that the bounds may mean, widened by the
    slack.
    """
    listing = api.query(asked, page=page, per_page=per_page)
    believable = (listing.span or asked).widened(SLACK)
    dates = [record.date for record in listing.records if record.date is not None]
    for date in (min(dates), max(dates)) if dates else ():
        if date not in believable:
            raise FilterError(
                f"asked for {asked}, the API answered an entry of {format_instant(date)}. "
                "Its date filter does not work as assumed, so nothing of this answer is stored. "
                "If it filters in another time zone, set FilterTimeZone to that zone"
            )
    return listing


def query_fitting(api: EntriesApi, asked: Window, per_page: int) -> tuple[Listing, int]:
    """The first response with as few rows as its size demands, and that number of rows."""
    while True:
        try:
            return query_window(api, asked, per_page=per_page), per_page
        except OversizedResponseError:
            if per_page == 1:
                raise
            per_page //= 2
