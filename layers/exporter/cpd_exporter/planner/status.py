"""The state of one tenant's export, as the operator reads it."""

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from itertools import islice
from typing import Any

from cpd_exporter.model.job import Job, JobKind
from cpd_exporter.model.page import Page, PageFlag, PageState
from cpd_exporter.model.refusal import Refusal
from cpd_exporter.model.timestamps import format_instant
from cpd_exporter.model.watermark import Watermark
from cpd_exporter.planner.backlog import MAX_UNDONE_PAGES
from cpd_exporter.planner.held_deletions import MAX_FLAGGED_PAGES
from cpd_exporter.planner.refusals import MAX_COUNTED_REFUSALS
from cpd_exporter.planner.report import Answer, TickReport
from cpd_exporter.ports import Clock, StatusTimeline

MAX_LISTED_REFUSALS = 20

_UNDONE_STATES = (PageState.OPEN, PageState.WRITING, PageState.STORED)

MAX_LISTED_HELD_PAGES = 100
"""Pages with held deletions that ``status`` lists; ``deletionsHeld`` counts those of all it reads.
"""


def read_status(timeline: StatusTimeline, clock: Clock) -> dict[str, Any]:
    """Read one tenant's state as JSON: instants in RFC 3339, lag in seconds.

    It reads a bounded number of undone pages and of flagged ones: its time grows neither with the
    timeline nor with the work that is left. ``morePages`` says whether it left undone pages out.
    """
    watermark = timeline.watermark()
    states: Counter[PageState] = Counter()
    holes: list[dict[str, Any]] = []
    held: list[dict[str, Any]] = []
    quarantined = deletions_held = 0
    more_pages = False
    breaker = timeline.breaker()
    sweeps: Counter[PageState] = Counter()
    if watermark is not None:
        undone = timeline.undone()
        for page in islice(undone, MAX_UNDONE_PAGES):
            states[page.state] += 1
            quarantined += page.quarantined
            if page.hole_since is not None:
                holes.append(_hole(page, page.hole_since))
        more_pages = next(undone, None) is not None
        for page in islice(timeline.flagged(PageFlag.QUARANTINED), MAX_FLAGGED_PAGES):
            quarantined += page.quarantined
        for page in islice(timeline.flagged(PageFlag.HELD), MAX_FLAGGED_PAGES):
            quarantined += page.quarantined
            deletions = breaker.count_held(page.missing) if breaker else 0
            deletions_held += deletions
            if deletions and len(held) < MAX_LISTED_HELD_PAGES:
                held.append(_held(page, deletions))
        for sweep in timeline.sweeps():
            sweeps[sweep.state] += 1
            if sweep.hole_since is not None:
                holes.append(_hole(sweep, sweep.hole_since))
    refusals = list(islice(timeline.refusals(), MAX_COUNTED_REFUSALS))
    holes.extend(map(_refused, refusals[:MAX_LISTED_REFUSALS]))
    tick = watermark.last_tick if watermark else None
    return {
        "tenantId": timeline.tenant_id,
        "exportedFrom": _text(watermark.exported_from if watermark else None),
        "exportedThrough": _text(watermark.exported_through if watermark else None),
        "plannedThrough": _text(watermark.planned_through if watermark else None),
        "lagSeconds": age_seconds(watermark.exported_through, clock()) if watermark else None,
        "pages": {state.value: states[state] for state in _UNDONE_STATES},
        "morePages": more_pages,
        "sweeps": {state.value: sweeps[state] for state in _UNDONE_STATES},
        "jobs": [_job(job) for job in timeline.jobs()],
        "fullSweep": _full_sweep(watermark, clock()),
        "reconciliation": _reconciliation(watermark),
        "deletionsHeld": deletions_held,
        "deletionsHeldSince": _text(breaker.opened_at if breaker else None),
        "heldDeletions": held,
        "quarantined": quarantined,
        "holes": holes,
        "refusedEvents": len(refusals),
        "filterCheckedAt": _text(watermark.filter_checked_at if watermark else None),
        "filterWarning": _filter_warning(watermark),
        "apiNotice": watermark.api_notice if watermark else None,
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
    """The metrics of a tick. A name that ends in ``Seconds`` says its unit; the others count.

    A metric costs as much as three alarms for each hour that it is emitted in. So only the lag is
    emitted always, and the others while there is something to tell.
    """
    metrics = {"LagSeconds": age_seconds(report.exported_through, now)}
    if report.oldest_hole is not None:
        metrics["HoleAgeSeconds"] = age_seconds(report.oldest_hole, now)
    warnings = (report.filter_warning is not None) + (report.api_notice is not None)
    if warnings:
        metrics["ApiWarnings"] = warnings
    if report.difference:
        metrics["ReconcileDifference"] = report.difference
    if report.held:
        metrics["DeletionsHeld"] = report.held
    return metrics


def tick_fields(report: TickReport, now: datetime) -> Mapping[str, int | None]:
    """The log fields of a tick beside its answer."""
    hole, reading = report.oldest_hole, report.oldest_reading
    return {
        "lagSeconds": age_seconds(report.exported_through, now),
        "holeAgeSeconds": age_seconds(hole, now) if hole else None,
        "oldestReadingSeconds": age_seconds(reading, now) if reading else None,
        "reconcileDifference": report.difference,
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
        "deletionsHeld": report.held,
        "plannedThrough": format_instant(report.planned_through),
        "exportedThrough": format_instant(report.exported_through),
        "filterWarning": report.filter_warning,
        "apiNotice": report.api_notice,
    }


def _full_sweep(watermark: Watermark | None, now: datetime) -> dict[str, Any] | None:
    progress = watermark.full_sweep if watermark else None
    if progress is None:
        return None
    return {
        "roundStarted": format_instant(progress.started_at),
        "roundThrough": format_instant(progress.cursor),
        "oldestReading": format_instant(progress.read_since),
        "oldestReadingSeconds": age_seconds(progress.read_since, now),
    }


def _reconciliation(watermark: Watermark | None) -> dict[str, Any] | None:
    last = watermark.reconciliation if watermark else None
    if last is None:
        return None
    return {
        "begun": format_instant(last.begun_at),
        "step": last.step.value,
        "differsSince": _text(last.differs_since),
        "difference": last.difference,
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


def _held(page: Page, deletions: int) -> dict[str, Any]:
    return {
        "start": format_instant(page.window.start),
        "end": format_instant(page.window.end),
        "deletions": deletions,
        "reason": "more deletions than MaxDeletionsPerDay allows: "
        '{"command": "confirm-deletions"} publishes them',
    }


def _job(job: Job) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": job.name,
        "start": format_instant(job.start),
        "end": format_instant(job.end),
        "cursor": format_instant(job.cursor),
        "since": format_instant(job.requested_at),
        "error": job.error,
    }
    if job.kind is JobKind.REFRESH:
        described |= {"position": job.position, "entries": len(job.entry_ids)}
    return described


def _refused(refusal: Refusal) -> dict[str, Any]:
    return {
        "start": format_instant(refusal.window.start),
        "end": format_instant(refusal.window.end),
        "error": f"entry {refusal.entry_id}: {refusal.error}",
        "since": format_instant(refusal.since),
    }


def _text(instant: datetime | None) -> str | None:
    return format_instant(instant) if instant else None
