"""The oracle for sweeps judges the rows they store, the index they leave, and their deletions."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from cpd_exporter.model.page import Page, PageState
from cpd_exporter.model.window import Window
from tests.simulation.invariants import Invariant, check
from tests.simulation.lake_text import (
    StoredRow,
    canonical_json,
    content_of_row,
    index_in,
    version_of,
)
from tests.simulation.processes import Process
from tests.simulation.scenario import Scenario
from tests.simulation.source import Snapshot, Source, canonical, content_of, date_of, within
from tests.support.fakes import FakeLake, FakeTimeline


class SweepOracle:
    """``clocks_differ`` bounds the difference between the clocks of two processes.

    Unless ``api_is_sane``, the API may have answered a process wrongly.
    """

    def __init__(self, scenario: Scenario, source: Source, lake: FakeLake) -> None:
        self.scenario = scenario
        self.source = source
        self.lake = lake
        self.now = datetime.min.replace(tzinfo=UTC)
        self.clocks_differ = timedelta(0)
        self.api_is_sane = True
        self._noted: set[tuple[str, datetime]] = set()
        self._deletions: Counter[str] = Counter()
        self._deleted: set[str] = set()
        self._putters: dict[str, Process] = {}
        self._confirmed_through: datetime | None = None
        self._confirmed: set[tuple[str, datetime]] = set()

    def note_confirmation(self, timeline: FakeTimeline) -> None:
        """A confirmation covers the deletions that pages hold at that moment, and no others."""
        breaker = timeline.stored_breaker
        through = breaker.confirmed_through if breaker else None
        if through == self._confirmed_through:
            return
        self._confirmed_through = through
        for page in timeline.stored_pages.values():
            self._confirmed |= {
                (id_, entry.held_at) for id_, entry in page.missing.items() if entry.held_at
            }

    def judge_rows(
        self,
        process: Process,
        sweep: Page,
        key: str,
        rows: Mapping[str, StoredRow],
        covered: Sequence[Page],
        earlier: Iterable[StoredRow],
    ) -> None:
        """Each row that a sweep stores is a change that happened."""
        check(Invariant.EXACT, covered, "a sweep writes, and covers nothing")
        self._putters[key] = process
        indexed = [item for page in covered for item in self._index(page).items()]
        index = dict(sorted(indexed, key=lambda item: _sortable(item[1]["exportedAt"])))
        truths = [within(view.snapshot, sweep.window) for view in process.sees]
        before = max((row["exportedAt"] for row in index.values()), default="")
        exclude = self.scenario.fingerprint_exclude
        last = latest_states(earlier, exclude)
        for entry_id, row in rows.items():
            check(
                Invariant.PURE_EVENTS, _later(row["exportedAt"], before), "no later than the last"
            )
            content = canonical_json(content_of_row(row))
            if row["change"] == "deleted":
                self._judge_deleted(entry_id, content, index, covered)
                self._deleted.add(entry_id)
                continue
            if _date_of_row(row) in sweep.window:
                seen = [truth[entry_id] for truth in truths if entry_id in truth]
            else:
                self._judge_left(entry_id, covered)
                seen = [v.snapshot[entry_id] for v in process.sees if entry_id in v.snapshot]
            versions = {canonical(entry.text) for entry in seen}
            check(Invariant.EXACT, content in versions, f"{entry_id} never had this content here")
            change = "updated" if entry_id in index else "created"
            check(Invariant.EXACT, row["change"] == change, f"{entry_id} should be {change}")
            # The pages that an entry leaves and reaches store the same version of it.
            version = version_of(content_of_row(row), exclude)
            is_new_here = entry_id not in index or version != version_of(
                content_of_row(index[entry_id]), exclude
            )
            is_new = is_new_here or last.get(entry_id) != {version}
            check(Invariant.EXACT, is_new, f"{entry_id} has no change")

    def _judge_left(self, entry_id: str, covered: Sequence[Page]) -> None:
        """A sweep has missed an entry before one looks it up and finds it outside the window."""
        noted = any(entry_id in page.missing for page in covered)
        check(Invariant.EXACT, noted, f"{entry_id} left, but no sweep missed it before")

    def _judge_deleted(
        self, entry_id: str, content: str, index: Mapping[str, StoredRow], covered: Sequence[Page]
    ) -> None:
        there = entry_id in self.source.snapshot()
        check(Invariant.EXACT, not there, f"{entry_id} is deleted in the lake, but exists")
        check(Invariant.EXACT, entry_id in index, f"{entry_id} is deleted, but was in no index")
        last = canonical_json(content_of_row(index[entry_id]))
        check(Invariant.EXACT, content == last, f"{entry_id} is deleted as another version")
        noted = [p.missing[entry_id].since for p in covered if entry_id in p.missing]
        check(Invariant.EXACT, noted, f"{entry_id} is deleted by the first sweep that missed it")
        waited = self.now - max(noted) + self.clocks_differ
        long_enough = waited >= self.scenario.deletion_delay
        check(Invariant.EXACT, long_enough, f"{entry_id} is deleted after only {waited}")
        held = [p.missing[entry_id].held_at for p in covered if entry_id in p.missing]
        is_confirmed = any((entry_id, held_at) in self._confirmed for held_at in held if held_at)
        if not is_confirmed:
            check(Invariant.EXACT, not any(held), f"{entry_id} is held, and deleted unconfirmed")
            day = f"{self.now:%Y-%m-%d}"
            self._deletions[day] += 1
            few = self._deletions[day] <= self.scenario.max_deletions
            check(Invariant.EXACT, few, "more deletions in a day than allowed, unconfirmed")

    def judge_replacement(
        self, process: Process, owners: Sequence[Page], page: Page, pages: Iterable[Page]
    ) -> None:
        """Done pages become done pages of the same range.

        Some page's index holds each entry that is not published as deleted: nobody else would
        publish what becomes of it.
        """
        done = all(owner.state is PageState.DONE for owner in owners)
        reserved = {owner.reserved_by for owner in owners}
        check(Invariant.WRITE_ONCE, done and None not in reserved, "not done, or not reserved")
        check(
            Invariant.NEVER_UNDONE, page.state is PageState.DONE, f"a merged page is {page.state}"
        )
        newer = all(page.generation > owner.generation for owner in owners)
        check(Invariant.WRITE_ONCE, newer, "a generation came again")
        check(
            Invariant.WRITE_ONCE, page.timeline_id == owners[0].timeline_id, "of another timeline"
        )
        is_there = page.index_key is None or page.index_key in self.lake.objects
        check(Invariant.INDEX_FROM_LAKE, is_there, f"{page.index_key} is named, but not there")
        index = self._index(page)
        check(Invariant.INDEX_FROM_LAKE, page.entries == len(index), "entries are miscounted")
        self._judge_left_out(owners, page, pages)
        for entry_id, missing in page.missing.items():
            check(Invariant.INDEX_FROM_LAKE, entry_id in index, "missing, but not in the index")
            if (entry_id, missing.since) in self._noted:
                continue
            earliest = process.started - self.clocks_differ
            seen = earliest <= missing.since <= self.now + self.clocks_differ
            check(Invariant.EXACT, seen, f"{entry_id} was not missed just now")
            self._noted.add((entry_id, missing.since))

    def _judge_left_out(self, owners: Sequence[Page], page: Page, pages: Iterable[Page]) -> None:
        before = {id_ for owner in owners for id_ in self._index(owner)}
        left_out = before - self._index(page).keys() - self._deleted
        if left_out:
            done = [other for other in pages if other.state is PageState.DONE]
            left_out = left_out.difference(*(self._index(other) for other in done))
        check(Invariant.EXACT, not left_out, f"no page has {sorted(left_out)} any more")

    def judge_end(self, process: Process, sweep: Page, pages: Sequence[Page]) -> None:
        """The index after a sweep holds the entries that its own attempt saw."""
        looked = [s for s in process.sees if s.asked is not None]
        written = self._putters.get(sweep.object or "")
        merged = len(pages) == 1 and pages[0].window == sweep.window and not pages[0].reserved_by
        if (
            not self.api_is_sane
            or not merged
            or not looked
            or (sweep.object and written is not process)
        ):
            return
        if pages[0].generation != sweep.generation:
            return  # given up
        index = self._index(pages[0])
        truths = [within(view.snapshot, sweep.window) for view in looked]
        always = set(truths[0]).intersection(*truths[1:]) - self.source.faulty
        for entry_id in always:
            check(Invariant.EXACT, entry_id in index, f"{entry_id} was swept, but not indexed")
            listed = entry_id not in pages[0].missing
            check(Invariant.EXACT, listed, f"{entry_id} is listed, and noted as missing")
            versions = {self._version(truth[entry_id].text) for truth in truths}
            last = version_of(content_of_row(index[entry_id]), self.scenario.fingerprint_exclude)
            check(Invariant.EXACT, last in versions, f"{entry_id} was edited, but no row says so")

    def judge_view(self, rows: Iterable[StoredRow], exported: Window, except_for: set[str]) -> int:
        """Judge the view of a subscriber that keeps the latest row of each entry: it must equal the
        source. Returns the number of entries in the view.
        """
        rows = list(rows)
        for entry_id, states in latest_states(rows, self.scenario.fingerprint_exclude).items():
            # Two pages may store an entry that moves at one instant. A sweep must settle it.
            ordered = len(states) == 1 or entry_id in except_for | self.source.faulty
            check(Invariant.PURE_EVENTS, ordered, f"{entry_id} has two latest rows that differ")
        latest = self._latest(rows)
        source: Snapshot = self.source.snapshot()
        viewed = {
            entry_id: version_of(content_of_row(row), self.scenario.fingerprint_exclude)
            for entry_id, row in latest.items()
            if row["change"] != "deleted"
        }
        for entry_id in source.keys() - self.source.faulty - except_for:
            # What was published once is followed wherever it goes, beyond the exported time too.
            if date_of(source[entry_id]) in exported or entry_id in latest:
                same = viewed.get(entry_id) == self._version(source[entry_id].text)
                check(Invariant.EXACT, same, f"the view of {entry_id} is outdated")
        ghosts = viewed.keys() - source.keys() - except_for
        check(Invariant.EXACT, not ghosts, f"in the view, but deleted: {sorted(ghosts)}")
        return len(viewed)

    def judge_month(
        self, month: str, rows: Iterable[StoredRow], exported: Window, except_for: set[str]
    ) -> None:
        """Judge a query of one month's rows: the latest of each entry, without the deleted ones and
        those whose date lies in another, are the entries of the month's exported time.
        """
        viewed = {
            entry_id: version_of(content_of_row(row), self.scenario.fingerprint_exclude)
            for entry_id, row in self._latest(rows).items()
            if row["change"] != "deleted"
            and f"{_date_of_row(row):%Y-%m}" == month
            and _date_of_row(row) in exported
        }
        source = {
            entry_id: entry
            for entry_id, entry in within(self.source.snapshot(), exported).items()
            if f"{date_of(entry):%Y-%m}" == month
        }
        for entry_id in (viewed.keys() | source.keys()) - self.source.faulty - except_for:
            there = source.get(entry_id)
            same = viewed.get(entry_id) == (self._version(there.text) if there else None)
            check(Invariant.EXACT, same, f"the view of {month} has {entry_id} wrong")

    def _latest(self, rows: Iterable[StoredRow]) -> dict[str, StoredRow]:
        """The latest row of each entry. No deletion is stored again."""
        latest: dict[str, StoredRow] = {}
        for row in sorted(rows, key=lambda row: _sortable(row["exportedAt"])):
            before = latest.get(row["logEntryId"])
            if row["change"] == "deleted":
                # Two pages may each delete an entry that moved and was gone before the first page
                # was swept: they had it at different dates.
                same = before and before["fingerprint"] == row["fingerprint"]
                again = before is None or (before["change"] == "deleted" and same)
                check(Invariant.EXACT, not again, f"{row['logEntryId']} is deleted again")
            latest[row["logEntryId"]] = row
        return latest

    def _version(self, text: str) -> str:
        return version_of(content_of(text), self.scenario.fingerprint_exclude)

    def _index(self, page: Page) -> dict[str, StoredRow]:
        return index_in(page, self.lake.objects)


def latest_states(rows: Iterable[StoredRow], exclude: frozenset[str]) -> dict[str, set[str | None]]:
    """The versions that a subscriber may take for each entry's latest; ``None`` is "deleted".

    There are several if rows of one entry have the same ``exportedAt``: nothing orders them.
    """
    latest: dict[str, tuple[datetime, set[str | None]]] = {}
    for row in rows:
        at = _sortable(row["exportedAt"])
        state = None if row["change"] == "deleted" else version_of(content_of_row(row), exclude)
        before, states = latest.get(row["logEntryId"], (at, set()))
        if at > before:
            states = set()
        if at >= before:
            latest[row["logEntryId"]] = (at, states | {state})
    return {entry_id: states for entry_id, (_, states) in latest.items()}


def _date_of_row(row: StoredRow) -> datetime:
    return _sortable(row["entryDate"])


def _sortable(instant: str) -> datetime:
    return datetime.fromisoformat(instant)


def _later(instant: str, before: str) -> bool:
    return not before or _sortable(instant) > _sortable(before)
