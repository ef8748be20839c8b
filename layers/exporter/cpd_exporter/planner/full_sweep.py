"""The full sweep: all that is exported is read again, spread evenly, behind everything else."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cpd_exporter.model.page import Page
from cpd_exporter.model.timestamps import floor_second
from cpd_exporter.model.watermark import FullSweep, Watermark
from cpd_exporter.planner.sweep_planner import SweepPlanner
from cpd_exporter.ports import Clock, PlannerTimeline

_ROUND_TENTHS = 8
"""Tenths of the interval that a round takes: the rest is for what delays it."""

_RECENT_TENTHS = 1
"""Tenths of the interval: the round passes over pages that were read within them.

A round and this time together are shorter than the interval, so no page waits for longer.
"""

_STEP = timedelta(hours=1)
"""The round goes on in steps, so that one sweep can take many small pages."""


@dataclass(frozen=True, slots=True)
class FullSweepPlanner:
    """Reserves sweeps at the pace that reads everything within each ``interval``."""

    timeline: PlannerTimeline
    sweep_planner: SweepPlanner
    clock: Clock
    interval: timedelta

    def plan(self, watermark: Watermark, sweeps: list[Page], max_sweeps: int) -> None:
        """Add sweeps until there are ``max_sweeps``, or until the round is on time."""
        if not self.interval or watermark.exported_from == watermark.exported_through:
            return
        now = self.clock()
        start = watermark.exported_from
        # Where the full sweep was off, nobody knows; no window was read before its own time.
        read_since = watermark.origin if watermark.follow_up else now
        progress = watermark.full_sweep or FullSweep(now, start, read_since)
        if progress.origin is None:
            progress = replace(progress, origin=start)
        target = self._target(watermark, progress, now)
        cursor = max(progress.cursor, start)
        if target > cursor:
            cursor = self.sweep_planner.reserve_through(
                cursor, target, watermark, sweeps, max_sweeps, read_before=now - self._recent
            )
        progress = replace(progress, cursor=cursor)
        progress = replace(progress, read_since=self._read_since(watermark, progress))
        if cursor >= target == watermark.exported_through:
            progress = FullSweep(
                now, start, progress.read_since, progress.started_at, start, progress.origin
            )
        if progress != watermark.full_sweep:
            self.timeline.update_watermark(watermark, replace(watermark, full_sweep=progress))

    @property
    def _round(self) -> timedelta:
        return self.interval * _ROUND_TENTHS / 10

    @property
    def _recent(self) -> timedelta:
        return self.interval * _RECENT_TENTHS / 10

    def _target(self, watermark: Watermark, progress: FullSweep, now: datetime) -> datetime:
        """How far the round should be by now."""
        origin = progress.origin or watermark.exported_from
        share = (now - progress.started_at) // _STEP * _STEP / self._round
        length = watermark.exported_through - origin
        return floor_second(origin + length * min(max(share, 0.0), 1.0))

    def _read_since(self, watermark: Watermark, progress: FullSweep) -> datetime:
        """When the oldest reading was made: the page next in turn was last visited by the round
        before, at the pace of that round.
        """
        if progress.previous_at is None:
            return progress.read_since
        origin = progress.previous_origin or watermark.exported_from
        length = watermark.exported_through - origin
        # A backfill read what is before the origin of the round before.
        share = min(1.0, max(0.0, (progress.cursor - origin) / length))
        visited = progress.previous_at + self._round * share
        return max(progress.read_since, min(visited, progress.started_at) - self._recent)
