"""The sweep that follows a first export and each backfill: all that was new is read once more.

It begins a day later: an API that leaves out entries for some hours lists them by then.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from cpd_exporter.model.job import Job, JobKind
from cpd_exporter.model.timestamps import format_instant
from cpd_exporter.model.watermark import FollowUpSweep, Watermark
from cpd_exporter.ports import NewToken, PlannerTimeline

FOLLOW_UP_DELAY = timedelta(days=1)

_UP_TO_DATE = timedelta(days=1)
"""A first export has ended once the watermark is at the planned end, not further behind now."""

_NEARLY = timedelta(hours=1)
"""Where new entries come all the time, the last page is never done: so far behind now is enough."""


def note_first_export(timeline: PlannerTimeline, watermark: Watermark, now: datetime) -> None:
    """Note the end of the first export."""
    through = watermark.exported_through
    behind = _UP_TO_DATE if through == watermark.planned_through else _NEARLY
    is_exported = watermark.exported_from < through and now - through < behind
    if watermark.follow_up is None and is_exported:
        ended = FollowUpSweep(watermark.exported_from, through, now)
        timeline.update_watermark(watermark, replace(watermark, follow_up=ended))


def note_backfill(timeline: PlannerTimeline, watermark: Watermark, job: Job, now: datetime) -> bool:
    """Note the end of a backfill, in one range with what still waits for its sweep.

    ``False``: another tick has changed the watermark.
    """
    before = watermark.follow_up
    start, end = job.start, job.end
    if before is None:
        return True  # the end of the first export will cover it
    if before.requested_at is None:
        start, end = min(start, before.start), max(end, before.end)
    noted = replace(watermark, follow_up=FollowUpSweep(start, end, now))
    return timeline.update_watermark(watermark, noted)


def request_follow_up(
    timeline: PlannerTimeline, watermark: Watermark, now: datetime, new_token: NewToken
) -> None:
    """Store the sweep as a job, once it is due."""
    due = watermark.follow_up
    if due is None or due.requested_at is not None or now < due.ended_at + FOLLOW_UP_DELAY:
        return
    name = f"sweep:follow-up:{format_instant(due.start)}/{format_instant(due.end)}"
    job = Job(name, JobKind.SWEEP, due.start, due.end, due.start, now, new_token())
    timeline.add_job(job)
    requested = replace(due, requested_at=now)
    timeline.update_watermark(watermark, replace(watermark, follow_up=requested))
