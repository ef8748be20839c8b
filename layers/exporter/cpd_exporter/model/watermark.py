"""The watermark over the timeline, and the planner's last tick."""

from dataclasses import dataclass
from datetime import datetime

from cpd_exporter.model.reconciliation import Reconciliation


@dataclass(frozen=True, slots=True)
class Tick:
    """The planner's last run: when it was, and the error that stopped it, if any."""

    at: datetime
    error: str | None = None


@dataclass(frozen=True, slots=True)
class FullSweep:
    """The full sweep: its round began at ``started_at`` and is done up to ``cursor``.

    All that is exported was read at ``read_since`` or later. The round before began at
    ``previous_at``. The export reached back to ``origin`` when the round began, and to
    ``previous_origin`` when the one before did: what a backfill adds later belongs to the next one.
    """

    started_at: datetime
    cursor: datetime
    read_since: datetime
    previous_at: datetime | None = None
    origin: datetime | None = None
    previous_origin: datetime | None = None


@dataclass(frozen=True, slots=True)
class FollowUpSweep:
    """The sweep of ``[start, end)``, whose export or backfill ended at ``ended_at``.

    ``requested_at`` is when the planner stored its job; ``None``: it is not due yet.
    """

    start: datetime
    end: datetime
    ended_at: datetime
    requested_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class FilterWarning:
    """Why the last check of the API's filter is incomplete, and when that was.

    ``contradicts``: the filter does not find what the API lists, so nothing is planned.
    """

    at: datetime
    message: str
    contradicts: bool = False


@dataclass(frozen=True, slots=True)
class Watermark:
    """How far the export is.

    ``[exported_from, exported_through)`` is exported but for its holes. Pages tile
    ``[origin, planned_through)``. The random ``timeline_id`` is part of every lake key, so that no
    two timelines of one tenant share a key. ``follow_up`` is ``None`` until the first export ends.
    The filter passed its last complete check at ``filter_checked_at``, in ``filter_time_zone``.
    ``api_notice`` is what the API last said of its own end.
    """

    timeline_id: str
    origin: datetime
    planned_through: datetime
    exported_from: datetime
    exported_through: datetime
    filter_checked_at: datetime | None = None
    last_tick: Tick | None = None
    full_sweep: FullSweep | None = None
    follow_up: FollowUpSweep | None = None
    reconciliation: Reconciliation | None = None
    filter_time_zone: str | None = None
    filter_warning: FilterWarning | None = None
    api_notice: str | None = None
