"""The export: one page out of the API, into the lake, and published.

    open ──no entries──▶ done
    open ──overflow──▶ replaced by its parts
    open ──▶ writing ──▶ stored ──▶ done

Each arrow is one conditional write. A worker that slept while another took over loses the write, or
finds the other's object at the page's key and goes on from that. So it leaves no row in the lake
that the timeline does not know.
"""

from datetime import datetime
from typing import Any

from cpd_exporter.dispatch import send
from cpd_exporter.errors import ConfigurationError, PermanentError, TransientError
from cpd_exporter.model.page import PageState, parts_of, replacing
from cpd_exporter.model.row import Change, Row, created, quarantine
from cpd_exporter.model.timestamps import SECOND
from cpd_exporter.source.window_reader import Overflow, Reading, read_window
from cpd_exporter.worker.attempt import PageClaim, SupersededError
from cpd_exporter.worker.context import Outcome, WorkReport
from cpd_exporter.worker.publish import publish_rows, resume, store
from cpd_exporter.worker.suspects import count_suspects

MAX_CHAIN_LENGTH = 4
"""Messages in a row that splits send themselves.

Lambda stops a function that feeds its own queue in a chain of some sixteen messages. The planner's
next tick sends the parts of deeper splits.
"""


def export_page(claim: PageClaim, *, chain_length: int) -> WorkReport:
    """Export one page, from wherever an earlier attempt left it."""
    rows = resume(claim)
    return _read(claim, chain_length) if rows is None else _publish(claim, rows)


def give_up_page(claim: PageClaim, error: PermanentError, *, chain_length: int) -> WorkReport:
    """After the last attempt: split the page around its fault, or make it a hole.

    The planner sends holes again, with back-off.
    """
    page, limits = claim.page, claim.context.limits
    if page.state is PageState.OPEN and limits.may_split(page):
        suspects = count_suspects(claim.context, page.window, error)
        if suspects > 1:
            return _split(claim, suspects, chain_length, attempts=limits.attempts - 1)
    since = page.hole_since or claim.context.clock()
    claim.update(lease_until=None, error=str(error), hole_since=since)
    return WorkReport(Outcome.HOLE, error=error)


def _read(claim: PageClaim, chain_length: int) -> WorkReport:
    context = claim.context
    # A page in ``WRITING`` is never split: an object may be on its way to its key.
    may_split = claim.page.state is PageState.OPEN and context.limits.may_split(claim.page)
    reading = read_window(context.api, claim.page.window, may_split=may_split)
    if isinstance(reading, Overflow):
        return _split(claim, context.limits.parts(reading), chain_length)
    tenant_id = context.timeline.tenant_id
    for faulty in reading.faulty:
        context.lake.put_new(*quarantine(tenant_id, faulty))
    if claim.page.state is PageState.OPEN:
        if not reading.entries:
            return _finish(claim, quarantined=len(reading.faulty))
        claim.update(state=PageState.WRITING, quarantined=len(reading.faulty))
    return _publish(claim, store(claim, _rows(reading, tenant_id, context.clock())))


def _rows(reading: Reading, tenant_id: str, now: datetime) -> list[Row]:
    return [created(entry, tenant_id=tenant_id, exported_at=now) for entry in reading.entries]


def _publish(claim: PageClaim, rows: list[Row]) -> WorkReport:
    publish_rows(claim, rows)
    stored_at = max((row.exported_at for row in rows), default=None)
    return _finish(claim, entries=len(rows), stored_at=stored_at)


def _finish(claim: PageClaim, **facts: Any) -> WorkReport:
    claim.update(state=PageState.DONE, hole_since=None, error=None, lease_until=None, **facts)
    changes = {Change.CREATED: claim.page.entries}
    return WorkReport(Outcome.DONE, changes, claim.page.quarantined)


def _split(claim: PageClaim, parts: int, chain_length: int, *, attempts: int = 0) -> WorkReport:
    context = claim.context
    replacements = parts_of(
        claim.page,
        parts,
        floor=SECOND,
        revision=context.new_token(),
        attempts=attempts,
    )
    if not context.timeline.commit(replacing(claim.page, replacements)):
        raise SupersededError
    if chain_length >= MAX_CHAIN_LENGTH:
        return WorkReport(Outcome.SPLIT)
    try:
        send(
            replacements,
            timeline=context.timeline,
            queue=context.queue,
            clock=context.clock,
            chain_length=chain_length + 1,
        )
    except (TransientError, ConfigurationError) as error:
        # The page is gone, so nothing is left to try again: the next tick sends its parts.
        return WorkReport(Outcome.SPLIT, error=error)
    return WorkReport(Outcome.SPLIT)
