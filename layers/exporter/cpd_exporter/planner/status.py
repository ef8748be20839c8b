"""The state of one tenant's export, as the operator reads it."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from cpd_exporter.model.job import Job
from cpd_exporter.model.page import Page, PageState
from cpd_exporter.model.refusal import Refusal
from cpd_exporter.model.timestamps import format_instant
from cpd_exporter.model.watermark import Watermark
from cpd_exporter.planner.planner import Answer, TickReport
from cpd_exporter.ports import Clock, StatusTimeline

_SWEEP_STATES = (PageState.OPEN, PageState.WRITING, PageState.STORED)


def read_status(timeline: StatusTimeline, clock: Clock) -> dict[str, Any]:
    """Read one tenant's state as JSON: instants in RFC 3339, lag in seconds."""
    watermark = timeline.watermark()
    states: Counter[PageState] = Counter()
    holes: list[dict[str, Any]] = []
    held: list[dict[str, Any]] = []
    quarantined = 0
    sweeps: Counter[PageState] = Counter()
    if watermark is not None:
        for page in timeline.pages(watermark.origin):
            states[page.state] += 1
            quarantined += page.quarantined
            if page.hole_since is not None:
                holes.append(_hole(page, page.hole_since))
            if page.held:
                held.append(_held(page))
        for sweep in timeline.sweeps():
            sweeps[sweep.state] += 1
            if sweep.hole_since is not None:
                holes.append(_hole(sweep, sweep.hole_since))
        holes.extend(_refused(refusal) for refusal in timeline.refusals())
    tick = watermark.last_tick if watermark else None
    return {
        "tenantId": timeline.tenant_id,
        "exportedFrom": _text(watermark.exported_from if watermark else None),
        "exportedThrough": _text(watermark.exported_through if watermark else None),
        "plannedThrough": _text(watermark.planned_through if watermark else None),
        "lagSeconds": age_seconds(watermark.exported_through, clock()) if watermark else None,
        "pages": {state.value: states[state] for state in PageState},
        "sweeps": {state.value: sweeps[state] for state in _SWEEP_STATES},
        "jobs": [_job(job) for job in timeline.jobs()],
        "heldDeletions": held,
        "quarantined": quarantined,
        "holes": holes,
        "filterCheckedAt": _text(watermark.filter_checked_at if watermark else None),
        "filterWarning": _filter_warning(watermark),
        "lastTick": {"at": format_instant(tick.at), "error": tick.error} if tick else None,
    }


def age_seconds(since: datetime, now: datetime) -> int:
    """The whole seconds between two instants."""
    return int((now - since).total_seconds())


def answer_json(answer: Answer) -> dict[str, Any]:
    """A command's answer as JSON: the tick's result, or the error and the accepted command."""
    if answer.error is None and answer.tick is not None:
        return {"tenants": [_tick(answer.tick) | dict(answer.accepted)]}
    error = answer.error
    body = {"error": {"type": type(error).__name__, "message": str(error)}}
    return body | ({"accepted": dict(answer.accepted)} if answer.accepted else {})


def tick_metrics(report: TickReport, now: datetime) -> Mapping[str, int]:
    """The metrics of a tick. A name that ends in ``Seconds`` says its unit; the others count."""
    return {
        "PagesPlanned": report.planned,
        "PagesSent": report.sent,
        "PagesUndone": report.undone,
        "Holes": report.holes,
        "LagSeconds": age_seconds(report.exported_through, now),
        "HoleAgeSeconds": age_seconds(report.oldest_hole or now, now),
        "FilterWarnings": int(report.filter_warning is not None),
    }


def _tick(report: TickReport) -> dict[str, Any]:
    return {
        "tenantId": report.tenant_id,
        "planned": report.planned,
        "sent": report.sent,
        "undone": report.undone,
        "sweeps": report.sweeps,
        "jobs": report.jobs,
        "holes": report.holes,
        "plannedThrough": format_instant(report.planned_through),
        "exportedThrough": format_instant(report.exported_through),
        "filterWarning": report.filter_warning,
    }


def _filter_warning(watermark: Watermark | None) -> dict[str, Any] | None:
    warning = watermark.filter_warning if watermark else None
    return {"at": format_instant(warning.at), "message": warning.message} if warning else None


def _hole(page: Page, since: datetime) -> dict[str, Any]:
    return {
        "start": format_instant(page.window.start),
        "end": format_instant(page.window.end),
        "error": page.error,
        "since": format_instant(since),
        "attempts": page.attempts,
    }


def _held(page: Page) -> dict[str, Any]:
    return {
        "start": format_instant(page.window.start),
        "end": format_instant(page.window.end),
        "deletions": page.held,
        "reason": "more deletions than MaxDeletionsPerDay allows: "
        '{"command": "confirm-deletions"} publishes them',
    }


def _job(job: Job) -> dict[str, Any]:
    return {
        "name": job.name,
        "start": format_instant(job.start),
        "end": format_instant(job.end),
        "cursor": format_instant(job.cursor),
        "since": format_instant(job.requested_at),
        "error": job.error,
    }


def _refused(refusal: Refusal) -> dict[str, Any]:
    return {
        "start": format_instant(refusal.window.start),
        "end": format_instant(refusal.window.end),
        "error": f"entry {refusal.entry_id}: {refusal.error}",
        "since": format_instant(refusal.since),
    }


def _text(instant: datetime | None) -> str | None:
    return format_instant(instant) if instant else None
