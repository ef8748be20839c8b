"""Rows to the lake, then to the subscribers: stored before published, published from storage."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from cpd_exporter.errors import LakeError, PermanentError
from cpd_exporter.model.event import Event, event_for, reference_for
from cpd_exporter.model.page import PageState
from cpd_exporter.model.refusal import Refusal
from cpd_exporter.model.row import Row, StoredRows, decode, encode
from cpd_exporter.ports import Lake
from cpd_exporter.worker.attempt import PageClaim
from cpd_exporter.worker.job_claim import JobClaim

MAX_ROWS_AT_ONCE = 100
"""Rows that are published at once; the worker looks at the time in between."""

MAX_ROWS_PER_POSITION = 1000
"""Rows between two publishing positions: a worker's death repeats no more of their events."""

type Publish = Callable[[Sequence[Event]], dict[str, str]]
"""Sends events; returns the IDs of those that are refused for good, with the reasons."""


def publisher_for(claim: JobClaim) -> Publish:
    """Where a job's events go: to its queue if it names one, otherwise to all subscribers."""
    if claim.job.queue_arn is None:
        return claim.context.topic.publish
    return partial(claim.context.replay_queue.deliver, claim.job.queue_arn)


def resume(claim: PageClaim) -> StoredRows | None:
    """Read the rows that an earlier attempt stored; ``None`` if none did.

    Raises ``LakeError`` if one did, and its object is missing or damaged.
    """
    if claim.page.state is PageState.OPEN:
        return None
    body = claim.context.lake.read(claim.key)
    if body is None and claim.page.state is PageState.STORED:
        raise LakeError(claim.key)
    if body is None:
        return None
    rows = _decoded(claim, body)
    _note_stored(claim)
    return rows


def store(claim: PageClaim, rows: StoredRows) -> StoredRows:
    """Store rows at the claim's key, and go on from the object that is there afterwards.

    Another attempt may have stored its rows first: from then on, that object alone counts.
    """
    if not claim.context.lake.put_new(claim.key, encode(rows)):
        rows = _read_stored(claim)
    _note_stored(claim)
    return rows


def publish_rows(claim: PageClaim, rows: StoredRows) -> bool:
    """Publish stored rows from the page's position on; ``False`` if the worker's time ended first.

    A refused event is recorded, and does not hold up the others.
    """
    for start in range(claim.page.published, len(rows), MAX_ROWS_AT_ONCE):
        unsaved = start - claim.page.published
        is_over = unsaved > 0 and not claim.has_time_left()
        if unsaved >= MAX_ROWS_PER_POSITION or (unsaved and claim.is_save_due) or is_over:
            claim.progress(published=start)
        if is_over:
            return False
        _publish_some(claim, rows[start : start + MAX_ROWS_AT_ONCE])
    return True


def _publish_some(claim: PageClaim, rows: Sequence[Row]) -> None:
    context = claim.context
    for entry_id, reason in publish_stored(context.topic.publish, context.lake, {claim.key: rows}):
        refusal = Refusal(claim.page.window, entry_id, reason, context.clock(), claim.key)
        context.timeline.record_refusal(refusal)


def publish_stored(
    publish: Publish, lake: Lake, stored: Mapping[str, Sequence[Row]]
) -> list[tuple[str, str]]:
    """Publish rows by the lake keys that hold them; a refused event is sent as a reference.

    Returns the IDs of entries whose references are refused too, with the reasons.
    """
    published = {
        event.id: (row, key, event)
        for key, rows in stored.items()
        for row in rows
        for event in [event_for(row, key, lake.uri(key))]
    }
    refused = publish([event for _, _, event in published.values()])
    if not refused:
        return []
    references = [
        reference_for(row, key, lake.uri(key))
        for row, key, _ in map(published.__getitem__, refused)
    ]
    return [(published[id_][0].entry_id, reason) for id_, reason in publish(references).items()]


def _read_stored(claim: PageClaim) -> StoredRows:
    stored = claim.context.lake.read(claim.key)
    if stored is None:
        raise PermanentError(
            f"the lake has no object {claim.key}, though a moment ago it had: does somebody delete "
            "objects? Nothing else can be stored at this key"
        )
    return _decoded(claim, stored)


def _decoded(claim: PageClaim, body: bytes) -> StoredRows:
    try:
        return decode(body)
    except ValueError as error:
        raise LakeError(claim.key, damage=str(error)) from error


def _note_stored(claim: PageClaim) -> None:
    if claim.page.state is PageState.WRITING:
        claim.update(state=PageState.STORED, object=claim.key)
