"""Merges a sweep: one page in the place of all that it covers."""

from collections import Counter
from dataclasses import replace
from datetime import datetime

from cpd_exporter.model import page_index
from cpd_exporter.model.page import ConditionalWrite, Page, PageState
from cpd_exporter.model.page_index import PageIndex, index_object_key
from cpd_exporter.worker.attempt import PageClaim, SupersededError
from cpd_exporter.worker.context import Outcome, WorkerContext, WorkReport
from cpd_exporter.worker.sweep.compare import SweepInput, SweepResult


def merge(claim: PageClaim, before: SweepInput, result: SweepResult) -> WorkReport:
    """Replace the swept pages and the sweep by one done page, in one transaction."""
    context, sweep = claim.context, claim.page
    index_after = page_index.updated(before.index, result.rows, claim.key)
    for id_ in result.moved_away:
        del index_after[id_]
    stored_at = max((row.exported_at for row in result.rows), default=before.stored_at)
    merged = Page(
        window=sweep.window,
        generation=sweep.generation,
        timeline_id=sweep.timeline_id,
        revision=context.new_token(),
        state=PageState.DONE,
        entries=len(index_after),
        quarantined=result.quarantined,
        updated_at=context.clock(),
        stored_at=stored_at,
        missing=result.missing,
        held=result.held,
        confirmed_at=unspent_confirmation(before, result),
    )
    merged = _store_index(context, merged, before, index_after)
    first, *rest = before.pages
    writes = [
        ConditionalWrite(first, merged),
        *(ConditionalWrite(page, None) for page in rest),
        ConditionalWrite(sweep, None),
    ]
    if not context.timeline.commit(writes):
        raise SupersededError
    changes = Counter(row.change for row in result.rows)
    return WorkReport(
        Outcome.DONE, changes, result.quarantined, compared=len(before.index), held=result.held
    )


def unspent_confirmation(before: SweepInput, result: SweepResult) -> datetime | None:
    """The operator's confirmation, while an entry that it covers is still missing."""
    confirmed_at = before.confirmed_at
    if confirmed_at and any(gone.since <= confirmed_at for gone in result.missing.values()):
        return confirmed_at
    return None


def write_index(context: WorkerContext, page: Page, index: PageIndex) -> Page:
    """Store an index in the lake; returns the page that names it."""
    body = page_index.encode(index)
    key = index_object_key(context.timeline.tenant_id, page.name, body)
    context.lake.put_new(key, body)
    return replace(page, index_key=key)


def _store_index(
    context: WorkerContext, merged: Page, before: SweepInput, index_after: PageIndex
) -> Page:
    """The page with its index: an earlier object where nothing changed."""
    holders = [page for page in before.pages if page.entries]
    if not index_after:
        return merged
    if len(holders) == 1 and index_after == before.index:
        return replace(merged, object=holders[0].object, index_key=holders[0].index_key)
    return write_index(context, merged, index_after)
