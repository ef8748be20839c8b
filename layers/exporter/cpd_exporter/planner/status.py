"""The state of one tenant's export, as the operator reads it."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

from cpd_exporter.errors import ExporterError
from cpd_exporter.model.job import Job, JobKind
from cpd_exporter.model.page import Page, PageFlag
from cpd_exporter.model.timestamps import age_seconds, format_instant
from cpd_exporter.model.watermark import Watermark
from cpd_exporter.planner.backlog import MAX_UNDONE_PAGES
from cpd_exporter.planner.description import (
    ended_job,
    held_page,
    hole,
    job_under_way,
    quarantined,
    refused,
    text,
    unread_page,
)
from cpd_exporter.planner.held_deletions import MAX_FLAGGED_PAGES
from cpd_exporter.planner.refusals import MAX_COUNTED_REFUSALS
from cpd_exporter.planner.report import Answer, TickReport
from cpd_exporter.planner.workload import Workload, count_states
from cpd_exporter.ports import Clock, Queue, StatusTimeline

MAX_RECENT_PAGES = 20
"""Pages at an end of the timeline that ``status`` reads to see when a worker wrote last."""

MAX_LISTED_REFUSALS, MAX_LISTED_UNREAD, MAX_LISTED_JOBS, MAX_LISTED_HOLES = 20, 20, 100, 100
"""``status`` counts those that it does not list: Lambda answers with 6 MB at most."""

MAX_LISTED_HELD_PAGES = 100
"""Pages with held deletions that ``status`` lists; ``deletionsHeld`` counts those of all it reads.
"""

MAX_LISTED_RECORDS = 20
"""Quarantined records that ``status`` names; ``quarantined`` counts those of all pages it reads."""


def read_status(timeline: StatusTimeline, queue: Queue, clock: Clock) -> dict[str, Any]:
    """Read one tenant's state as JSON: instants in RFC 3339, lag in seconds.

    It reads a bounded number of undone pages and of flagged ones: its time grows neither with the
    timeline nor with the work that is left. ``morePages`` says whether it left undone pages out.
    """
    now, watermark, breaker = clock(), timeline.watermark(), timeline.breaker()
    undone = timeline.undone()
    pages = list(islice(undone, MAX_UNDONE_PAGES))
    more_pages = next(undone, None) is not None
    sweeps, jobs = list(timeline.sweeps()), list(timeline.jobs())
    faulty = list(islice(timeline.flagged(PageFlag.QUARANTINED), MAX_FLAGGED_PAGES))
    unread = list(islice(timeline.flagged(PageFlag.UNREAD), MAX_FLAGGED_PAGES))
    holding = list(islice(timeline.flagged(PageFlag.HELD), MAX_FLAGGED_PAGES))
    held = [(page, breaker.count_held(page.missing)) for page in holding] if breaker else []
    held = [(page, deletions) for page, deletions in held if deletions]
    refusals = list(islice(timeline.refusals(), MAX_COUNTED_REFUSALS))
    listed_refusals = refusals[:MAX_LISTED_REFUSALS]
    holes = [one for one in (*pages, *sweeps) if one.hole_since]
    exported_from = watermark.exported_from if watermark else now
    tick = watermark.last_tick if watermark else None
    ended = list(timeline.ended_jobs())
    work = Workload(pages, sweeps, jobs, now)
    return {
        "tenantId": timeline.tenant_id,
        "exportedFrom": text(watermark.exported_from if watermark else None),
        "exportedThrough": text(watermark.exported_through if watermark else None),
        "plannedThrough": text(watermark.planned_through if watermark else None),
        "lagSeconds": age_seconds(watermark.exported_through, now) if watermark else None,
        "lastTick": {"at": format_instant(tick.at), "error": tick.error} if tick else None,
        "lastWorkAt": text(work.last_write(_recently_done(timeline, watermark, jobs), ended)),
        "oldestPage": work.oldest,
        "queue": _queue(queue),
        "untouched": work.untouched,
        "failing": work.failing,
        "pages": count_states(page for page in pages if page.window.start >= exported_from),
        "backfillPages": count_states(page for page in pages if page.window.start < exported_from),
        "morePages": more_pages,
        "sweeps": count_states(sweeps),
        "jobs": [job_under_way(job, watermark, now) for job in jobs[:MAX_LISTED_JOBS]],
        "moreJobs": max(0, len(jobs) - MAX_LISTED_JOBS),
        "endedJobs": [ended_job(one) for one in ended],
        "fullSweep": _full_sweep(watermark, unread, now),
        "reconciliation": _reconciliation(watermark),
        "deletionsHeld": sum(deletions for _, deletions in held),
        "deletionsHeldSince": text(breaker.opened_at if breaker else None),
        "heldDeletions": [held_page(*one) for one in held[:MAX_LISTED_HELD_PAGES]],
        "unread": [unread_page(page) for page in unread[:MAX_LISTED_UNREAD]],
        "unreadPages": len(unread),
        "quarantined": sum(page.quarantined for page in (*pages, *faulty, *unread, *holding)),
        "quarantinedRecords": quarantined((*faulty, *unread, *holding, *pages))[
            :MAX_LISTED_RECORDS
        ],
        "holes": [*map(hole, holes[:MAX_LISTED_HOLES]), *map(refused, listed_refusals)],
        "moreHoles": max(0, len(holes) - MAX_LISTED_HOLES),
        "refusedEvents": len(refusals),
        "filterCheckedAt": text(watermark.filter_checked_at if watermark else None),
        "filterWarning": _filter_warning(watermark),
        "apiNotice": watermark.api_notice if watermark else None,
    }


def _recently_done(
    timeline: StatusTimeline, watermark: Watermark | None, jobs: Sequence[Job]
) -> list[Page]:
    """The pages where workers wrote last, as far as a look at both ends of the timeline shows."""
    if watermark is None:
        return []
    found = list(islice(timeline.pages_before(watermark.planned_through), MAX_RECENT_PAGES))
    if any(job.kind is JobKind.BACKFILL for job in jobs):
        end = watermark.exported_through
        found += islice(timeline.pages(watermark.exported_from, end), MAX_RECENT_PAGES)
    return found


def _queue(queue: Queue) -> dict[str, Any]:
    try:
        depth = queue.depth()
    except ExporterError as error:
        return {"error": str(error)}
    return {"waiting": depth.waiting, "inFlight": depth.in_flight}


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


def _full_sweep(
    watermark: Watermark | None, unread: Sequence[Page], now: datetime
) -> dict[str, Any] | None:
    progress = watermark.full_sweep if watermark else None
    if progress is None:
        return None
    oldest = min([progress.read_since, *(page.read_at for page in unread if page.read_at)])
    return {
        "roundStarted": format_instant(progress.started_at),
        "roundThrough": format_instant(progress.cursor),
        "oldestReading": format_instant(oldest),
        "oldestReadingSeconds": age_seconds(oldest, now),
    }


def _reconciliation(watermark: Watermark | None) -> dict[str, Any] | None:
    last = watermark.reconciliation if watermark else None
    if last is None:
        return None
    return {
        "begun": format_instant(last.begun_at),
        "step": last.step.value,
        "differsSince": text(last.differs_since),
        "difference": last.difference,
    }


def _filter_warning(watermark: Watermark | None) -> dict[str, Any] | None:
    warning = watermark.filter_warning if watermark else None
    return {"at": format_instant(warning.at), "message": warning.message} if warning else None
