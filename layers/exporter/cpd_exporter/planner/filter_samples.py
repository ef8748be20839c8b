"""Where the check of the filter takes its samples from: recent time and pages with entries."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice

from cpd_exporter.model.page import PageState
from cpd_exporter.model.timestamps import floor_second
from cpd_exporter.model.watermark import Watermark
from cpd_exporter.model.window import Window
from cpd_exporter.ports import PageStore
from cpd_exporter.source.filter_check import Place

MAX_SCANNED_PAGES = 2000
"""Pages that are looked through for some with entries."""

_MAX_PLACES = 3
_HOUR = timedelta(hours=1)
_DAY = timedelta(days=1)
_MONTH = timedelta(days=31)
_SEASONS = ((5, 5), (12, 3))
"""First month, and months, of the two seasons in which no zone of today changes its clock."""


def sample_places(pages: PageStore, watermark: Watermark, until: datetime) -> list[list[Place]]:
    """Groups of alternative places: recent ones, then those of each season.

    A zone with summer time is right for one half of the year, so each half has samples. The API is
    asked for everything only where no window has a sample.
    """
    until = floor_second(until)
    recent: list[Place] = [Window(until - _HOUR, until), Window(until - _DAY, until)]
    newest = _windows_with_entries(pages, watermark.origin, watermark.planned_through)
    if latest := list(islice(newest, _MAX_PLACES)):
        # A filter that is some hours off lists an entry nearby.
        recent += [*latest, latest[0].widened(_DAY)]
    else:
        recent += [Window(until - _MONTH, until)]
    return [[*recent, None], *(_season(pages, *season, until) for season in _SEASONS)]


def _season(pages: PageStore, month: int, months: int, until: datetime) -> list[Place]:
    """Windows with entries of the season, then its time: this year's so far, and last year's."""
    first = datetime(until.year, month, 1, tzinfo=UTC)
    if first >= until:
        first = first.replace(year=first.year - 1)
    places: list[Place] = []
    for start in (first, first.replace(year=first.year - 1)):
        end = start.replace(
            year=start.year + (month + months - 1) // 12, month=(month + months - 1) % 12 + 1
        )
        season = Window(start, min(end, until))
        newest = _windows_with_entries(pages, season.start, season.end)
        places += [*islice(newest, _MAX_PLACES - 1), season]
    return places


def _windows_with_entries(pages: PageStore, start: datetime, end: datetime) -> Iterator[Window]:
    """The windows of done pages with entries that begin in ``[start, end)``, the latest first."""
    for page in islice(pages.pages_before(end), MAX_SCANNED_PAGES):
        if page.window.start < start:
            return
        if page.state is PageState.DONE and page.entries:
            yield page.window
