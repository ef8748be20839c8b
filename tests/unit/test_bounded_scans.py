"""What reads the timeline reads only what it needs; unnamed indexes go; rows verify themselves."""

import gzip
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import simplejson

from cpd_exporter.model.garbage import IndexGarbage
from cpd_exporter.model.page import Page, PageState
from cpd_exporter.model.row import decode, encode
from cpd_exporter.model.watermark import Watermark
from cpd_exporter.planner.index_cleanup import INDEX_GRACE
from cpd_exporter.planner.status import read_status
from simulator.seeding import Profile, seeded
from tests.support.fakes import FakeTimeline
from tests.support.samples import START, TENANT, page
from tests.support.world import NOW, ORIGIN, World
from tests.unit.test_sweeps import exported, swept
from tests.unit.test_sweeps_hold import edit, finely_cut

MINUTE = timedelta(minutes=1)


class CountingTimeline(FakeTimeline):
    """``read`` counts the pages that streams gave."""

    read = 0

    def pages(self, start: datetime, end: datetime | None = None) -> Iterator[Page]:
        for one in super().pages(start, end):
            self.read += 1
            yield one

    def undone(self) -> Iterator[Page]:
        for one in super().undone():
            self.read += 1
            yield one


def test_status_reads_only_the_pages_that_are_undone_or_flagged() -> None:
    timeline = CountingTimeline(TENANT)
    pages = [page(start=START + n * MINUTE, state=PageState.DONE) for n in range(1000)]
    pages[7] = replace(pages[7], quarantined=3)
    pages[-1] = replace(pages[-1], state=PageState.OPEN, quarantined=1)
    timeline.stored_pages = {one.window.start: one for one in pages}
    end = pages[-1].window.end
    timeline.stored_watermark = Watermark("e" * 16, START, end, START, end)
    status = read_status(timeline, lambda: end)
    assert status["pages"] == {"open": 1, "writing": 0, "stored": 0}
    assert status["quarantined"] == 4
    assert timeline.read == 1


def test_a_sweep_reads_no_pages_beyond_its_window(monkeypatch: pytest.MonkeyPatch) -> None:
    world = finely_cut()
    pages, bounds = world.timeline.pages, list[datetime | None]()

    def bounded(start: datetime, end: datetime | None = None) -> Iterator[Page]:
        bounds.append(end)
        return pages(start, end)

    monkeypatch.setattr(world.timeline, "pages", bounded)
    swept(world)
    assert bounds
    assert None not in bounds


def indexes(world: World) -> set[str]:
    return {key for key in world.lake.objects if key.startswith("index/")}


def named(world: World) -> set[str | None]:
    return {one.index_key for one in world.pages if one.index_key}


def pass_a_day(world: World) -> None:
    world.now += INDEX_GRACE + MINUTE
    world.export()


class TestUnnamedIndexes:
    def test_are_removed_after_a_day(self) -> None:
        world = finely_cut()
        for minutes in range(3):
            entry = list(world.store)[5]
            world.store.edit(entry.log_entry_id, durationMinutes=minutes)
            swept(world)
        assert indexes(world) > named(world)
        others = world.lake.objects.keys() - indexes(world)
        pass_a_day(world)
        assert indexes(world) == named(world)
        assert others <= world.lake.objects.keys()
        edited = edit(world, list(world.store)[5])
        assert [row.entry_id for row in swept(world)] == [edited]

    def test_stay_for_a_day(self) -> None:
        world = finely_cut()
        swept(world)
        edit(world, list(world.store)[5])
        swept(world)
        before = indexes(world)
        assert before > named(world)
        world.planner.tick()
        assert indexes(world) == before

    def test_of_a_worker_that_died_before_it_merged_go_too(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = finely_cut()
        with monkeypatch.context() as death:

            def die(*_: object) -> bool:
                raise KeyboardInterrupt

            world.command({"command": "sweep", "from": "2026-01-01T00:00:00Z"})
            world.planner.tick()
            death.setattr(world.timeline, "commit", die)
            while world.queue.messages:
                with pytest.raises(KeyboardInterrupt):
                    world.worker.handle(world.queue.messages.pop())
        orphans = indexes(world)
        assert orphans
        world.now += timedelta(hours=1)
        world.export()
        pass_a_day(world)
        assert not orphans & indexes(world)
        assert indexes(world) == named(world)

    def test_stay_while_a_sweep_holds_their_page(self) -> None:
        world = finely_cut()
        world.command({"command": "sweep", "from": "2026-01-01T00:00:00Z"})
        world.planner.tick()
        reserved = next(one for one in world.pages if one.reserved_by)
        key = "index/about to be named"
        world.lake.put_new(key, b"")
        from_now = world.now
        note = {key: reserved.window.start}
        garbage = world.timeline.noted_garbage
        world.timeline.note_garbage(IndexGarbage("a", from_now, note))
        world.now += INDEX_GRACE + MINUTE
        world.queue.messages.clear()
        world.planner.tick()
        assert key in world.lake.objects
        assert [one.starts for one in garbage.values()] == [note]


def report_of(world: World) -> Any:
    world.now += timedelta(hours=1)
    world.command(
        {"command": "verify", "from": "2026-01-01T00:00:00Z", "to": "2026-03-14T00:00:00Z"}
    )
    world.planner.tick()
    world.drain()
    reports = [key for key in world.lake.objects if "/verify" in key and "through-" not in key]
    return simplejson.loads(world.lake.objects[max(reports)])


class TestVerifyAfterFingerprintExcludeChanged:
    @pytest.fixture
    def world(self) -> World:
        store = seeded(Profile(first=ORIGIN, end=NOW - timedelta(days=1), entries=300))
        for entry in list(store):
            store.edit(entry.log_entry_id, viewCount=1, likes=2)
        world = World(store=store, fingerprint_exclude=frozenset({"viewCount"}))
        world.export()
        return world

    @pytest.mark.parametrize("after", [set(), {"viewCount", "likes"}, {"likes"}])
    def test_sound_rows_are_sound(self, world: World, after: set[str]) -> None:
        world.fingerprint_exclude = world.api.fingerprint_exclude = frozenset(after)
        report = report_of(world)
        assert (report["clean"], report["damages"]) == (True, [])

    def test_a_changed_content_is_damage_still(self, world: World) -> None:
        world.fingerprint_exclude = world.api.fingerprint_exclude = frozenset({"likes"})
        key = next(key for key in world.lake.objects if key.startswith("entries/"))
        first, *rest = decode(world.lake.objects[key])
        spoilt = replace(first, content=first.content | {"likes": 3})
        world.lake.objects[key] = encode([spoilt, *rest])
        [damage] = report_of(world)["damages"]
        assert damage["problem"] == "content that does not have its fingerprint"

    def test_a_deletion_keeps_the_members_of_its_version(self, world: World) -> None:
        gone = list(world.store)[3]
        world.fingerprint_exclude = world.api.fingerprint_exclude = frozenset({"likes"})
        world.store.delete(gone.log_entry_id)
        swept(world)
        [row] = swept(world)
        assert row.fingerprint_exclude == {"viewCount"}


def test_a_row_without_excluded_members_has_no_such_member() -> None:
    world = exported(20)
    assert all(row.fingerprint_exclude == frozenset() for row in world.rows)
    bodies = [world.lake.objects[key] for key in world.lake.objects if key.startswith("entries/")]
    assert all(b"fingerprintExclude" not in gzip.decompress(body) for body in bodies)
