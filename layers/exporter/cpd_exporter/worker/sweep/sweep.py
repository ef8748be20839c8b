"""One sweep: reads the window again, and publishes the difference.

    open ──no change──▶ merged
    open ──overflow──▶ replaced by smaller sweeps
    open ──▶ writing ──▶ stored ──▶ merged

The arrows are those of an export. *Merged* is one transaction that puts a single page in the place
of all that the sweep covers. A year of five-minute windows becomes a few pages a month, so the next
sweep of them is cheap. The index after a sweep follows from the index before it and from the stored
rows, so that every worker ends a sweep alike.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from cpd_exporter.errors import LakeError, PermanentError
from cpd_exporter.model.page import ConditionalWrite, Page, PageState
from cpd_exporter.model.row import Change, quarantine, quarantined_faults
from cpd_exporter.model.sweep_request import SweepRequest
from cpd_exporter.source.window_reader import Overflow, Reading, Unfinished, read_window
from cpd_exporter.worker.attempt import PageClaim, SupersededError
from cpd_exporter.worker.checkpoint import LakeCheckpoint
from cpd_exporter.worker.context import Outcome, WorkReport
from cpd_exporter.worker.fault_suspects import count_suspects
from cpd_exporter.worker.lake_reader import LakeReader
from cpd_exporter.worker.publish import publish_rows, resume, store
from cpd_exporter.worker.sweep.compare import (
    SweepInput,
    SweepResult,
    adopt_stored_rows,
    changed_rows,
    load_input,
    missing_ids,
    read_is_changed,
    writer_after,
)
from cpd_exporter.worker.sweep.day_limit import take_back_count
from cpd_exporter.worker.sweep.deletions import decide_deletions
from cpd_exporter.worker.sweep.merge import merge
from cpd_exporter.worker.sweep.split import halve_sweep, split_page, split_sweep

_CLOCK_GRACE = timedelta(seconds=10)
"""The clocks of two machines differ by less."""


def sweep_pages(claim: PageClaim) -> WorkReport:
    """Sweep, from wherever an earlier attempt left it.

    Raises ``PermanentError`` for a failure of this sweep alone.
    """
    before = load_input(claim.context.lake, _read_covered(claim))
    rows = resume(claim)
    if rows is None:
        return _read_and_compare(claim, before)
    result = adopt_stored_rows(rows, before, claim.page.quarantined, claim.page.faults)
    return _publish_and_merge(claim, before, result)


def give_up_sweep(claim: PageClaim, error: PermanentError) -> WorkReport:
    """After the last attempt: split the sweep around its fault, or free its pages.

    The pages are exported already, so a later sweep may try them again. A sweep that is writing
    stays, as a hole: an object may be at its key.
    """
    if claim.page.state is not PageState.OPEN:
        since = claim.page.hole_since or claim.context.clock()
        claim.update(lease_until=None, error=str(error), hole_since=since)
        return WorkReport(Outcome.HOLE, error=error)
    if _split_around_fault(claim, error):
        return WorkReport(Outcome.SPLIT, error=error)
    return WorkReport(Outcome.GIVEN_UP, error=error)


def _split_around_fault(claim: PageClaim, error: PermanentError) -> bool:
    """Split the sweep, if a part may be sound; otherwise free its pages."""
    context = claim.context
    pages = _read_covered(claim)
    attempts = context.limits.max_attempts - 1
    is_damage = isinstance(error, LakeError)
    window = claim.page.window
    if len(pages) > 1 and (is_damage or count_suspects(context, window, error)):
        halve_sweep(claim, pages, attempts=attempts)
        return True
    is_divisible = len(pages) == 1 and context.limits.may_split(claim.page)
    if is_divisible and not is_damage and (parts := count_suspects(context, window, error)) > 1:
        before = load_input(context.lake, pages)
        split_page(claim, before, window.split(parts), attempts=attempts)
        return True
    take_back_count(claim)
    requests = list(context.timeline.sweep_requests(window))
    freed = [
        ConditionalWrite(
            page,
            replace(
                page,
                reserved_by=None,
                error=str(error),
                updated_at=context.clock(),
                revision=context.new_token(),
            ),
        )
        for page in pages
    ]
    claim.commit([*freed, ConditionalWrite(claim.page, None)])
    for request in requests:
        context.timeline.drop_sweep_request(request)
    return False


def _read_covered(claim: PageClaim) -> list[Page]:
    """Read the pages that this sweep reserved; they tile its window until it is merged."""
    window = claim.page.window
    pages = list(claim.context.timeline.pages(window.start, window.end))
    if not pages or any(page.reserved_by != claim.page.name for page in pages):
        raise SupersededError
    return pages


def _read_and_compare(claim: PageClaim, before: SweepInput) -> WorkReport:
    """Read the window, compare it with the index, and publish the difference."""
    context = claim.context
    requests = list(context.timeline.sweep_requests(claim.page.window))
    resumed_since = claim.page.reading_since
    may_split = claim.page.state is PageState.OPEN and context.limits.may_split(claim.page)
    reading = read_window(
        context.api,
        claim.page.window,
        may_split=may_split,
        checkpoint=LakeCheckpoint(claim),
    )
    if isinstance(reading, Overflow):
        return split_sweep(claim, before, reading)
    if isinstance(reading, Unfinished):
        return claim.pause()
    for faulty in reading.faulty:
        context.lake.put_new(*quarantine(context.timeline.tenant_id, faulty))
    result = _compare(claim, before, reading)
    if result.rows or claim.page.state is PageState.WRITING:
        # An earlier attempt may have read other faulty records.
        noted = {"quarantined": result.quarantined, "faults": result.faults}
        claim.update(state=PageState.WRITING, **noted)
        compared = {row.entry_id: row.fingerprint for row in result.rows}
        rows = store(claim, result.rows)
        if {row.entry_id: row.fingerprint for row in rows} == compared:
            result.rows = rows
        else:
            # The stored rows are another attempt's, and only they show what it found.
            adopted = adopt_stored_rows(rows, before, result.quarantined, result.faults)
            result, requests = adopted, []
        report = _publish_and_merge(claim, before, result)
    else:
        report = _merge(claim, before, result)
    if resumed_since is not None:
        # The reading began in an earlier attempt: it may be older than a request.
        until = resumed_since - _CLOCK_GRACE
        requests = [request for request in requests if request.requested_at <= until]
    for request in requests:
        context.timeline.drop_sweep_request(request)
    return report


def _compare(claim: PageClaim, before: SweepInput, reading: Reading) -> SweepResult:
    context = claim.context
    if claim.page.state is PageState.OPEN:
        # What an earlier attempt counted may have come back since.
        take_back_count(claim)
    writer = writer_after(before, context)
    last = LakeReader(context.lake)
    rows = changed_rows(context, before, reading, writer, last)
    # A dense reading may have begun in an earlier attempt.
    read_at = claim.page.reading_since or context.clock()
    faults = quarantined_faults(context.timeline.tenant_id, reading.faulty)
    result = SweepResult(rows, quarantined=len(reading.faulty), faults=faults, read_at=read_at)
    missing = missing_ids(before, reading)
    if missing:
        for id_ in decide_deletions(claim, before, missing, result):
            row = last.read_last_row(id_, before.index[id_])
            result.rows.append(writer.delete(row))
    for entry in result.unlisted:
        if read_is_changed(context, before, entry, last):
            result.rows.append(writer.write(entry, Change.UPDATED))
            if entry.date not in claim.page.window:
                # The page of the new date should have the entry soon.
                context.timeline.request_sweep(SweepRequest(entry.date, context.clock()))
    return result


def _publish_and_merge(claim: PageClaim, before: SweepInput, result: SweepResult) -> WorkReport:
    if not publish_rows(claim, result.rows):
        return claim.pause()
    return _merge(claim, before, result)


def _merge(claim: PageClaim, before: SweepInput, result: SweepResult) -> WorkReport:
    """Merge, and request another sweep where more deletions wait for their look-up."""
    report = merge(claim, before, result)
    released = any(
        row.change is Change.DELETED and before.missing[row.entry_id].held_at
        for row in result.rows
        if row.entry_id in before.missing
    )
    are_left = any(entry.held_at for entry in result.missing.values())
    if result.sweep_again or (released and are_left):
        # A moment later than any request that this sweep drops.
        now = claim.context.clock() + datetime.resolution
        claim.context.timeline.request_sweep(SweepRequest(claim.page.window.start, now))
    return report
