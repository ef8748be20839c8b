"""What must be true of sweeps: what they tell, what they know, and when they are silent."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from cpd_exporter.model.timeline import Page, State
from cpd_exporter.model.windows import Window
from tests.fakes import FakeLake
from tests.simulation.invariants import Invariant, check
from tests.simulation.lake_text import Row, canonical_json, content_of_row, known_in
from tests.simulation.processes import Process
from tests.simulation.scenario import Scenario
from tests.simulation.source import Snapshot, Source, canonical, date_of, within


class SweepOracle:
    """``clocks_differ`` is by how much, at the most, two processes may disagree on the time.

    Unless ``api_is_sane``, what a process saw is not what there was.
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
        self._putters: dict[str, Process] = {}

    def judge_rows(
        self,
        process: Process,
        sweep: Page,
        key: str,
        rows: Mapping[str, Row],
        covered: Sequence[Page],
        earlier: Iterable[Row],
    ) -> None:
        """Each row that a sweep stores tells a change that there was."""
        check(Invariant.EXACT, covered, "a sweep writes, and covers nothing")
        self._putters[key] = process
        known = {id_: row for page in covered for id_, row in self._known(page).items()}
        truths = [within(sight.snapshot, sweep.window) for sight in process.sees]
        before = max((row["exportedAt"] for row in known.values()), default="")
        last = {
            row["logEntryId"]: row["change"] != "deleted" and canonical_json(content_of_row(row))
            for row in sorted(earlier, key=lambda row: _sortable(row["exportedAt"]))
        }
        for entry_id, row in rows.items():
            check(Invariant.PURE_EVENTS, _later(row["exportedAt"], before), "told before the last")
            content = canonical_json(content_of_row(row))
            if row["change"] == "deleted":
                self._judge_deleted(entry_id, content, known, covered)
                continue
            versions = {canonical(truth[entry_id].text) for truth in truths if entry_id in truth}
            check(Invariant.EXACT, content in versions, f"{entry_id} never was like that here")
            change = "updated" if entry_id in known else "created"
            check(Invariant.EXACT, row["change"] == change, f"{entry_id} is told as {change}")
            check(Invariant.EXACT, content != last.get(entry_id), f"{entry_id} is told as it was")

    def _judge_deleted(
        self, entry_id: str, content: str, known: Mapping[str, Row], covered: Sequence[Page]
    ) -> None:
        there = entry_id in self.source.snapshot()
        check(Invariant.EXACT, not there, f"{entry_id} is told as deleted, and is there")
        check(Invariant.EXACT, entry_id in known, f"{entry_id} is told as deleted, but was unknown")
        last = canonical_json(content_of_row(known[entry_id]))
        check(Invariant.EXACT, content == last, f"{entry_id} is deleted as what it was not")
        noted = [p.missing[entry_id].since for p in covered if entry_id in p.missing]
        check(Invariant.EXACT, noted, f"{entry_id} is told as deleted when first missed")
        waited = self.now - max(noted) + self.clocks_differ
        long_enough = waited >= self.scenario.deletion_delay
        check(Invariant.EXACT, long_enough, f"{entry_id} is told as deleted after {waited}")
        if not any(page.confirmed_at and max(noted) <= page.confirmed_at for page in covered):
            day = f"{self.now:%Y-%m-%d}"
            self._deletions[day] += 1
            few = self._deletions[day] <= self.scenario.most_deletions
            check(Invariant.EXACT, few, "more deletions in a day than may be told unasked")

    def judge_replacement(self, process: Process, owners: Sequence[Page], page: Page) -> None:
        """Done pages become done pages of the same stretch."""
        done = all(owner.state is State.DONE for owner in owners)
        reserved = {owner.reserved_by for owner in owners}
        check(Invariant.WRITE_ONCE, done and None not in reserved, "not done, or not reserved")
        check(Invariant.NEVER_UNDONE, page.state is State.DONE, f"a merged page is {page.state}")
        newer = all(page.generation > owner.generation for owner in owners)
        check(Invariant.WRITE_ONCE, newer, "a generation came again")
        check(Invariant.WRITE_ONCE, page.epoch == owners[0].epoch, "of another timeline")
        known = self._known(page)
        check(Invariant.KNOWN_FROM_LAKE, page.entries == len(known), "entries are miscounted")
        for entry_id, missing in page.missing.items():
            check(Invariant.KNOWN_FROM_LAKE, entry_id in known, "missing, and not known")
            if (entry_id, missing.since) in self._noted:
                continue
            earliest = process.started - self.clocks_differ
            seen = earliest <= missing.since <= self.now + self.clocks_differ
            check(Invariant.EXACT, seen, f"{entry_id} was noted as missing when nobody looked")
            self._noted.add((entry_id, missing.since))

    def judge_end(self, process: Process, sweep: Page, pages: Sequence[Page]) -> None:
        """What is known after a sweep is what it saw, unless it ended what another had written."""
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
        known = self._known(pages[0])
        truths = [within(sight.snapshot, sweep.window) for sight in looked]
        always = set(truths[0]).intersection(*truths[1:]) - self.source.faulty
        for entry_id in always:
            check(Invariant.EXACT, entry_id in known, f"{entry_id} was swept, and is not known")
            listed = entry_id not in pages[0].missing
            check(Invariant.EXACT, listed, f"{entry_id} is listed, and noted as missing")
            versions = {canonical(truth[entry_id].text) for truth in truths}
            last = canonical_json(content_of_row(known[entry_id]))
            check(Invariant.EXACT, last in versions, f"{entry_id} was edited, and nobody told")

    def judge_view(self, rows: Iterable[Row], exported: Window, except_for: set[str]) -> int:
        """What a subscriber believes who takes the latest row of each entry: it is what there is.

        Returns how many entries that is.
        """
        latest: dict[str, Row] = {}
        for row in sorted(rows, key=lambda row: _sortable(row["exportedAt"])):
            before = latest.get(row["logEntryId"])
            if row["change"] == "deleted":
                # Two pages may each tell it, which knew the entry at different dates: if it moved,
                # and was gone before the first one looked.
                same = before and before["fingerprint"] == row["fingerprint"]
                again = before is None or (before["change"] == "deleted" and same)
                check(Invariant.EXACT, not again, f"{row['logEntryId']} is told as deleted again")
            latest[row["logEntryId"]] = row
        source: Snapshot = self.source.snapshot()
        believed = {
            entry_id: canonical_json(content_of_row(row))
            for entry_id, row in latest.items()
            if row["change"] != "deleted"
        }
        for entry_id in source.keys() - self.source.faulty - except_for:
            if date_of(source[entry_id]) in exported:
                same = believed.get(entry_id) == canonical(source[entry_id].text)
                check(Invariant.EXACT, same, f"{entry_id} is not believed to be what it is")
        ghosts = believed.keys() - source.keys() - except_for
        check(Invariant.EXACT, not ghosts, f"believed to be there, and deleted: {sorted(ghosts)}")
        return len(believed)

    def _known(self, page: Page) -> dict[str, Row]:
        return known_in(page, self.lake.objects)


def _sortable(instant: str) -> datetime:
    return datetime.fromisoformat(instant)


def _later(instant: str, before: str) -> bool:
    return not before or _sortable(instant) > _sortable(before)
