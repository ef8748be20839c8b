"""Windows in the local time of a zone, for an API that filters by it.

Where a clock is set back, it shows some hours twice. How the API reads such a time is unknown, so
a bound that falls into these hours is widened to include both readings.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Self

from cpd_exporter.errors import AmbiguousBoundError
from cpd_exporter.model.timestamps import SECOND
from cpd_exporter.model.window import Window


@dataclass(frozen=True, slots=True)
class LocalBounds:
    """The bounds of a query as the zone's clock shows them, without a zone.

    ``span`` holds all instants that the bounds may mean. It equals the window, or is wider where a
    bound falls into hours that the clock shows twice.
    """

    start: datetime
    end: datetime
    span: Window

    def exact(self, window: Window) -> Self:
        """The bounds, if they mean the window and nothing else. Raises ``AmbiguousBoundError``."""
        if self.span != window:
            raise AmbiguousBoundError(
                f"a bound of {window} lies in hours that the clock of the filter's time zone shows "
                "twice, so the API's sums may hold entries from beyond"
            )
        return self


def local_bounds(window: Window, zone: tzinfo) -> LocalBounds:
    """The bounds that include the whole window, whichever way the API reads repeated hours.

    A window's bound is an instant, so it never falls into hours that the clock skips.
    """
    start = min(_clock_times(window.start, zone))
    end = max(_clock_times(window.end, zone))
    return LocalBounds(start, end, Window(min(_instants(start, zone)), max(_instants(end, zone))))


def is_divisible(window: Window, zone: tzinfo) -> bool:
    """Whether queries of the window's parts would be narrower than one of the whole.

    In hours that the clock shows twice, a query of any part includes both readings.
    """
    beyond = local_bounds(window, zone).span.length - window.length
    return window.length >= 2 * SECOND and window.length > beyond


def _clock_times(instant: datetime, zone: tzinfo) -> Iterator[datetime]:
    """The clock's time at an instant by each UTC offset with which that time can be read."""
    local = instant.astimezone(zone)
    for fold in (0, 1):
        offset = local.replace(fold=fold).utcoffset()
        assert offset is not None  # noqa: S101  # a zone of ``zoneinfo`` always has one
        yield (instant + offset).replace(tzinfo=None)


def _instants(clock_time: datetime, zone: tzinfo) -> Iterator[datetime]:
    """The instants at which the clock shows a time, by either reading."""
    for fold in (0, 1):
        yield clock_time.replace(tzinfo=zone, fold=fold).astimezone(UTC)
