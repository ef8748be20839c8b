"""Rows to the lake, then to the subscribers: stored before announced, announced from storage."""

from collections.abc import Sequence

from cpd_exporter.claiming import Claim
from cpd_exporter.errors import PermanentError
from cpd_exporter.model.events import announce, refer
from cpd_exporter.model.rows import Row, decode, encode
from cpd_exporter.model.timeline import Refusal, State


def stored_rows(claim: Claim) -> list[Row] | None:
    """The rows at the claim's key, if an earlier attempt came as far as that."""
    stored = claim.tools.lake.read(claim.key)
    return None if stored is None else _decode(stored, claim.key)


def store(claim: Claim, rows: Sequence[Row]) -> list[Row]:
    """Put rows at the claim's key, unless an object is there, and go on from what is there.

    Whoever put it: from here on that object alone decides what these rows are.
    """
    body = encode(rows)
    if not claim.tools.lake.put_new(claim.key, body):
        body = _require(claim)
    rows = _decode(body, claim.key)
    claim.move(state=State.STORED, object=claim.key)
    return rows


def tell(claim: Claim, rows: Sequence[Row]) -> None:
    """Announce stored rows; what the topic refuses goes out as a reference.

    What is refused even so is recorded: it must not hold up the rest.
    """
    tools = claim.tools
    uri = tools.lake.uri(claim.key)
    by_id = {event.id: (row, event) for row in rows for event in [announce(row, claim.key, uri)]}
    refused = tools.topic.publish([event for _, event in by_id.values()])
    if not refused:
        return
    references = [refer(by_id[event_id][0], claim.key, uri) for event_id in refused]
    for event_id, reason in tools.topic.publish(references).items():
        entry_id = by_id[event_id][0].entry_id
        refusal = Refusal(claim.page.window, entry_id, reason, tools.clock())
        tools.timeline.record_refusal(refusal)


def _require(claim: Claim) -> bytes:
    stored = claim.tools.lake.read(claim.key)
    if stored is None:
        raise PermanentError(
            f"the lake has no object {claim.key}, though one was just found there: is it being "
            "deleted? Nothing else can be put in its place"
        )
    return stored


def _decode(stored: bytes, key: str) -> list[Row]:
    try:
        return decode(stored)
    except ValueError as error:
        raise PermanentError(f"the lake's object {key} is damaged ({error}): restore it") from error
