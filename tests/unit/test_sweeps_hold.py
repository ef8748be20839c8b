"""What sweeps must stand: shared entries, poison, crashes, races, and operators in a hurry."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest

from cpd_exporter.errors import MalformedInputError, PermanentError, TransientError
from cpd_exporter.model.entry import Entry, FaultyEntry, Listing
from cpd_exporter.model.page import ConditionalWrite, MissingEntry, WorkKind
from cpd_exporter.model.row import Change
from cpd_exporter.model.watermark import Watermark
from cpd_exporter.model.window import Window
from cpd_exporter.worker.context import Outcome
from simulator.behaviour import Behaviour
from simulator.source import StoredEntry
from tests.support.world import NOW, ORIGIN, World
from tests.unit.test_sweeps import at, changes, entries, exported, swept

type Fetched = Entry | FaultyEntry | None


def finely_cut(count: int = 300) -> World:
    """Exported in some ten small pages a month; a sweep covers all of a month's."""
    world = exported(count, cutting_target=10)
    world.cutting_target = 800
    return world


def february(world: World) -> list[StoredEntry]:
    return [entry for entry in world.store if at(entry).month == 2]


def told(world: World, change: Change) -> list[str]:
    """The entries of the events of one change, in order, repetitions too."""
    return [e.entry_id for e in world.topic.published if e.attributes["change"] == change]


def edit(world: World, entry: StoredEntry) -> str:
    world.store.edit(entry.log_entry_id, durationMinutes=7)
    return entry.log_entry_id


def refresh(world: World, *wanted: StoredEntry) -> None:
    world.command({"command": "refresh", "logEntryIds": [entry.log_entry_id for entry in wanted]})


def failing_once[**P, T](call: Callable[P, T], error: Exception) -> Callable[P, T]:
    errors = [error]

    def called(*args: P.args, **kwargs: P.kwargs) -> T:
        if errors:
            raise errors.pop()
        return call(*args, **kwargs)

    return called


def lose_object_of(world: World, entry: StoredEntry) -> None:
    page = world.timeline.page_at(at(entry))
    assert page is not None
    assert page.object is not None
    del world.lake.objects[page.object]


class TestAnEntryThatTwoPagesKnow:
    """It moved to an earlier page of its month, which told it, and one sweep covers both."""

    @pytest.fixture
    def world(self) -> World:
        return finely_cut()

    @pytest.fixture
    def moved(self, world: World) -> StoredEntry:
        moved = february(world)[60]
        world.store.move(moved.log_entry_id, at(moved) - timedelta(days=4))
        refresh(world, moved)
        world.export()
        assert told(world, Change.CREATED).count(moved.log_entry_id) == 2
        return moved

    def test_is_not_told_again(self, world: World, moved: StoredEntry) -> None:
        assert swept(world) + swept(world) == []

    def test_is_told_if_it_came_back(self, world: World, moved: StoredEntry) -> None:
        world.store.move(moved.log_entry_id, at(moved))
        [row] = swept(world)
        assert (row.change, row.content) == (Change.UPDATED, moved.value)
        assert swept(world) == []


