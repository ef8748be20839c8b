"""Merges a sweep: one page in the place of all that it covers."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from cpd_exporter.model import page_index
from cpd_exporter.model.garbage import IndexGarbage
from cpd_exporter.model.page import ConditionalWrite, Page, PageState
from cpd_exporter.model.page_index import PageIndex, index_object_key
from cpd_exporter.worker.attempt import PageClaim
from cpd_exporter.worker.context import Outcome, WorkerContext, WorkReport
from cpd_exporter.worker.sweep.compare import SweepInput, SweepResult
from cpd_exporter.worker.sweep.day_limit import merge_held


def merge(claim: PageClaim, before: SweepInput, result: SweepResult) -> WorkReport:
    """Replace the swept pages and the sweep by one done page, in one transaction."""
    context, sweep = claim.context, claim.page
    index_after = page_index.updated(before.index, result.rows, claim.key)
    for id_ in result.handed_over:
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
        faults=result.faults,
        updated_at=context.clock(),
        stored_at=stored_at,
        missing=result.missing,
        read_at=result.read_at or before.read_at,
        error=result.error,
    )
    merged = _store_index(context, merged, before, index_after)
    first, *rest = before.pages
    writes = [
        ConditionalWrite(first, merged),
        *(ConditionalWrite(page, None) for page in rest),
        ConditionalWrite(sweep, None),
    ]
    if any(entry.held_at for entry in result.missing.values()):
        merge_held(claim, writes, result.held_at)
    else:
        claim.commit(writes)
    changes = Counter(row.change for row in result.rows)
    return WorkReport(
        Outcome.DONE,
        changes,
        result.quarantined,
        compared=len(before.index),
        unjudged=result.unjudged,
    )


def write_indexes(
    context: WorkerContext, replaced: Sequence[Page], pages: Sequence[tuple[Page, PageIndex]]
) -> list[Page]:
    """Store indexes in the lake; returns the pages that name them.

    All objects that this write may leave without a page are noted before: the replaced indexes,
    and the new ones, because the worker may die before the pages are written.
    """
    bodies: dict[str, bytes] = {}
    starts = {page.index_key: page.window.start for page in replaced if page.index_key}
    written: list[Page] = []
    for page, index in pages:
        key = None
        if index:
            body = page_index.encode(index)
            key = index_object_key(page.name, page.revision, body)
            bodies[key], starts[key] = body, page.window.start
        written.append(replace(page, index_key=key))
    if starts:
        first = written[0]
        name = f"{first.name}_{first.revision}"
        context.timeline.note_garbage(IndexGarbage(name, context.clock(), starts))
    for key, body in bodies.items():
        context.lake.put_new(key, body)
    return written


def _store_index(
    context: WorkerContext, merged: Page, before: SweepInput, index_after: PageIndex
) -> Page:
    """The page with its index: an earlier object where nothing changed."""
    holders = [page for page in before.pages if page.entries]
    if index_after and len(holders) == 1 and index_after == before.index:
        return replace(merged, object=holders[0].object, index_key=holders[0].index_key)
    [written] = write_indexes(context, before.pages, [(merged, index_after)])
    return written
