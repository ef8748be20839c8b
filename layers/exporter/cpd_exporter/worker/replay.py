"""Replays: publish stored rows again, without the API, so that events equal the earlier ones byte
for byte.

A replay of a range of dates publishes the last row of each entry, page by page. A replay of a span
of time publishes every row that was stored in it, superseded ones and deletions too, in the order
in which the lake's objects were written. Both are lists of steps. The job's cursor and place say
which step is next, so a worker's death repeats ``MAX_ROWS_PER_POSITION`` events at most, beside
those of entries that left their page.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import batched

from cpd_exporter.errors import LakeError, PermanentError
from cpd_exporter.model.entry import FaultyEntry, read_entry
from cpd_exporter.model.page import Page, PageState
from cpd_exporter.model.page_index import IndexEntry
from cpd_exporter.model.row import Row, StoredRows
from cpd_exporter.model.timestamps import floor_second
from cpd_exporter.model.window import Window
from cpd_exporter.ports import HasTimeLeft
from cpd_exporter.worker.context import Outcome, WorkReport
from cpd_exporter.worker.job_claim import JobClaim
from cpd_exporter.worker.lake_reader import LakeReader, share_of_index
from cpd_exporter.worker.publish import (
    MAX_ROWS_AT_ONCE,
    MAX_ROWS_PER_POSITION,
    publish_stored,
    publisher_for,
)

_GENERATION = re.compile(r"_g(\d+)_[^/]*$")

CLOCK_GRACE = timedelta(hours=1)
"""A row is stored before its object is written; the clocks of worker and lake differ by less."""


@dataclass(frozen=True, slots=True)
class Step:
    """Rows to publish at once, by their lake keys, and how far the job is after that.

    ``ends_page``: the cursor is at the end of a page, and is stored whatever was published.
    """

    rows: Mapping[str, Sequence[Row]]
    cursor: datetime
    after: str = ""
    position: int = 0
    ends_page: bool = False


def replay(claim: JobClaim, has_time_left: HasTimeLeft) -> WorkReport:
    """Replay a range of entry dates, for as long as ``has_time_left``.

    A page that is not done is left out: whoever ends it publishes it.
    """
    return _publish(claim, _steps_by_date(claim), has_time_left)


def replay_stored(claim: JobClaim, has_time_left: HasTimeLeft) -> WorkReport:
    """Replay all rows stored in a span of time, for as long as ``has_time_left``."""
    return _publish(claim, _steps_by_storing(claim), has_time_left)


@dataclass(slots=True)
class _Total:
    replayed: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)

    def report(self, outcome: Outcome) -> WorkReport:
        """The report's error names refused events: they were recorded when they were first sent."""
        if not self.refused:
            return WorkReport(outcome, replayed=self.replayed)
        entry_id, reason = self.refused[0]
        error = PermanentError(
            f"{len(self.refused)} events were refused, as references too; the first is of entry "
            f"{entry_id}: {reason}"
        )
        return WorkReport(outcome, replayed=self.replayed - len(self.refused), error=error)


def _publish(claim: JobClaim, steps: Iterator[Step], has_time_left: HasTimeLeft) -> WorkReport:
    """Do one step at least, and store how far the job is now and then."""
    publish, total, unsaved = publisher_for(claim), _Total(), Counter[str]()
    for step in steps:
        refused = publish_stored(publish, claim.context.lake, step.rows) if step.rows else []
        count = sum(map(len, step.rows.values()))
        total.refused += refused
        total.replayed += count
        unsaved += Counter(replayed=count - len(refused), refused=len(refused))
        is_over = not has_time_left()
        is_due = unsaved.total() >= MAX_ROWS_PER_POSITION or claim.is_save_due
        if is_over or step.ends_page or is_due:
            claim.progress(step.cursor, step.after, step.position, **unsaved)
            unsaved.clear()
        if is_over:
            claim.pause()
            return total.report(Outcome.PAUSED)
    claim.end(counts=unsaved)
    return total.report(Outcome.DONE)


