"""The refresh: looks entries up by ID, and requests a sweep of the page that each is in."""

from collections.abc import Sequence

from cpd_exporter.errors import ServerError, TransientError
from cpd_exporter.model.entry import Found
from cpd_exporter.model.job import LookUp
from cpd_exporter.model.sweep_request import SweepRequest
from cpd_exporter.model.timestamps import SECOND, floor_second
from cpd_exporter.model.watermark import Watermark
from cpd_exporter.model.window import Window
from cpd_exporter.ports import HasTimeLeft
from cpd_exporter.source.by_id import find_by_id
from cpd_exporter.worker.context import Outcome, WorkerContext, WorkReport
from cpd_exporter.worker.fault_suspects import lists_others
from cpd_exporter.worker.job_claim import JobClaim


def refresh(claim: JobClaim, has_time_left: HasTimeLeft) -> WorkReport:
    """Refresh batch by batch for as long as ``has_time_left``, but one batch at least.

    Each batch is stored before the next: an ID over which the API fails may take a minute. The
    date that the API gives for an entry names the page. The report names the entries that the API
    does not have, or fails over; the regular sweeps find those.
    """
    context, entry_ids = claim.context, claim.job.entry_ids
    watermark = context.timeline.watermark()
    unknown: list[str] = []
    while claim.job.position < len(entry_ids):
        start = claim.job.position
        batch = entry_ids[start : start + context.limits.lookups_at_once]
        found = _find(context, batch)
        outcomes = [
            _look_up(found[entry_id], watermark) if entry_id in found else LookUp.FAILED
            for entry_id in batch
        ]
        for entry_id, outcome in zip(batch, outcomes, strict=True):
            entry = found.get(entry_id)
            if outcome in (LookUp.UNKNOWN, LookUp.UNDATED, LookUp.FAILED):
                unknown.append(entry_id)
            elif outcome is LookUp.REQUESTED and entry and entry.date:
                context.timeline.request_sweep(SweepRequest(entry.date, context.clock()))
        claim.progress_to(start + len(batch), outcomes)
        if not has_time_left() and claim.job.position < len(entry_ids):
            claim.pause()
            return WorkReport(Outcome.PAUSED, unknown=tuple(unknown))
    claim.end()
    return WorkReport(Outcome.DONE, unknown=tuple(unknown))


def _look_up(found: Found, watermark: Watermark | None) -> LookUp:
    """What becomes of one entry. Time that is not planned yet is read when it is."""
    if found is None:
        return LookUp.UNKNOWN
    if found.date is None:
        return LookUp.UNDATED
    is_planned = watermark and watermark.origin <= found.date < watermark.planned_through
    return LookUp.REQUESTED if is_planned else LookUp.OUTSIDE


def _find(context: WorkerContext, entry_ids: Sequence[str]) -> dict[str, Found]:
    """Look entries up by ID, without those over which the API fails; an outage is raised.

    A 500 is an outage if the API lists nothing either.
    """
    found, failed = find_by_id(context.api, entry_ids)
    outages = [error for error in failed.values() if isinstance(error, TransientError)]
    outages.sort(key=lambda error: isinstance(error, ServerError))
    if outages and not isinstance(outages[0], ServerError):
        raise outages[0]
    if outages and not found and not _lists(context):
        raise outages[0]
    return found


def _lists(context: WorkerContext) -> bool:
    """Whether the API is well but for single IDs."""
    now = floor_second(context.clock())
    return lists_others(context, Window(now, now + SECOND))
