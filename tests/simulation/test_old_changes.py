"""Changes of entries of any age, over simulated months with the default schedules."""

from datetime import datetime, timedelta

import pytest

from cpd_exporter.model.watermark import Watermark
from simulator.entry_writer import Profile, seeded
from simulator.source import EntryStore
from tests.support.world import NOW, World

DAY = timedelta(days=1)
AGES = (3, 20, 34, 40, 90, 200, 390)
"""Days back, of entries that are edited, deleted and back-dated."""


def world(days: int = 400, entries: int = 200) -> World:
    start = NOW.replace(hour=0) - days * DAY
    store = seeded(Profile(first=start, end=NOW - DAY, entries=entries))
    return World(store=store, origin=start)


def watermark(world: World) -> Watermark:
    stored = world.timeline.watermark()
    assert stored is not None
    return stored


def a_day(world: World) -> None:
    """One day of the default schedules, with fewer ticks than the schedule has."""
    for lookback in ("P2D", "P35D"):
        world.command({"command": "sweep", "lookback": lookback})
    for _ in range(2):
        world.now += DAY / 2
        for _ in range(2):
            world.planner.tick()
            world.drain()


def test_120_days_publish_every_edit_deletion_and_back_dated_entry_wherever() -> None:
    it = world()
    it.export()
    for _ in range(5):
        a_day(it)
    expected: set[tuple[str, str]] = set()
    taken: set[str] = set()
    for age in AGES:
        at = it.now - age * DAY
        near = sorted(it.store, key=lambda entry: abs(entry.at_ms / 1000 - at.timestamp()))
        edited, deleted = [e.log_entry_id for e in near if e.log_entry_id not in taken][:2]
        taken |= {edited, deleted}
        it.store.edit(edited, durationMinutes=7)
        it.store.delete(deleted)
        late = it.simulator.insert(at)
        expected |= {(edited, "updated"), (deleted, "deleted"), (late.log_entry_id, "created")}
    before = len(it.rows)
    for _ in range(120):
        a_day(it)
    assert {(row.entry_id, row.change.value) for row in it.rows} >= expected
    assert len(it.rows) == before + len(expected)
    progress = watermark(it).full_sweep
    assert progress is not None
    oldest = min(page.read_at for page in it.pages if page.read_at)
    assert progress.read_since <= oldest
    assert it.now - progress.read_since < 31 * DAY


def test_each_page_is_read_again_within_the_interval() -> None:
    it = world()
    it.export()
    for _ in range(65):
        a_day(it)
        oldest = min(page.read_at for page in it.pages if page.read_at)
        assert it.now - oldest <= 30 * DAY
        assert all(page.read_at for page in it.pages)


def test_the_full_sweep_is_spread_evenly() -> None:
    it = world()
    it.export()
    for _ in range(10):
        a_day(it)
    calls = []
    for _ in range(24):
        before = it.api.calls
        a_day(it)
        calls.append(it.api.calls - before)
    assert max(calls) <= 3 * min(calls)


def test_zero_turns_the_full_sweep_off() -> None:
    it = world()
    it.full_sweep = timedelta(0)
    it.export()
    for _ in range(40):
        a_day(it)
    assert watermark(it).full_sweep is None


@pytest.mark.parametrize("days", [1, 5])
def test_everything_is_swept_once_the_day_after_a_first_export(days: int) -> None:
    it = world(entries=60)
    it.full_sweep = timedelta(0)
    it.export()
    lost = it.simulator.insert(NOW - 300 * DAY)
    for _ in range(days):
        a_day(it)
    a_day(it)
    assert lost.log_entry_id in {event.entry_id for event in it.topic.published}


def test_everything_is_swept_once_the_day_after_a_backfill() -> None:
    it = world(days=60, entries=20)
    it.full_sweep = timedelta(0)
    it.export()
    for _ in range(3):
        a_day(it)
    it.command({"command": "backfill", "from": "2024-06-01T00:00:00Z"})
    it.export()
    missed = it.simulator.insert(datetime(2024, 8, 1, tzinfo=NOW.tzinfo))
    for _ in range(3):
        a_day(it)
    assert missed.log_entry_id in {event.entry_id for event in it.topic.published}


def lose(world: World, at: datetime) -> str:
    """Add an entry that no sweep finds, since none comes by: the full sweep is off."""
    return world.simulator.insert(at).log_entry_id


def test_a_total_that_differs_for_two_days_sweeps_the_month_and_then_agrees() -> None:
    it = world(entries=60)
    it.full_sweep = timedelta(0)
    it.export()
    for _ in range(3):
        a_day(it)
    lost = lose(it, NOW - 300 * DAY)
    differences = []
    for _ in range(6):
        for _ in range(4):
            it.now += DAY / 4
            differences.append(it.planner.tick().difference)
            it.drain()
    assert lost in {event.entry_id for event in it.topic.published}
    assert 1 in differences
    assert differences[-1] == 0
    last = watermark(it).reconciliation
    assert last is not None
    assert last.differs_since is None


def test_a_total_that_agrees_costs_two_calls_a_day() -> None:
    it = world(entries=60)
    it.full_sweep = timedelta(0)
    it.export()
    for _ in range(3):
        a_day(it)
    calls = []
    for _ in range(4):
        before = it.api.calls
        it.now += DAY
        it.planner.tick()
        calls.append(it.api.calls - before)
        it.drain()
    assert max(calls) <= 8 + 1 + 2  # the filter's check, the new day, and the totals
    last = watermark(it).reconciliation
    assert last is not None
    assert (last.difference, last.differs_since) == (0, None)


def test_an_empty_store_differs_from_nothing() -> None:
    it = World(store=EntryStore())
    it.export()
    for _ in range(5):
        a_day(it)
    last = watermark(it).reconciliation
    assert last is not None
    assert last.difference == 0
