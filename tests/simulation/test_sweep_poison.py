"""One faulty object, listing or worker spoils no other page of a sweep."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta

import pytest

from cpd_exporter.errors import LakeError, PermanentError, TransientError
from cpd_exporter.model.entry import Listing
from cpd_exporter.model.page import Page
from cpd_exporter.model.row import Change
from cpd_exporter.model.window import Window
from cpd_exporter.worker.context import Outcome
from cpd_exporter.worker.metrics import report_metrics
from simulator.source import StoredEntry
from tests.support.sweeps import (
    Fetched,
    at,
    edit,
    exported,
    february,
    finely_sliced,
    lose_object_of,
    published_ids,
    refresh,
    swept,
)


class TestPoison:
    def test_an_entry_that_no_listing_shows_hides_nothing_else(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = finely_sliced()
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
        world = finely_sliced()
        first, *_, middle, _, _ = february(world)[:60]
        lose_object_of(world, middle)
        edited = edit(world, first)
        assert [row.entry_id for row in swept(world)] == [edited]
        assert not list(world.timeline.sweeps())

    def test_a_listing_that_is_always_refused_hides_no_other_page(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = finely_sliced()
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

    def test_a_sweep_that_is_given_up_is_loud(self) -> None:
        world = finely_sliced()
        wanted = february(world)[50]
        lose_object_of(world, wanted)
        refresh(world, wanted)
        world.planner.tick()
        [message] = world.queue.messages
        reports = []
        while list(world.timeline.sweeps()):
            with suppress(LakeError):
                reports.append(world.worker.handle(message))
            world.now += timedelta(minutes=15)
        [report] = reports
        assert report.outcome is Outcome.GIVEN_UP
        assert report_metrics(report)["WorkGivenUp"] == 1
        assert not any(page.hole_since or page.reserved_by for page in world.pages)

    def test_a_request_for_a_page_that_fails_ends(self) -> None:
        world = finely_sliced()
        wanted = february(world)[50]
        lose_object_of(world, wanted)
        refresh(world, wanted)
        world.export()
        assert world.at_rest

    def test_a_missing_entry_that_cannot_be_looked_up_hides_no_other_change(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = finely_sliced()
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


class TestRaces:
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
        world.now += timedelta(minutes=1)  # the sweep rests after an outage
        world.work_on(work)
        assert published_ids(world, Change.UPDATED) == [a.log_entry_id]
        page = world.timeline.page_at(at(deleted))
        assert page is not None
        assert list(page.missing) == [deleted.log_entry_id]
        world.export()
        assert published_ids(world, Change.UPDATED) == [a.log_entry_id, b.log_entry_id]
        assert world.at_rest


def test_a_sweep_reads_no_pages_beyond_its_window(monkeypatch: pytest.MonkeyPatch) -> None:
    world = finely_sliced()
    pages, bounds = world.timeline.pages, list[datetime | None]()

    def bounded(start: datetime, end: datetime | None = None) -> Iterator[Page]:
        bounds.append(end)
        return pages(start, end)

    monkeypatch.setattr(world.timeline, "pages", bounded)
    swept(world)
    assert bounds
    assert None not in bounds
