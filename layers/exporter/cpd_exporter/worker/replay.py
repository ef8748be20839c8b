"""The replay: publishes the entries of a range again from the lake, without the API.

Each entry goes out with its last row, so that the event equals the earlier one byte for byte.
Earlier versions and deletions are not published again.
"""

from collections.abc import Iterator, Mapping
from functools import partial

from cpd_exporter.errors import LakeError, PermanentError
from cpd_exporter.model.entry import FaultyEntry, read_entry
from cpd_exporter.model.page import Page, PageState
from cpd_exporter.model.page_index import IndexEntry
from cpd_exporter.model.row import Row, StoredRows
from cpd_exporter.model.window import Window
from cpd_exporter.ports import HasTimeLeft, Lake
from cpd_exporter.worker.attempt import JobClaim
from cpd_exporter.worker.context import Outcome, WorkReport
from cpd_exporter.worker.lake_reader import LakeReader, by_object, share_of_index
from cpd_exporter.worker.publish import MAX_ROWS_AT_ONCE, Publish, publish_stored


def replay(claim: JobClaim, has_time_left: HasTimeLeft) -> WorkReport:
    """Replay page by page for as long as ``has_time_left``, but one page at least.

    A page that is not done is left out: whoever ends it publishes it. The report's error names
    refused events, which were recorded when they were published first.
    """
    publish = _publisher(claim)
    replayed = 0
    refused: list[tuple[str, str]] = []
    while page := claim.find_page_from(claim.job.cursor):
        share = claim.share_of(page, claim.job.cursor)
        if page.state is PageState.DONE:
            stored = _last_rows(claim.context.lake, page, share)
            for some in _batches(stored):
                refused += publish_stored(publish, claim.context.lake, some)
                claim.renew_lease()
            replayed += sum(map(len, stored.values()))
        claim.progress(share.end)
        if not has_time_left() and claim.find_page_from(claim.job.cursor):
            claim.pause()
            return _report(Outcome.PAUSED, replayed, refused)
    claim.end()
    return _report(Outcome.DONE, replayed, refused)


def _publisher(claim: JobClaim) -> Publish:
    if claim.job.queue_arn is None:
        return claim.context.topic.publish
    return partial(claim.context.replay_queue.deliver, claim.job.queue_arn)


def _last_rows(lake: Lake, page: Page, share: Window) -> dict[str, StoredRows]:
    """The last rows of a page's entries, by the objects that hold them."""
    reader = LakeReader(lake)
    index = share_of_index(reader.read_index(page), page.window, share)
    return {
        key: StoredRows.of(
            _sound_row(reader, entry_id, entry) for entry_id, entry in entries.items()
        )
        for key, entries in by_object(index).items()
    }


def _batches(stored: Mapping[str, StoredRows]) -> Iterator[dict[str, StoredRows]]:
    for key, rows in stored.items():
        for start in range(0, len(rows), MAX_ROWS_AT_ONCE):
            yield {key: rows[start : start + MAX_ROWS_AT_ONCE]}


def _sound_row(reader: LakeReader, entry_id: str, indexed: IndexEntry) -> Row:
    row = reader.read_last_row(entry_id, indexed)
    is_entry = not isinstance(read_entry(row.text), FaultyEntry)
    if row.fingerprint != indexed.fingerprint or not is_entry:
        damage = f"the row of entry {entry_id} is not the published one"
        raise LakeError(indexed.object, damage=damage)
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
