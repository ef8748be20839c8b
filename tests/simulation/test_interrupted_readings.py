"""A reading that pauses, while settings, entries or the filter's clock change."""

import json
from datetime import timedelta
from typing import Any
from unittest.mock import patch
from zoneinfo import ZoneInfo

import pytest

from cpd_exporter.errors import FilterError, MalformedResponseError, TransientError
from cpd_exporter.model.entry import Listing, fingerprint
from cpd_exporter.model.row import Change
from cpd_exporter.model.timestamps import SECOND
from cpd_exporter.planner.report import TickReport
from tests.support.short_lives import DENSE, dense_world, run
from tests.support.sweeps import (
    at,
    edit,
    exported,
    exported_ids,
    published_ids,
    refresh,
    source_ids,
)
from tests.support.world import World, entries


@pytest.mark.parametrize("pauses", [1, 6, 9])
def test_a_reading_begins_anew_when_the_fingerprint_ignores_other_members(pauses: int) -> None:
    world = dense_world()
    seen = []

    def after(outcome: str) -> None:
        seen.append(outcome)
        if seen.count("paused") == pauses:
            world.fingerprint_exclude = frozenset({"description"})
            world.api.fingerprint_exclude = world.fingerprint_exclude

    run(world, 40, calls=4, after=after)
    assert seen.count("paused") >= pauses
    assert world.rows
    for row in world.rows:
        assert fingerprint(row.text, row.fingerprint_exclude) == row.fingerprint
    span = {"from": "2026-01-01T00:00:00Z", "to": "2026-03-01T00:00:00Z"}
    world.command({"command": "verify", **span})
    world.export()
    reports = [key for key in world.lake.objects if key.startswith("reports/")]
    [report] = [key for key in reports if "through-" not in key]
    assert json.loads(world.lake.objects[report])["damages"] == []


@pytest.mark.parametrize("pauses", [1, 5, 8, 9])
def test_a_refresh_amid_a_paused_sweep_publishes_the_edit(pauses: int) -> None:
    world = dense_world(full_sweep=timedelta(0))
    run(world, 30)
    assert world.at_rest
    dense = [entry for entry in world.store if DENSE <= at(entry) < DENSE + SECOND]
    span = {"from": "2026-01-10T00:00:00Z", "to": "2026-01-13T00:00:00Z"}
    world.command({"command": "sweep", **span})
    seen: list[str] = []
    edited: list[str] = []

    def after(outcome: str) -> None:
        seen.append(outcome)
        if seen.count("paused") == pauses and not edited:
            edited.extend(edit(world, entry) for entry in dense[::7])
            refresh(world, *dense[::7])

    run(world, 40, calls=4, after=after)
    assert edited
    world.export()
    assert world.at_rest
    assert set(published_ids(world, Change.UPDATED)) == set(edited)


def test_a_hole_that_progresses_goes_on_at_the_pace_of_any_page(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = dense_world(count=200, full_sweep=timedelta(0))
    query = world.api.query

    def broken(window: Any, *, page: int = 1, per_page: int = 1000) -> Listing:
        if page > 3:
            raise MalformedResponseError("HTML")
        return query(window, page=page, per_page=per_page)

    with monkeypatch.context() as patch:
        patch.setattr(world.api, "query", broken)
        run(world, 12 * 30, calls=10)
    assert any(page.hole_since for page in world.pages)
    healed, lives = world.now, 0
    while any(page.hole_since for page in world.pages):
        lives += len(run(world, 1, calls=10))
    # The first life comes after six hours at most, then one every tick or two.
    assert world.now - healed < timedelta(hours=6) + (lives + 1) * timedelta(minutes=15)


def test_what_a_wrong_time_zone_missed_is_swept_once_the_filter_is_right() -> None:
    world = World(store=entries(200))
    world.export()
    ticks(world, 200)  # the follow-up sweep and the first reconciliation are over
    for n in range(200):  # an office day: entries for ten hours, and then none
        world.simulator.insert(world.now + timedelta(minutes=3 * n))
    world.now += timedelta(hours=10, minutes=5)
    assert world.planner.tick().error is None
    set_zone(world, "Asia/Tokyo")  # a deployment, while messages wait in the queue
    assert isinstance(ticks(world, 16)[-1].error, FilterError)
    set_zone(world, "UTC")
    assert ticks(world, 72)[-1].error is None
    assert exported_ids(world) == source_ids(world)


def set_zone(world: World, name: str) -> None:
    world.filter_time_zone = world.api.filter_time_zone = ZoneInfo(name)


def ticks(world: World, count: int) -> list[TickReport]:
    reports = []
    for _ in range(count):
        reports.append(world.planner.tick())
        world.drain()
        world.now += timedelta(minutes=15)
    return reports


def test_what_went_missing_beside_another_attempt_s_rows_is_looked_for_soon() -> None:
    world = exported()
    edited, deleted, *_ = world.store
    edit(world, edited)
    world.store.delete(deleted.log_entry_id)
    with patch.object(world.topic, "publish", side_effect=TransientError("throttled")):
        world.command({"command": "sweep", "from": "2026-01-01T00:00:00Z"})
        world.planner.tick()
        world.drain()
    world.export()
    assert published_ids(world, Change.UPDATED) == [edited.log_entry_id]
    assert [id_ for page in world.pages for id_ in page.missing] == [deleted.log_entry_id]