class TestPoison:
    def test_an_entry_that_no_listing_shows_hides_nothing_else(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = finely_cut()
        hidden, neighbour = february(world)[50:52]
        between = world.store.between

        def shown(first_ms: int | None, end_ms: int | None) -> list[StoredEntry]:
            return [e for e in between(first_ms, end_ms) if e.log_entry_id != hidden.log_entry_id]

        monkeypatch.setattr(world.store, "between", shown)
        swept(world)
        edited = edit(world, neighbour)
        assert [row.entry_id for row in swept(world)] == [edited]
        assert swept(world) + swept(world) == []

    def test_a_lost_object_hides_no_other_page(self) -> None:
        world = finely_cut()
        first, *_, middle, _, _ = february(world)[:60]
        lose_object_of(world, middle)
        edited = edit(world, first)
        assert [row.entry_id for row in swept(world)] == [edited]
        assert not list(world.timeline.sweeps())

    def test_a_listing_that_is_always_refused_hides_no_other_page(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = finely_cut()
        first, *_, poisoned = february(world)[:60]
        query = world.api.query

        def refused(window: Window | None, *, page: int = 1, per_page: int = 1000) -> Listing:
            if window and at(poisoned) in window and per_page > 1:
                raise PermanentError("400")
            return query(window, page=page, per_page=per_page)

        monkeypatch.setattr(world.api, "query", refused)
        edited = edit(world, first)
        assert [row.entry_id for row in swept(world)] == [edited]
        assert not list(world.timeline.sweeps())

    def test_a_wish_for_a_page_that_fails_ends(self) -> None:
        world = finely_cut()
        wanted = february(world)[50]
        lose_object_of(world, wanted)
        refresh(world, wanted)
        world.export()
        assert world.at_rest

    def test_a_missing_entry_that_cannot_be_looked_up_hides_no_other_change(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = finely_cut()
        deleted, neighbour = february(world)[50:52]
        world.store.delete(deleted.log_entry_id)
        swept(world)
        entry = world.api.entry

        def unavailable(entry_id: str) -> Fetched:
            if entry_id == deleted.log_entry_id:
                raise TransientError("503")
            return entry(entry_id)

        with monkeypatch.context() as outage:
            outage.setattr(world.api, "entry", unavailable)
            edited = edit(world, neighbour)
            assert [row.entry_id for row in swept(world)] == [edited]
        assert [row.change for row in swept(world)] == [Change.DELETED]

    def test_faulty_entries_ahead_of_all_others_keep_no_deletion_back(self) -> None:
        world = exported(100)
        *faulty, deleted = list(world.store)[:11]
        for entry in faulty:
            world.store.edit(entry.log_entry_id, durationMinutes="seven")
        world.store.delete(deleted.log_entry_id)
        swept(world)
        assert changes(swept(world))[Change.DELETED] == {deleted.log_entry_id}

    def test_entries_that_moved_away_for_good_keep_no_deletion_back(self) -> None:
        world = exported(700)
        of_february = sorted(february(world), key=lambda entry: entry.log_entry_id)
        *moved, a, b, c = of_february[:223]
        for entry in moved:
            world.store.move(entry.log_entry_id, ORIGIN - timedelta(days=30))
        for entry in (a, b, c):
            world.store.delete(entry.log_entry_id)
        for _ in range(3):
            swept(world)
        assert set(told(world, Change.DELETED)) == {e.log_entry_id for e in (a, b, c)}

    def test_a_page_notes_no_more_missing_entries_than_its_item_holds(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("cpd_exporter.worker.sweep.deletions.MAX_MISSING_PER_PAGE", 5)
        world = exported(100)
        gone = february(world)[:8]
        for entry in gone:
            world.store.delete(entry.log_entry_id)
        for _ in range(4):
            swept(world)
            assert max(len(page.missing) for page in world.pages) <= 5
        assert sorted(told(world, Change.DELETED)) == sorted(e.log_entry_id for e in gone)


class TestHeldDeletions:
    """Some 500 deletions of one page in one day: what is beyond the bound waits for a word."""

    @pytest.fixture
    def world(self) -> World:
        world = exported(1500)
        january = [entry for entry in world.store if at(entry).month == 1]
        for entry in january[:500] + february(world)[:400]:
            world.store.delete(entry.log_entry_id)
        for _ in range(3):
            swept(world)
        assert (self.deleted(world), self.held(world)) == (400, 500)
        return world

    @staticmethod
    def deleted(world: World) -> int:
        return len(set(told(world, Change.DELETED)))

    @staticmethod
    def held(world: World) -> int:
        return sum(page.held for page in world.pages)

    def fail_to_publish(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        publish = failing_once(world.topic.publish, TransientError("down"))
        monkeypatch.setattr(world.topic, "publish", publish)

    def test_stay_held_when_telling_fails(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        edited = {edit(world, february(world)[-1])}
        edited.add(edit(world, next(iter(world.store))))
        self.fail_to_publish(world, monkeypatch)
        world.now += timedelta(days=1)
        for _ in range(3):
            swept(world)
        assert set(told(world, Change.UPDATED)) == edited
        assert (self.deleted(world), self.held(world)) == (400, 500)

    def test_stay_confirmed_when_telling_fails(
        self, world: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world.command({"command": "confirm-deletions"})
        self.fail_to_publish(world, monkeypatch)
        world.export()
        assert (self.deleted(world), self.held(world)) == (900, 0)

    def test_are_not_multiplied_when_their_page_is_divided(self) -> None:
        world = exported(80, behaviour=Behaviour(per_page_cap=100))
        page = max(world.pages, key=lambda page: page.entries)
        inside = [entry for entry in world.store if at(entry) in page.window]
        missing = {entry.log_entry_id: MissingEntry(world.now) for entry in inside[::9][:3]}
        world.timeline.stored_pages[page.window.start] = replace(
            page, missing=missing, held=3, quarantined=9
        )
        for n in range(120):
            world.simulator.insert(page.window.start + timedelta(minutes=5 * n))
        refresh(world, inside[0])
        world.planner.tick()
        [work] = world.queue.messages
        assert world.worker.handle(work).outcome is Outcome.SPLIT
        assert self.held(world) == 3
        assert sum(page.quarantined for page in world.pages) == 0


class TestRaces:
    def other_tick(
        self,
        monkeypatch: pytest.MonkeyPatch,
        world: World,
        member: Literal["exported_through", "exported_from"],
        to: datetime,
    ) -> None:
        """A tick that looked earlier, and saw less done, moves the watermark first, to ``to``."""
        really, others = world.timeline.update_watermark, [to]

        def moved(before: Watermark, after: Watermark) -> bool:
            if others and getattr(before, member) != getattr(after, member):
                move: dict[str, Any] = {member: others.pop()}
                assert really(before, replace(before, **move))
            return really(before, after)

        monkeypatch.setattr(world.timeline, "update_watermark", moved)

    def test_a_slower_tick_leaves_the_watermark_movable(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = World(store=entries(200))
        stood = world.export()[-1].exported_through
        for _ in range(4):
            world.now += timedelta(minutes=20)
            world.simulator.insert(world.now - timedelta(minutes=10))
            world.planner.tick()
        world.drain()
        second = list(world.timeline.pages(stood))[1]
        self.other_tick(monkeypatch, world, "exported_through", second.window.end)
        world.command(
            {"command": "sweep", "from": "2026-03-01T00:00:00Z", "to": "2026-04-01T00:00:00Z"}
        )
        world.export(ticks=10)
        assert world.at_rest
        world.assert_exact()

    def test_a_slower_tick_leaves_a_backfill_movable(self, monkeypatch: pytest.MonkeyPatch) -> None:
        world = World(store=entries(300), origin=NOW - timedelta(days=20), cutting_target=10)
        world.export()
        world.command({"command": "backfill", "from": "2026-01-01T00:00:00Z"})
        world.planner.tick()
        world.drain()
        third = list(world.timeline.pages_before(world.origin))[2]
        self.other_tick(monkeypatch, world, "exported_from", third.window.start)
        world.cutting_target = 800
        world.command({"command": "sweep", "from": "2026-01-01T00:00:00Z"})
        world.origin = ORIGIN
        world.export(ticks=10)
        assert world.at_rest
        world.assert_exact()

    def test_a_sweep_that_goes_on_from_anothers_rows_forgets_nothing(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = exported(100)
        a, b, deleted = february(world)[3:6]
        world.store.delete(deleted.log_entry_id)
        swept(world)
        edit(world, a)
        refresh(world, a)
        world.planner.tick()
        work = world.queue.messages.pop()
        put_new, bodies = world.lake.put_new, list[bytes]()

        def put_late(key: str, body: bytes) -> bool:
            """The first worker's object arrives just before the second one's."""
            if key.startswith("entries/"):
                bodies.append(body)
                if len(bodies) == 1:
                    raise TransientError("no answer yet")
                if len(bodies) == 2:
                    assert put_new(key, bodies[0])
            return put_new(key, body)

        monkeypatch.setattr(world.lake, "put_new", put_late)
        world.work_on(work)
        edit(world, b)
        refresh(world, b)
        world.work_on(work)
        assert told(world, Change.UPDATED) == [a.log_entry_id]
        page = world.timeline.page_at(at(deleted))
        assert page is not None
        assert list(page.missing) == [deleted.log_entry_id]
        world.export()
        assert told(world, Change.UPDATED) == [a.log_entry_id, b.log_entry_id]
        assert world.at_rest

    def test_pages_that_were_just_taken_are_gathered_later(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = finely_cut()
        edited = edit(world, february(world)[5])
        commit, lost = world.timeline.commit, [2]

        def commit_late(writes: Sequence[ConditionalWrite]) -> bool:
            made = writes[0].after
            if made and made.kind is WorkKind.SWEEP and made.window.start.month in lost:
                lost.clear()
                return False
            return commit(writes)

        monkeypatch.setattr(world.timeline, "commit", commit_late)
        assert [row.entry_id for row in swept(world)] == [edited]
        assert lost == []


class TestOperatorsInAHurry:
    @pytest.mark.parametrize(
        "command",
        [
            {"command": "backfill", "from": "0001-01-01T00:00:00Z"},
            {"command": "backfill", "from": "1969-12-31T23:59:59Z"},
            {"command": "sweep", "lookback": "P800000D"},
            {"command": "sweep", "lookback": "P36526D"},
        ],
        ids=lambda command: command.get("from") or command["lookback"],
    )
    def test_a_past_that_no_calendar_reaches_is_refused(self, command: dict[str, Any]) -> None:
        with pytest.raises(MalformedInputError, match=r"\.(from|lookback): "):
            exported(20).command(command)

    def test_the_furthest_past_is_reached(self) -> None:
        world = exported(20)
        world.command({"command": "sweep", "lookback": "P36525D"})
        world.command({"command": "backfill", "from": "1970-01-01T00:00:00Z"})
        world.export()
        assert world.at_rest
        stands = world.timeline.watermark()
        assert stands is not None
        assert stands.exported_from == datetime(1970, 1, 1, tzinfo=UTC)

    def test_a_backfill_that_fails_holds_up_nothing_else(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = exported(100)
        query = world.api.query

        def refused(window: Window | None, *, page: int = 1, per_page: int = 1000) -> Listing:
            if window and window.start.year < 1990:
                raise PermanentError("400: from when?")
            return query(window, page=page, per_page=per_page)

        monkeypatch.setattr(world.api, "query", refused)
        world.command({"command": "backfill", "from": "1980-01-01T00:00:00Z"})
        edited = edit(world, february(world)[5])
        world.command({"command": "sweep", "lookback": "P60D"})
        late = world.simulator.insert(world.now - timedelta(minutes=5))
        report = world.export(ticks=3)[-1]
        assert told(world, Change.UPDATED) == [edited]
        assert late.log_entry_id in told(world, Change.CREATED)
        assert "from when?" in str(report.error)
        assert [request.name for request in world.timeline.jobs()] == ["backfill"]

    def test_a_further_backfill_while_one_runs(self) -> None:
        world = exported(20)
        for start in ("2025-11-01", "2025-08-01", "2025-10-01"):
            world.command({"command": "backfill", "from": f"{start}T00:00:00Z"})
        world.export()
        assert world.at_rest
        stands = world.timeline.watermark()
        assert stands is not None
        assert stands.exported_from == stands.origin == datetime(2025, 8, 1, tzinfo=UTC)

    def test_a_short_look_back_does_not_wait_for_a_long_sweep(self) -> None:
        world = World(store=entries(1000), cutting_target=8, cutting_floor=timedelta(minutes=1))
        world.export()
        world.command({"command": "sweep", "from": "2026-01-01T00:00:00Z"})
        world.command({"command": "sweep", "lookback": "P3D"})
        edited = edit(world, list(world.store)[-5])
        world.planner.tick()
        world.drain()
        assert told(world, Change.UPDATED) == [edited]
        assert len(list(world.timeline.jobs())) == 1

    def test_one_malformed_id_spoils_no_other(self, monkeypatch: pytest.MonkeyPatch) -> None:
        world = exported(20)
        entry = world.api.entry

        def refusing(entry_id: str) -> Fetched:
            if entry_id == "not-an-id":
                raise PermanentError("400")
            return entry(entry_id)

        monkeypatch.setattr(world.api, "entry", refusing)
        wanted = [entry.log_entry_id for entry in list(world.store)[:3]]
        answer = world.command({"command": "refresh", "logEntryIds": ["not-an-id", *wanted]})
        assert answer == {"sweepsRequested": 3, "unknown": ["not-an-id"]}
        assert len(list(world.timeline.sweep_requests())) == 3

    def test_what_was_wished_before_an_outage_stays(self, monkeypatch: pytest.MonkeyPatch) -> None:
        world = exported(60)
        *wanted, last = list(world.store)
        entry = world.api.entry

        def unavailable(entry_id: str) -> Fetched:
            if entry_id == last.log_entry_id:
                raise TransientError("503")
            return entry(entry_id)

        monkeypatch.setattr(world.api, "entry", unavailable)
        with pytest.raises(TransientError):
            refresh(world, *wanted, last)
        assert len(list(world.timeline.sweep_requests())) == 50
