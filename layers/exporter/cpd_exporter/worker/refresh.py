"""The refresh: looks entries up by ID, and requests a sweep of the page that each is in."""

from collections.abc import Sequence

from cpd_exporter.errors import PermanentError
from cpd_exporter.model.entry import Entry, FaultyEntry
from cpd_exporter.model.sweep_request import SweepRequest
from cpd_exporter.ports import EntriesApi, HasTimeLeft
from cpd_exporter.worker.attempt import JobClaim
from cpd_exporter.worker.context import Outcome, WorkReport

LOOKUPS_PER_BATCH = 50
"""Entries that a refresh looks up before it stores their sweep requests and its position."""


def refresh(claim: JobClaim, has_time_left: HasTimeLeft) -> WorkReport:
    """Refresh batch by batch for as long as ``has_time_left``, but one batch at least.

    The date that the API gives for an entry names the page. The report names the entries that the
    API does not have; the regular sweeps find those.
    """
    context, entry_ids = claim.context, claim.job.entry_ids
    unknown: list[str] = []
    while claim.job.position < len(entry_ids):
        start = claim.job.position
        batch = entry_ids[start : start + min(LOOKUPS_PER_BATCH, context.limits.lookups)]
        for entry_id, found in _find(context.api, batch).items():
            if found is None or found.date is None:
                unknown.append(entry_id)
            else:
                context.timeline.request_sweep(SweepRequest(found.date, context.clock()))
        claim.progress(claim.job.cursor, position=start + len(batch))
        if not has_time_left() and claim.job.position < len(entry_ids):
            claim.pause()
            return WorkReport(Outcome.PAUSED, unknown=tuple(unknown))
    claim.end()
    return WorkReport(Outcome.DONE, unknown=tuple(unknown))


def _find(api: EntriesApi, entry_ids: Sequence[str]) -> dict[str, Entry | FaultyEntry | None]:
    """Look entries up by ID. One that the API refuses to look for spoils none of the others."""
    try:
        return api.entries(entry_ids)
    except PermanentError:
        if len(entry_ids) == 1:
            return {entry_ids[0]: None}
    return {id_: found for one in entry_ids for id_, found in _find(api, [one]).items()}
