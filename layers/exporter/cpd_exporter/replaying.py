"""The replay: what is known is announced again from the lake, without the API.

Each entry with the row that it was last told with: the event is the one of that time, byte for
byte. Earlier versions and deletions are not told again.
"""

from collections.abc import Callable
from functools import partial

from cpd_exporter.claiming import Outcome, RequestClaim, WorkReport
from cpd_exporter.errors import LakeError, PermanentError
from cpd_exporter.knowing import LakeReader, by_object
from cpd_exporter.model.entries import FaultyEntry, read_entry
from cpd_exporter.model.known import KnownEntry
from cpd_exporter.model.rows import Row
from cpd_exporter.model.timeline import Page, State
from cpd_exporter.model.windows import Window
from cpd_exporter.ports import Lake
from cpd_exporter.storing import Publish, announce_stored


def replay(claim: RequestClaim, may_go_on: Callable[[], bool]) -> WorkReport:
    """Replay page by page for as long as ``may_go_on``, but one page at the least.

    A page that is not done is left out: whoever ends it will tell it. What is refused for good is
    in the report's error: it was recorded when it was told first.
    """
    publish = _publisher(claim)
    replayed = 0
    refused: list[tuple[str, str]] = []
    while page := claim.page_from(claim.request.cursor):
        share = claim.share_of(page, claim.request.cursor)
        if page.state is State.DONE:
            stored = _last_rows(claim.tools.lake, page, share)
            refused += announce_stored(publish, claim.tools.lake, stored)
            replayed += sum(map(len, stored.values()))
        claim.progress(share.end)
        if not may_go_on() and claim.page_from(claim.request.cursor):
            claim.pause()
            return _report(Outcome.PAUSED, replayed, refused)
    claim.end()
    return _report(Outcome.DONE, replayed, refused)


def _publisher(claim: RequestClaim) -> Publish:
    if claim.request.queue_arn is None:
        return claim.tools.topic.publish
    return partial(claim.tools.mailbox.deliver, claim.request.queue_arn)


def _last_rows(lake: Lake, page: Page, share: Window) -> dict[str, list[Row]]:
    """The rows that a page's entries were last told with, by the objects that hold them."""
    reader = LakeReader(lake)
    known = {id_: entry for id_, entry in reader.known_of(page).items() if entry.date in share}
    return {
        key: [_sound_row(reader, entry_id, entry) for entry_id, entry in entries.items()]
        for key, entries in by_object(known).items()
    }


def _sound_row(reader: LakeReader, entry_id: str, known: KnownEntry) -> Row:
    row = reader.last_row(entry_id, known)
    if row.fingerprint != known.fingerprint or isinstance(read_entry(row.content, ""), FaultyEntry):
        raise LakeError(known.object, damage=f"the row of entry {entry_id} is not the one told")
    return row


def _report(outcome: Outcome, replayed: int, refused: list[tuple[str, str]]) -> WorkReport:
    if not refused:
        return WorkReport(outcome, replayed=replayed)
    entry_id, reason = refused[0]
    error = PermanentError(
        f"{len(refused)} events were refused, as references too; the first is of entry "
        f"{entry_id}: {reason}"
    )
    return WorkReport(outcome, replayed=replayed - len(refused), error=error)
