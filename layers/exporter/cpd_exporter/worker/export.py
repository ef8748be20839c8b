"""The export: one page out of the API, into the lake, and published.

    open ──no entries──▶ done
    open ──overflow──▶ replaced by its parts
    open ──▶ writing ──▶ stored ──▶ done

Each arrow is one conditional write. A worker that slept while another took over loses the write, or
finds the other's object at the page's key and goes on from that. So it leaves no row in the lake
that the timeline does not know.
"""

from typing import Any

from cpd_exporter.errors import InconsistentListingError, PermanentError
from cpd_exporter.model.page import PageState, parts_of, replacing
from cpd_exporter.model.row import Change, RowWriter, StoredRows, quarantine, quarantined_faults
from cpd_exporter.model.window import Window
from cpd_exporter.source.counter import count
from cpd_exporter.source.window_reader import Overflow, Reading, Unfinished, read_window
from cpd_exporter.source.window_splitter import split_window
from cpd_exporter.worker.attempt import PageClaim
from cpd_exporter.worker.checkpoint import LakeCheckpoint
from cpd_exporter.worker.context import Outcome, WorkerContext, WorkReport
from cpd_exporter.worker.fault_suspects import count_suspects
from cpd_exporter.worker.publish import publish_rows, resume, store

MIN_ATTEMPTS_FOR_BLANK = 2
"""Attempts before a worker believes an empty listing where the planner counted entries."""


def export_page(claim: PageClaim) -> WorkReport:
    """Export one page, from wherever an earlier attempt left it."""
    rows = resume(claim)
    return _read(claim) if rows is None else _publish(claim, rows)


def give_up_page(claim: PageClaim, error: PermanentError) -> WorkReport:
    """After the last attempt: split the page around its fault, or make it a hole.

    The planner sends holes again, with back-off.
    """
    page, limits = claim.page, claim.context.limits
    if page.state is PageState.OPEN and limits.may_split(page):
        suspects = count_suspects(claim.context, page.window, error)
        if suspects > 1:
            parts = page.window.split(suspects)
            return _split(claim, parts, attempts=limits.max_attempts - 1)
    since = page.hole_since or claim.context.clock()
    claim.update(lease_until=None, error=str(error), hole_since=since)
    return WorkReport(Outcome.HOLE, error=error)


def _read(claim: PageClaim) -> WorkReport:
    context = claim.context
    # A page in ``WRITING`` is never split: an object may be on its way to its key.
    may_split = claim.page.state is PageState.OPEN and context.limits.may_split(claim.page)
    window, checkpoint = claim.page.window, LakeCheckpoint(claim)
    reading = read_window(context.api, window, may_split=may_split, checkpoint=checkpoint)
    if isinstance(reading, Overflow):
        return _split(claim, split_window(context.api, window, reading, checkpoint))
    if isinstance(reading, Unfinished):
        return claim.pause()
    if reading.is_blank:
        _doubt_blank_listing(claim)
    tenant_id = context.timeline.tenant_id
    for faulty in reading.faulty:
        context.lake.put_new(*quarantine(tenant_id, faulty))
    faults = quarantined_faults(tenant_id, reading.faulty)
    noted: dict[str, Any] = {"quarantined": len(reading.faulty), "faults": faults}
    if claim.page.state is PageState.OPEN and not reading.entries:
        return _finish(claim, **noted)
    # An earlier attempt may have read other faulty records.
    claim.update(state=PageState.WRITING, **noted)
    return _publish(claim, store(claim, _rows(context, reading)))


def _doubt_blank_listing(claim: PageClaim) -> None:
    """Doubt a listing without any record; raises ``InconsistentListingError``.

    If the planner counted entries here, the first attempt never believes it. A later attempt does
    if the API, asked for the count again, shows no record either: the entries are deleted.
    """
    context, page = claim.context, claim.page
    if not (page.counted and page.attempts < MIN_ATTEMPTS_FOR_BLANK):
        again = count(context.api, page.window)
        if not again.has_record:
            return
    raise InconsistentListingError(
        f"the API lists no entry in {page.window}, though it counted some: the worker asks again"
    )


def _rows(context: WorkerContext, reading: Reading) -> StoredRows:
    exclude = context.limits.fingerprint_exclude
    writer = RowWriter(context.timeline.tenant_id, context.clock(), exclude)
    return StoredRows(writer.write(entry, Change.CREATED) for entry in reading.entries)


def _publish(claim: PageClaim, rows: StoredRows) -> WorkReport:
    if not publish_rows(claim, rows):
        return claim.pause()
    # All rows of one object were stored at one instant.
    stored_at = rows[0].exported_at if rows else None
    return _finish(claim, entries=len(rows), stored_at=stored_at)


def _finish(claim: PageClaim, **facts: Any) -> WorkReport:
    read_at = claim.page.reading_since or facts.get("stored_at") or claim.context.clock()
    claim.update(
        state=PageState.DONE,
        hole_since=None,
        error=None,
        lease_until=None,
        published=0,
        reading_key=None,
        reading_since=None,
        read_at=read_at,
        **facts,
    )
    changes = {Change.CREATED: claim.page.entries}
    return WorkReport(Outcome.DONE, changes, claim.page.quarantined)


def _split(claim: PageClaim, parts: list[Window], *, attempts: int = 0) -> WorkReport:
    """Replace the page by its parts; the planner's next tick sends as many as it has room for."""
    context = claim.context
    revision = context.new_token()
    replacements = parts_of(claim.page, parts, revision=revision, attempts=attempts)
    claim.commit(replacing(claim.page, replacements))
    return WorkReport(Outcome.SPLIT)
