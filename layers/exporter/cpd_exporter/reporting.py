"""What the operator is shown: how far the export is, and what is in its way."""

from collections import Counter
from datetime import datetime
from typing import Any

from cpd_exporter.model.instants import format_instant
from cpd_exporter.model.timeline import Page, Refusal, Request, State
from cpd_exporter.planning import TickReport
from cpd_exporter.ports import Clock, Timeline

_SWEEPING = (State.OPEN, State.WRITING, State.STORED)


def status(timeline: Timeline, clock: Clock) -> dict[str, Any]:
    """One tenant's state as JSON: instants in RFC 3339, lag in seconds."""
    watermark = timeline.watermark()
    states: Counter[State] = Counter()
    holes: list[dict[str, Any]] = []
    held: list[dict[str, Any]] = []
    quarantined = 0
    sweeps: Counter[State] = Counter()
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
        "pages": {state.value: states[state] for state in State},
        "sweeps": {state.value: sweeps[state] for state in _SWEEPING},
        "requests": [_request(request) for request in timeline.requests()],
        "heldDeletions": held,
        "quarantined": quarantined,
        "holes": holes,
        "lastTick": {"at": format_instant(tick.at), "error": tick.error} if tick else None,
    }


def age_seconds(since: datetime, now: datetime) -> int:
    """How long ago something was, in whole seconds."""
    return int((now - since).total_seconds())


def tick_result(report: TickReport) -> dict[str, Any]:
    """What a tick did, as JSON."""
    return {
        "tenantId": report.tenant_id,
        "planned": report.planned,
        "sent": report.sent,
        "undone": report.undone,
        "sweeps": report.sweeps,
        "errands": report.errands,
        "holes": report.holes,
        "plannedThrough": format_instant(report.planned_through),
        "exportedThrough": format_instant(report.exported_through),
    }


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
        "reason": 'more than is told in a day unasked: {"command": "confirm-deletions"} tells them',
    }


def _request(request: Request) -> dict[str, Any]:
    return {
        "name": request.name,
        "start": format_instant(request.start),
        "end": format_instant(request.end),
        "cursor": format_instant(request.cursor),
        "since": format_instant(request.asked_at),
        "error": request.error,
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
