"""The watermark over the timeline, and the planner's last tick."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Tick:
    """The planner's last run: when it was, and the error that stopped it, if any."""

    at: datetime
    error: str | None = None


@dataclass(frozen=True, slots=True)
class FilterWarning:
    """Why the last check of the API's filter is incomplete, and when that was."""

    at: datetime
    message: str


@dataclass(frozen=True, slots=True)
class Watermark:
    """How far the export is.

    ``[exported_from, exported_through)`` is exported but for its holes. Pages tile
    ``[origin, planned_through)``. The random ``timeline_id`` is part of every lake key, so that no
    two timelines of one tenant share a key.
    """

    timeline_id: str
    origin: datetime
    planned_through: datetime
    exported_from: datetime
    exported_through: datetime
    filter_checked_at: datetime | None = None
    last_tick: Tick | None = None
    filter_warning: FilterWarning | None = None
