"""Pages, jobs and refusals as members of ``status``: JSON, with instants in RFC 3339."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from cpd_exporter.model.job import EndedJob, Job, JobKind, LookUp
from cpd_exporter.model.page import Page
from cpd_exporter.model.refusal import Refusal
from cpd_exporter.model.timestamps import age_seconds, format_instant
from cpd_exporter.model.watermark import Watermark

MAX_LISTED_LOOK_UPS = 100
"""Entries of one ended refresh that ``status`` lists, those without a sweep first."""

_DAY = timedelta(days=1)


def hole(page: Page) -> dict[str, Any]:
    """A page that keeps failing for a reason of its own."""
    return _window(page) | {
        "error": page.error,
        "since": text(page.hole_since),
        "attempts": page.attempts,
    }


def unread_page(page: Page) -> dict[str, Any]:
    """An exported page that the last sweep could not read again, or of which it could not look all
    missing entries up.
    """
    return _window(page) | {
        "error": page.error,
        "since": text(page.updated_at),
        "readAt": text(page.read_at),
    }


def held_page(page: Page, deletions: int) -> dict[str, Any]:
    """A page that holds deletions back."""
    return _window(page) | {
        "deletions": deletions,
        "reason": "more deletions than MaxDeletionsPerDay allows: "
        '{"command": "confirm-deletions"} publishes them',
    }


def quarantined(pages: Sequence[Page]) -> list[dict[str, Any]]:
    """The quarantined records that the pages name, with their lake keys and faults."""
    return [
        _window(page) | {"key": key, "fault": fault}
        for page in pages
        for key, fault in page.faults.items()
    ]


def refused(refusal: Refusal) -> dict[str, Any]:
    """A refused event. ``object`` is the lake key of its row."""
    return {
        "start": format_instant(refusal.window.start),
        "end": format_instant(refusal.window.end),
        "error": f"entry {refusal.entry_id}: {refusal.error}",
        "since": format_instant(refusal.since),
        "object": refusal.object,
    }


def job_under_way(job: Job, watermark: Watermark | None, now: datetime) -> dict[str, Any]:
    """A job, and how far it is: per cent, rate, and seconds left at that rate.

    A backfill is as far as the export reaches back, since workers may be far behind its plan. A
    replay of a span of storing reads on to the last object, since a row may be written late.
    """
    cursor = job.cursor
    if job.kind is JobKind.BACKFILL and watermark:
        cursor = max(job.start, min(job.end, watermark.exported_from))
        done, whole, unit = (job.end - cursor) / _DAY, (job.end - job.start) / _DAY, "days"
    elif job.kind is JobKind.REFRESH:
        done, whole, unit = float(job.position), float(len(job.entry_ids)), "entries"
    else:
        end = max(job.end, now) if job.kind is JobKind.REPLAY_STORED else job.end
        cursor = max(job.start, cursor)
        done, whole, unit = (cursor - job.start) / _DAY, (end - job.start) / _DAY, "days"
    hours = (now - job.requested_at) / timedelta(hours=1)
    rate = done / hours if hours > 0 else 0.0
    described: dict[str, Any] = {
        "name": job.name,
        "start": format_instant(job.start),
        "end": format_instant(job.end),
        "cursor": format_instant(cursor),
        "since": format_instant(job.requested_at),
        "percent": round(100 * done / whole, 1) if whole > 0 else None,
        "rate": f"{_few_digits(rate)} {unit} an hour" if rate > 0 else None,
        "secondsLeft": round(3600 * max(0, whole - done) / rate) if rate > 0 else None,
        "counts": dict(job.counts),
        "error": job.error,
    }
    if job.kind is JobKind.REFRESH:
        described |= {"position": job.position, "entries": len(job.entry_ids)}
    elif job.kind is JobKind.PING:
        described |= {"queueArn": job.queue_arn, "attributes": dict(job.attributes)}
    return described


def ended_job(job: EndedJob) -> dict[str, Any]:
    """A job that ended; of a refresh, what became of each entry."""
    described: dict[str, Any] = {
        "name": job.name,
        "outcome": job.outcome.value,
        "endedAt": format_instant(job.ended_at),
        "seconds": age_seconds(job.requested_at, job.ended_at),
        "counts": dict(job.counts),
        "report": job.report,
        "error": job.error,
    }
    if job.kind is JobKind.REFRESH:
        looked_up = list(zip(job.entry_ids, job.found, strict=False))
        looked_up.sort(key=lambda one: one[1] is LookUp.REQUESTED)
        described["entries"] = {id_: found.value for id_, found in looked_up[:MAX_LISTED_LOOK_UPS]}
    return described


def text(instant: datetime | None) -> str | None:
    """An instant that may be unknown."""
    return format_instant(instant) if instant else None


def _window(page: Page) -> dict[str, Any]:
    return {"start": format_instant(page.window.start), "end": format_instant(page.window.end)}


def _few_digits(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.3g}"
