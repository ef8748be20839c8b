"""The oracle judges the export from outside: at every effect of a process, and once all is at rest.

It shares no code with the package but its data types: it reads objects, events and keys by the
design alone. It compares the stored state with the one before, so the same rules judge a new use
case without any change here.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cpd_exporter.model.page import Page, PageState, WorkKind
from cpd_exporter.model.watermark import Watermark
from cpd_exporter.model.window import Window
from tests.simulation.event_oracle import EventOracle
from tests.simulation.invariants import Invariant, Violation, check
from tests.simulation.lake_text import (
    StoredRow,
    canonical_json,
    content_of_row,
    place_of,
    rows_in,
    version_of,
)
from tests.simulation.processes import PortCall, Process
from tests.simulation.scenario import SETTLE, Scenario
from tests.simulation.source import Source, SourceView, canonical, content_of, within
from tests.simulation.sweep_oracle import SweepOracle
from tests.support.fakes import FakeLake, FakeTimeline, FakeTopic

MOVES = {
    PageState.OPEN: {PageState.OPEN, PageState.WRITING, PageState.DONE},
    PageState.WRITING: {PageState.WRITING, PageState.STORED},
    PageState.STORED: {PageState.STORED, PageState.DONE},
    PageState.DONE: {PageState.DONE},
}
_OTHER_PLACES = ("quarantine/", "index/", "readings/", "reports/")
ATTEMPTS = 5
"""The number of claims after which a page may become a hole."""


class Oracle:
    """Watches one world: call ``observe`` after every effect and ``at_rest`` at the end.

    ``verified`` counts the untouched entries that ``at_rest`` found exactly once. While
    ``outages_only``, no event excuses a hole. If the exporter ``is_lied_to``, a page may lack
    entries until ``judge_view``.
    """

    def __init__(
        self,
        scenario: Scenario,
        source: Source,
        timeline: FakeTimeline,
        lake: FakeLake,
        topic: FakeTopic,
    ) -> None:
        self.scenario = scenario
        self.source = source
        self.timeline = timeline
        self.lake = lake
        self.topic = topic
        self.now = datetime.min.replace(tzinfo=UTC)
        self.verified = 0
        self.is_lied_to = False
        self.outages_only = not (scenario.poison or scenario.may_stay_holes)
        self._pages: dict[datetime, Page] = {}
        self._watermark: Watermark | None = None
        self._objects: dict[str, bytes] = {}
        self.rows_by_key: dict[str, dict[str, Any]] = {}
        self._saved_views: dict[str, tuple[SourceView, ...]] = {}
        self._published = 0
        self._earlier_keys: set[str] = set()
        self._stored_keys: dict[str, None] = {}
        self._sweeps: dict[datetime, Page] = {}
        self.events = EventOracle(scenario, timeline.tenant_id, lake.bucket)
        self.sweeps = SweepOracle(scenario, source, lake)

    def begin_again(self, timeline: FakeTimeline) -> None:
        """Another timeline takes over; it may use none of the earlier timeline's keys."""
        self.timeline = timeline
        self._earlier_keys |= self.rows_by_key.keys()
        self._pages, self._sweeps, self._watermark = {}, {}, None
        self._stored_keys = {}

    # ── at every effect ──────────────────────────────────────────────────────────────────────

    def observe(self, process: Process, call: PortCall, answer: Any) -> None:
        """Judge the effect of this call of this process."""
        if call.port == "api":
            asked = call.args[0] if call.method == "query" else None
            process.sees.append(SourceView(asked, self.source.snapshot()))
        elif call.name == "lake.read":
            # Whoever goes on with the progress of a dense reading has seen what it holds.
            process.sees[:0] = self._saved_views.get(call.args[0], ())
        elif call.writes:
            self.sweeps.now = self.now
            self.sweeps.note_confirmation(self.timeline)
            # Only calls of a store change what is in it.
            if call.port == "lake":
                self._judge_objects(process)
            if call.port == "timeline":
                self._judge_pages(process)
                self._judge_watermark()
            self._judge_events()

    def _judge_objects(self, process: Process) -> None:
        objects = self.lake.objects
        named = {page.index_key for page in self.timeline.stored_pages.values()}
        for key, body in list(self._objects.items()):
            if key.startswith("index/") and key not in objects:
                check(
                    Invariant.INDEX_FROM_LAKE, key not in named, f"{key} was removed, but is named"
                )
                del self._objects[key]
                continue
            check(Invariant.WRITE_ONCE, objects.get(key) is body, f"{key} was overwritten")
        for key in [key for key in objects if key not in self._objects]:
            self._objects[key] = objects[key]
            if key.startswith("entries/"):
                self._judge_new_rows(process, key)
            else:
                check(Invariant.WRITE_ONCE, key.startswith(_OTHER_PLACES), f"{key} is in no folder")
                if key.startswith("readings/"):
                    self._saved_views[key] = tuple(process.sees)
                if key.startswith("index/"):
                    self._judge_index(key, objects[key])

    def _judge_index(self, key: str, body: bytes) -> None:
        """A page index is named by its content, which depends on nothing but its entries."""
        named = key.endswith(f"_{hashlib.sha256(body).hexdigest()[:16]}.jsonl.gz")
        check(Invariant.INDEX_FROM_LAKE, named, f"{key} is not named by its content")
        nameless = body[:8] == b"\x1f\x8b\x08\0" + bytes(4)
        check(Invariant.INDEX_FROM_LAKE, nameless, f"the header of {key} names a file or a time")

    def _judge_new_rows(self, process: Process, key: str) -> None:
        place = place_of(key)
        check(Invariant.WRITE_ONCE, place, f"{key} is no key of the design's")
        assert place is not None
        work = [items.get(place.start) for items in (self._pages, self._sweeps)]
        reserved = [
            page for page in work if page and page.state is PageState.WRITING and place.is_of(page)
        ]
        check(Invariant.WRITE_ONCE, len(reserved) == 1, f"{key} is not reserved; there is {work}")
        [page] = reserved
        rows = self.rows_by_key[key] = rows_in(self.lake.objects[key])
        for row in rows.values():
            version = version_of(content_of_row(row), self.scenario.fingerprint_exclude)
            fingerprint = hashlib.sha256(version.encode()).hexdigest()
            check(Invariant.EXACT, row["fingerprint"] == fingerprint, "fingerprint")
            check(Invariant.EXACT, row["tenantId"] == self.timeline.tenant_id, "tenant")
            check(Invariant.EXACT, row["schemaVersion"] == 1, "schema")
        if page.kind is WorkKind.SWEEP:
            earlier = [row for row in self.rows if row["logEntryId"] in rows]
            self.sweeps.judge_rows(process, page, key, rows, self._covered_by(page), earlier)
        else:
            self._judge_truth(process, page.window, rows)

    def _covered_by(self, sweep: Page) -> list[Page]:
        name = sweep.name
        return [page for page in self._pages.values() if page.reserved_by == name]

    def _judge_truth(self, process: Process, window: Window, rows: dict[str, Any]) -> None:
        """The rows are the entries that the process saw. If the source changed during a reading of
        many responses, the rows hold every entry that was there all the time, and no entry that
        never was.
        """
        check(Invariant.EXACT, process.sees, f"{process.name} wrote {window} without reading it")
        truths = [within(view.snapshot, window) for view in process.sees]
        always = set(truths[0]).intersection(*truths[1:]) - self.source.faulty
        missing = always - rows.keys()
        check(Invariant.EXACT, self.is_lied_to or not missing, f"{window}: lost {sorted(missing)}")
        for entry_id, row in rows.items():
            versions = {canonical(truth[entry_id].text) for truth in truths if entry_id in truth}
            check(
                Invariant.EXACT,
                entry_id not in self.source.faulty
                and canonical_json(content_of_row(row)) in versions,
                f"{window}: the row of {entry_id} is none of its versions in this window",
            )
            check(Invariant.EXACT, row["change"] == "created", f"{entry_id} is {row['change']}")

    def _judge_pages(self, process: Process) -> None:
        before, after = self._pages, self.timeline.stored_pages
        sweeps, self._sweeps = self._sweeps, dict(self.timeline.stored_sweeps)
        if before == after and sweeps == self._sweeps:
            return
        self._pages = dict(after)
        self._judge_tiling()
        self._judge_passed()
        for start, sweep in self._sweeps.items():
            if (was := sweeps.get(start)) is not None and was.name == sweep.name:
                self._judge_move(process, was, sweep)
        changed = [page for start, page in after.items() if before.get(start) is not page]
        for page in changed:
            self._judge_month(page.window)
            old = before.get(page.window.start)
            if old is not None and old.name == page.name:
                self._judge_move(process, old, page)
                continue
            owners = [p for p in before.values() if _overlap(p.window, page.window)]
            if not owners:
                self._judge_new(process, page)
            elif any(owner.state is PageState.DONE for owner in owners):
                self.sweeps.judge_replacement(process, owners, page, self._pages.values())
            else:
                self._judge_split(owners, page)
        gone = [was for start, was in sweeps.items() if not _is_there(was, self._sweeps)]
        for sweep in gone:
            self._judge_end_of_sweep(process, sweep)

    def _judge_end_of_sweep(self, process: Process, sweep: Page) -> None:
        """The reserved pages are free again, or replaced, and no written row is lost."""
        check(Invariant.WRITE_ONCE, sweep.state is not PageState.WRITING, "ended amid writing")
        left = self._covered_by(sweep)
        check(Invariant.TILES, not left, "pages stay reserved for a sweep that is gone")
        if sweep.state is PageState.STORED:
            self._judge_all_published(sweep)
        pages = [p for p in self._pages.values() if _covers(sweep.window, p.window)]
        self.sweeps.judge_end(process, sweep, pages)

    def _judge_tiling(self) -> None:
        watermark = self.timeline.stored_watermark
        if watermark is None:
            check(Invariant.TILES, not self._pages, "there are pages, but no watermark")
            return
        reached = watermark.origin
        for start in sorted(self._pages):
            if start != reached:
                raise Violation(Invariant.TILES, f"gap or overlap between pages at {start}")
            reached = self._pages[start].window.end
        is_tiled = reached == watermark.planned_through
        check(Invariant.TILES, is_tiled, "pages do not tile what is planned")

    def _judge_month(self, window: Window) -> None:
        start, last = window.start, window.end - timedelta(seconds=1)
        one = (start.year, start.month) == (last.year, last.month)
        check(Invariant.TILES, one, f"the page {window} is in two months")

    def _judge_new(self, process: Process, page: Page) -> None:
        if page.state is PageState.DONE:
            self._judge_empty(process, page)
        else:
            check(Invariant.DONE_IS_A_STATE, page.state is PageState.OPEN, f"new, but {page.state}")

    def _judge_split(self, owners: Sequence[Page], part: Page) -> None:
        for old in owners:
            is_open = old.state is PageState.OPEN
            check(Invariant.WRITE_ONCE, is_open, f"a page was split in state {old.state}")
            check(Invariant.WRITE_ONCE, part.generation > old.generation, "a generation came again")
        check(Invariant.NEVER_UNDONE, part.state is PageState.OPEN, f"a part is born {part.state}")

    def _judge_move(self, process: Process, old: Page, page: Page) -> None:
        lost = Invariant.NEVER_UNDONE if old.state is PageState.DONE else Invariant.WRITE_ONCE
        check(lost, page.state in MOVES[old.state], f"a page went from {old.state} to {page.state}")
        same_timeline = page.timeline_id == old.timeline_id
        check(Invariant.WRITE_ONCE, same_timeline, "a page changed its timeline")
        if old.state is PageState.DONE:
            # A sweep may reserve it and set it free; one that is given up leaves its error.
            same = replace(
                old,
                sent_at=page.sent_at,
                revision=page.revision,
                reserved_by=page.reserved_by,
            )
            if old.reserved_by and not page.reserved_by:
                same = replace(same, error=page.error, updated_at=page.updated_at)
            check(Invariant.NEVER_UNDONE, same == page, "a done page was written")
            written = old.revision != page.revision or old == replace(page, sent_at=old.sent_at)
            check(Invariant.NEVER_UNDONE, written, "written without a new revision")
        if page.hole_since is not None and old.hole_since is None:
            self._judge_hole(page)
        if page.state is old.state:
            return
        if page.state in (PageState.WRITING, PageState.DONE) and old.state is PageState.OPEN:
            self._judge_quarantine(process, page)
        if page.state is PageState.STORED:
            key = page.object
            there = key in self.lake.objects
            check(Invariant.STORED_FIRST, there, f"{page.window} is stored, but nothing is there")
            assert key is not None
            self._stored_keys.setdefault(key)
            own = key not in self._earlier_keys
            check(Invariant.WRITE_ONCE, own, "one key for two pieces of work")
        if page.state is PageState.DONE and old.state is PageState.OPEN:
            self._judge_empty(process, page)
        if page.state is PageState.DONE and old.state is PageState.STORED:
            self._judge_all_published(page)

    def _judge_hole(self, page: Page) -> None:
        check(Invariant.WATERMARK, page.error, f"the hole {page.window} has no error")
        check(
            Invariant.WATERMARK,
            not self.outages_only and page.attempts >= ATTEMPTS,
            f"{page.window} is a hole after {page.attempts} attempts, outages={self.outages_only}",
        )

    def _judge_empty(self, process: Process, page: Page) -> None:
        """The process saw that a page which ends without an object was empty."""
        check(Invariant.EXACT, page.object is None, "done without stored, but with an object")
        covering = [s for s in process.sees if s.asked and _covers(s.asked, page.window)]
        check(Invariant.EXACT, covering, f"{page.window} is done, but nobody queried it")
        there = [set(within(view.snapshot, page.window)) for view in covering]
        if page.quarantined:
            there = [ids - self.source.faulty for ids in there]
        is_empty = self.is_lied_to or not all(there)
        check(Invariant.EXACT, is_empty, f"{page.window} is done without its entries")

    def _judge_quarantine(self, process: Process, page: Page) -> None:
        """Quarantine keeps the window's faulty records, byte for byte, before the page moves on."""
        truths = [within(view.snapshot, page.window) for view in process.sees]
        faulty = (set(truths[0]) & self.source.faulty).intersection(*truths[1:])
        for entry_id in faulty:
            self.judge_kept(truths[-1][entry_id].text.encode())

    def judge_kept(self, source: bytes) -> None:
        """Quarantine has this record, with its fault."""
        key = f"quarantine/{hashlib.sha256(source).hexdigest()}"
        reason, _, kept = self.lake.objects.get(key, b"").partition(b"\n")
        check(Invariant.KEPT, kept == source, "a faulty record is not in the quarantine")
        check(Invariant.KEPT, json.loads(reason)["fault"], "a kept record has no fault")

    def _judge_all_published(self, work: Page) -> None:
        """All stored rows are published, or recorded as refusals."""
        key = work.object
        is_stored = key in self.rows_by_key
        check(Invariant.STORED_FIRST, is_stored, f"{work.window} is done without an object")
        assert key is not None
        rows = self.rows_by_key[key]
        if work.kind is WorkKind.PAGE:
            check(Invariant.INDEX_FROM_LAKE, work.entries == len(rows), "entries are miscounted")
        settled = {subject for uri, subject in self.events.bodies if uri == self.lake.uri(key)}
        settled |= {
            r.entry_id for r in self.timeline.refusals() if r.window.start == work.window.start
        }
        left = rows.keys() - settled
        check(Invariant.EXACT, not left, f"{work.window} is done, unpublished: {sorted(left)}")

    def _judge_watermark(self) -> None:
        before, watermark = self._watermark, self.timeline.stored_watermark
        if watermark is None or watermark is before:
            return
        self._watermark = watermark
        if before is not None:
            check(
                Invariant.WATERMARK,
                watermark.exported_through >= before.exported_through
                and watermark.planned_through >= before.planned_through
                and watermark.exported_from <= before.exported_from,
                "the watermark moved inward",
            )
            same = before.timeline_id == watermark.timeline_id and before.origin >= watermark.origin
            check(Invariant.WRITE_ONCE, same, "the timeline changed its ID, or lost its past")
        in_plan = watermark.exported_through <= watermark.planned_through
        check(Invariant.WATERMARK, in_plan, "exported beyond the plan")
        self._judge_passed()
        limit = min(self.now, self.source.simulator.now()) - SETTLE
        in_time = watermark.planned_through <= max(limit, watermark.origin)
        check(Invariant.CLOCKS, in_time, "planned beyond the settled time")

    def _judge_passed(self) -> None:
        """The pages that the watermark has passed are done or holes, then and ever after."""
        watermark = self.timeline.stored_watermark
        if watermark is None:
            return
        for page in self._pages.values():
            watermark_may_pass = page.state is PageState.DONE or page.hole_since is not None
            passed = watermark.exported_from <= page.window.start < watermark.exported_through
            if passed and not watermark_may_pass:
                raise Violation(
                    Invariant.WATERMARK,
                    f"{page.window} is {page.state} and no hole, but the watermark is beyond it",
                )

    def _judge_events(self) -> None:
        for event in self.topic.published[self._published :]:
            self.events.judge(event, self.rows_by_key)
        self._published = len(self.topic.published)

    # ── after sweeps ──────────────────────────────────────────────────────────────

    @property
    def stored_ids(self) -> set[str]:
        """The entries that have a row in the lake."""
        return {entry_id for rows in self.rows_by_key.values() for entry_id in rows}

    @property
    def rows(self) -> list[StoredRow]:
        """All rows that this timeline has ever stored, in the order of their storing."""
        return [row for key in self._stored_keys for row in self.rows_by_key[key].values()]

    def rows_by_month(self) -> dict[str, list[StoredRow]]:
        """The rows by the month that their keys name."""
        by_month: defaultdict[str, list[StoredRow]] = defaultdict(list)
        for key in self._stored_keys:
            place = place_of(key)
            assert place is not None
            by_month[place.month] += self.rows_by_key[key].values()
        return by_month

    def judge_view(self) -> int:
        """Judge that the rows together describe the source; returns the number of entries."""
        watermark = self.timeline.stored_watermark
        assert watermark is not None
        holes = [page for page in self._pages.values() if page.hole_since is not None]
        unsure = {id_ for id_ in self.source.snapshot() if _within_any(id_, holes, self.source)}
        exported = Window(watermark.exported_from, watermark.exported_through)
        for month, rows in self.rows_by_month().items():
            self.sweeps.judge_month(month, rows, exported, unsure)
        return self.sweeps.judge_view(self.rows, exported, unsure)

    # ── at rest ──────────────────────────────────────────────────────────────────────────────

    def at_rest(self) -> None:
        """Judge the whole, once all processes are at rest."""
        watermark = self.timeline.stored_watermark
        assert watermark is not None
        pages = list(self._pages.values())
        self._judge_tiling()
        holes = [page for page in pages if page.hole_since is not None]
        check(
            Invariant.REST,
            all(page.state is PageState.DONE for page in pages if page.hole_since is None)
            and (watermark.origin, watermark.planned_through)
            == (watermark.exported_from, watermark.exported_through),
            "there is work left that nobody does",
        )
        may_stay = self.scenario.may_stay_holes or not holes
        check(Invariant.REST, may_stay, f"a hole stays for no reason: {holes[:1]}")
        if self.scenario.poison:
            self._judge_lasting(holes)
        orphans = self.rows_by_key.keys() - self._stored_keys.keys() - self._earlier_keys
        check(Invariant.WRITE_ONCE, not orphans, f"objects that no page names: {orphans}")
        settled = {subject for _, subject in self.events.bodies}
        settled |= {refusal.entry_id for refusal in self.timeline.refusals()}
        rows = self.rows
        for month, of_month in self.rows_by_month().items():
            stored_as = [
                (row["logEntryId"], row["entryDate"], row["exportedAt"], row["change"])
                for row in of_month
            ]
            once = len(set(stored_as)) == len(stored_as)
            check(Invariant.EXACT, once, f"a row is twice in {month}")
        exported = Window(watermark.origin, watermark.exported_through)
        exclude = self.scenario.fingerprint_exclude
        expected = {
            entry_id: version_of(content_of(entry.text), exclude)
            for entry_id, entry in within(self.source.snapshot(), exported).items()
            if entry_id in self.source.untouched and not _within_any(entry_id, holes, self.source)
        }
        stored: defaultdict[str, list[str]] = defaultdict(list)
        for row in rows:
            stored[row["logEntryId"]].append(version_of(content_of_row(row), exclude))
        self.verified = len(expected)
        if self.is_lied_to:
            return
        for entry_id, content in expected.items():
            check(
                Invariant.EXACT,
                stored[entry_id] == [content] and entry_id in settled,
                f"{entry_id} was never changed, and is in the lake {len(stored[entry_id])} times, "
                f"published: {entry_id in settled}",
            )
        check(Invariant.OUTBOX, settled <= stored.keys(), "events of entries that the lake lacks")
        for entry_id in self.source.faulty & within(self.source.snapshot(), exported).keys():
            if not _within_any(entry_id, holes, self.source):
                self.judge_kept(self.source.snapshot()[entry_id].text.encode())

    def _judge_lasting(self, holes: Sequence[Page]) -> None:
        """A lasting hole has the poison within reach. It has nothing else, or it is so narrow that
        no query of a part of it avoids the poison.
        """
        slack = timedelta(seconds=1)
        for hole in holes:
            narrow = hole.window.length <= 3 * slack
            reach = within(self.source.snapshot(), hole.window.widened(slack)).keys()
            least = self.scenario.poison & reach and (narrow or len(reach) == 1)
            check(Invariant.WATERMARK, least, f"the hole {hole.window} is wider than due")


def _covers(outer: Window, inner: Window) -> bool:
    return outer.start <= inner.start and inner.end <= outer.end


def _overlap(one: Window, other: Window) -> bool:
    return one.start < other.end and other.start < one.end


def _is_there(sweep: Page, sweeps: dict[datetime, Page]) -> bool:
    now = sweeps.get(sweep.window.start)
    return now is not None and now.name == sweep.name


def _within_any(entry_id: str, pages: Sequence[Page], source: Source) -> bool:
    snapshot = source.snapshot()
    return any(entry_id in within(snapshot, page.window) for page in pages)
