"""Rows to the lake, then to the subscribers: stored before announced, announced from storage."""

from collections.abc import Callable, Mapping, Sequence

from cpd_exporter.claiming import Claim
from cpd_exporter.errors import LakeError, PermanentError
from cpd_exporter.model.events import Event, announce, refer
from cpd_exporter.model.rows import Row, decode, encode
from cpd_exporter.model.timeline import Refusal, State
from cpd_exporter.ports import Lake

type Publish = Callable[[Sequence[Event]], dict[str, str]]
"""Sends events; returns the IDs of those that are refused for good, with the reasons."""


def resume(claim: Claim) -> list[Row] | None:
    """Go on from the rows that an earlier attempt put; ``None`` if none came as far as that.

    Raises ``LakeError`` if one did, and they are not there, or not as they were written.
    """
    if claim.page.state is State.OPEN:
        return None
    body = claim.tools.lake.read(claim.key)
    if body is None and claim.page.state is State.STORED:
        raise LakeError(claim.key)
    return None if body is None else _stored(claim, body)


def store(claim: Claim, rows: Sequence[Row]) -> list[Row]:
    """Put rows at the claim's key, unless an object is there, and go on from what is there.

    Whoever put it: from here on that object alone decides what these rows are.
    """
    body = encode(rows)
    if not claim.tools.lake.put_new(claim.key, body):
        body = _require(claim)
    return _stored(claim, body)


def tell(claim: Claim, rows: Sequence[Row]) -> None:
    """Announce stored rows. What is refused for good is recorded: it must not hold up the rest."""
    tools = claim.tools
    for entry_id, reason in announce_stored(tools.topic.publish, tools.lake, {claim.key: rows}):
        refusal = Refusal(claim.page.window, entry_id, reason, tools.clock())
        tools.timeline.record_refusal(refusal)


def announce_stored(
    publish: Publish, lake: Lake, stored: Mapping[str, Sequence[Row]]
) -> list[tuple[str, str]]:
    """Announce rows by the lake's keys that hold them; what is refused goes out as a reference.

    Returns the entries that are refused even so, with the reasons.
    """
    announced = {
        event.id: (row, key, event)
        for key, rows in stored.items()
        for row in rows
        for event in [announce(row, key, lake.uri(key))]
    }
    refused = publish([event for _, _, event in announced.values()])
    if not refused:
        return []
    references = [
        refer(row, key, lake.uri(key)) for row, key, _ in map(announced.__getitem__, refused)
    ]
    return [(announced[id_][0].entry_id, reason) for id_, reason in publish(references).items()]


def _require(claim: Claim) -> bytes:
    stored = claim.tools.lake.read(claim.key)
    if stored is None:
        raise PermanentError(
            f"the lake has no object {claim.key}, though one was just found there: is it being "
            "deleted? Nothing else can be put in its place"
        )
    return stored


def _stored(claim: Claim, body: bytes) -> list[Row]:
    try:
        rows = decode(body)
    except ValueError as error:
        raise LakeError(claim.key, damage=str(error)) from error
    if claim.page.state is State.WRITING:
        claim.move(state=State.STORED, object=claim.key)
    return rows