# ── by the entries' dates ────────────────────────────────────────────────────────────────────────


def _steps_by_date(claim: JobClaim) -> Iterator[Step]:
    """A page's entries in the order of their dates and IDs. A place in that order still holds after
    the page is merged with others.
    """
    cursor, after = claim.job.cursor, claim.job.after
    while page := claim.find_page_from(cursor):
        share = claim.share_of(page, cursor)
        if page.state is PageState.DONE:
            yield from _steps_of_page(LakeReader(claim.context.lake), page, share, after)
        cursor, after = share.end, ""
        yield Step({}, cursor, ends_page=True)


def _steps_of_page(reader: LakeReader, page: Page, share: Window, after: str) -> Iterator[Step]:
    index = share_of_index(reader.read_index(page), page.window, share)
    # Those that left the page have no place in the order of its dates, and go first each time.
    gone = [id_ for id_, indexed in index.items() if indexed.date not in share]
    for ids in batched(gone, MAX_ROWS_AT_ONCE, strict=False):
        yield Step(_last_rows(reader, index, ids), share.start, after)
    places = sorted(
        (_place(indexed.date, id_), id_) for id_, indexed in index.items() if indexed.date in share
    )
    left = [(place, id_) for place, id_ in places if place > after]
    for some in batched(left, MAX_ROWS_AT_ONCE, strict=False):
        place, last = some[-1]
        rows = _last_rows(reader, index, [id_ for _, id_ in some])
        yield Step(rows, floor_second(index[last].date), place)


def _last_rows(
    reader: LakeReader, index: Mapping[str, IndexEntry], ids: Sequence[str]
) -> dict[str, list[Row]]:
    """The last rows of some entries, by the objects that hold them."""
    rows: dict[str, list[Row]] = {}
    for id_ in ids:
        rows.setdefault(index[id_].object, []).append(_sound_row(reader, id_, index[id_]))
    return rows


def _sound_row(reader: LakeReader, entry_id: str, indexed: IndexEntry) -> Row:
    row = reader.read_last_row(entry_id, indexed)
    is_entry = not isinstance(read_entry(row.text), FaultyEntry)
    if row.fingerprint != indexed.fingerprint or not is_entry:
        damage = f"the row of entry {entry_id} is not the published one"
        raise LakeError(indexed.object, damage=damage)
    return row


# ── by the time of storing ───────────────────────────────────────────────────────────────────────


def _steps_by_storing(claim: JobClaim) -> Iterator[Step]:
    """The rows of all objects that were written since the span's start, the earliest first.

    The pages name only objects that hold a last row, so the lake lists them all.
    """
    job, lake = claim.job, claim.context.lake
    since = job.cursor if job.after else job.start - CLOCK_GRACE
    for place, at, key in sorted(_placed(lake.entries_since(since))):
        if place < job.after:
            continue
        rows = LakeReader(lake).read_object(key)
        # All rows of one object were stored at one instant.
        is_in_span = bool(rows) and job.start <= rows[0].exported_at < job.end
        start = job.position if place == job.after else 0
        if start and start >= len(rows):
            continue  # all of it is done
        for begin in range(start, len(rows) if is_in_span else 0, MAX_ROWS_AT_ONCE):
            some: StoredRows = rows[begin : begin + MAX_ROWS_AT_ONCE]
            yield Step({key: some}, at, place, begin + len(some))
        yield Step({}, at, place, len(rows))


def _placed(objects: Iterable[tuple[datetime, str]]) -> Iterator[tuple[str, datetime, str]]:
    """The place, time and key of objects of rows. Of two objects of one second, the one that
    follows from the other has the higher generation.
    """
    for at, key in objects:
        named = _GENERATION.search(key)
        if named is not None:
            yield _place(at, f"{int(named[1]):09} {key}"), at, key


def _place(instant: datetime, name: str) -> str:
    """A place in an order by instant and name, as text that sorts in this order."""
    return f"{instant.astimezone(UTC).isoformat(timespec='microseconds')} {name}"
