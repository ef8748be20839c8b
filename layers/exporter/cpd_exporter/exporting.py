"""The worker: one page out of the API, into the lake, and told to the subscribers.

    open ──nothing to write──▶ done
    open ──overflow──▶ replaced by its parts
    open ──▶ writing ──▶ stored ──▶ done

Each arrow is one conditional write. A worker that was asleep while another took over loses the
write, or finds the other's object at the page's key and goes on from that: it cannot leave rows
that nobody knows.
"""

from datetime import datetime
from typing import Any

from cpd_exporter.claiming import Claim, Outcome, SupersededError, WorkReport
from cpd_exporter.errors import ConfigurationError, PermanentError, TransientError
from cpd_exporter.model.rows import Change, Row, created, quarantine
from cpd_exporter.model.timeline import State, parts_of, replacing
from cpd_exporter.reading import Overflow, Reading, read_window
from cpd_exporter.sending import send
from cpd_exporter.storing import resume, store, tell

MOST_HOPS = 4
"""Splits of splits send themselves only so often: Lambda stops a function that feeds its own queue
in a chain of some sixteen messages. What is deeper, the planner's next tick sends."""


def export_page(claim: Claim, *, hop: int) -> WorkReport:
    """Export one page from wherever an earlier attempt left it."""
    rows = resume(claim)
    return _fetch(claim, hop) if rows is None else _announce(claim, rows)


def _fetch(claim: Claim, hop: int) -> WorkReport:
    tools = claim.tools
    # Work that is already writing is never split: an object may be on its way to its key.
    may_split = claim.page.state is State.OPEN and tools.effort.may_split(claim.page)
    reading = read_window(tools.api, claim.page.window, tools.effort.slack, may_split=may_split)
    if isinstance(reading, Overflow):
        return _split(claim, tools.effort.parts(reading), hop)
    tenant_id = tools.timeline.tenant_id
    for faulty in reading.faulty:
        tools.lake.put_new(*quarantine(tenant_id, faulty))
    if claim.page.state is State.OPEN:
        if not reading.entries:
            return _finish(claim, quarantined=len(reading.faulty))
        claim.move(state=State.WRITING, quarantined=len(reading.faulty))
    return _announce(claim, store(claim, _rows(reading, tenant_id, tools.clock())))


def _rows(reading: Reading, tenant_id: str, now: datetime) -> list[Row]:
    return [created(entry, tenant_id=tenant_id, exported_at=now) for entry in reading.entries]


def _announce(claim: Claim, rows: list[Row]) -> WorkReport:
    tell(claim, rows)
    told_at = max((row.exported_at for row in rows), default=None)
    return _finish(claim, entries=len(rows), told_at=told_at)


def _finish(claim: Claim, **facts: Any) -> WorkReport:
    claim.move(state=State.DONE, hole_since=None, error=None, lease_until=None, **facts)
    told = {Change.CREATED: claim.page.entries}
    return WorkReport(Outcome.DONE, told, claim.page.quarantined)


def _split(claim: Claim, parts: int, hop: int, *, attempts: int = 0) -> WorkReport:
    tools = claim.tools
    replacements = parts_of(
        claim.page,
        parts,
        floor=tools.effort.finest,
        revision=tools.new_token(),
        attempts=attempts,
    )
    if not tools.timeline.commit(replacing(claim.page, replacements)):
        raise SupersededError
    if hop >= MOST_HOPS:
        return WorkReport(Outcome.SPLIT)
    try:
        send(
            replacements,
            timeline=tools.timeline,
            queue=tools.queue,
            clock=tools.clock,
            hop=hop + 1,
        )
    except (TransientError, ConfigurationError) as error:
        # The page is no more, so there is nothing to try again: the next tick sends its parts.
        return WorkReport(Outcome.SPLIT, error=error)
    return WorkReport(Outcome.SPLIT)


def give_up_page(claim: Claim, error: PermanentError, *, hop: int) -> WorkReport:
    """After the last attempt: split down to what is poisoned, or leave a hole.

    The planner tries holes again, with back-off, so the message has served.
    """
    page, effort = claim.page, claim.tools.effort
    if page.state is State.OPEN and effort.may_split(page):
        suspects = claim.suspects(error)
        if suspects > 1:
            return _split(claim, suspects, hop, attempts=effort.attempts - 1)
    claim.move(
        lease_until=None, error=str(error), hole_since=page.hole_since or claim.tools.clock()
    )
    return WorkReport(Outcome.HOLE, error=error)
