"""Look-ups by ID that fail, lie or lack a control: no deletion is wrong, and none is silent."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from cpd_exporter.errors import LookUpError, PermanentError, ServerError, TransientError
from cpd_exporter.model.entry import Entry, FaultyEntry, Listing
from cpd_exporter.model.page import MissingEntry
from cpd_exporter.model.row import Change
from cpd_exporter.model.window import Window
from cpd_exporter.planner.status import read_status
from cpd_exporter.planner.summary import summarise
from cpd_exporter.worker.context import MAX_LOOKUPS_AT_ONCE, Outcome
from cpd_exporter.worker.metrics import report_metrics
from cpd_exporter.worker.sweep.look_up import MAX_FAILURES, MAX_OUTAGES
from tests.simulation.test_old_changes import a_day
from tests.support.sweeps import at, exported, published_ids, twist
from tests.support.world import World

HALF, MINUTE, HOUR = timedelta(seconds=30), timedelta(minutes=1), timedelta(hours=1)
JANUARY = {"from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z"}
FEBRUARY = {"from": "2026-02-01T00:00:00Z", "to": "2026-03-01T00:00:00Z"}
IN_FEBRUARY = datetime(2026, 2, 10, tzinfo=UTC)

type Found = Entry | FaultyEntry | None


def sweep(world: World, month: dict[str, str], *, after: timedelta = 2 * HOUR) -> set[str]:
    """Sweep a month; returns the metrics of the workers."""
    world.now += after
    world.command({"command": "sweep", **month})
    metrics = set[str]()
    for _ in range(2):
        world.planner.tick()
        while world.queue.messages:
            world.now += timedelta(seconds=1)
            metrics |= set(report_metrics(world.worker.handle(world.queue.messages.pop(0))))
    return metrics


def january(world: World) -> list[str]:
    return [entry.log_entry_id for entry in world.store if at(entry).month == 1]


def days(world: World, count: int) -> None:
    for _ in range(count):
        a_day(world)


def fail_by_id(world: World, bad: set[str], error: LookUpError | None = None) -> list[str]:
    """Let the API fail over these IDs, with a 500 if nothing else is said; returns those that it
    was asked for, as they come.
    """
    look_up, asked = world.api.entry, list[str]()

    def entry(entry_id: str) -> Found:
        if entry_id in bad:
            asked.append(entry_id)
            raise error or ServerError("GET by ID answered 500")
        return look_up(entry_id)

    world.api.entry = entry  # type: ignore[method-assign]
    return asked


def lists_nothing_unfiltered(world: World) -> None:
    def change(listing: Listing, window: Window | None, _: int) -> Listing:
        return listing if window else replace(listing, records=(), total=0)

    twist(world, change)


def last_change(world: World, entry_id: str) -> Change:
    rows = [row for row in world.rows if row.entry_id == entry_id]
    return max(rows, key=lambda row: row.exported_at).change


def summary(world: World) -> str:
    return summarise(read_status(world.timeline, world.queue, world.clock), world.now)


# ── look-ups that fail ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("count", [1, 4])
def test_ids_that_the_api_fails_over_hold_up_no_other_and_are_heard(count: int) -> None:
    world = exported(60)
    bad, sound = january(world)[:count], january(world)[count : count + 5]
    for entry_id in bad:
        world.store.delete(entry_id)
    sweep(world, JANUARY)
    for entry_id in sound:
        world.store.delete(entry_id)
    mover = january(world)[8]
    world.store.move(mover, datetime(2025, 12, 3, tzinfo=UTC))
    fail_by_id(world, set(bad))
    metrics = [sweep(world, JANUARY) for _ in range(3)]
    assert set(published_ids(world, Change.DELETED)) == set(sound)
    assert mover in published_ids(world, Change.UPDATED)
    assert all("WorkGivenUp" in one for one in metrics)
    assert f"missing entry {bad[-1]} cannot be looked up: GET by ID answered 500" in summary(world)
    del world.api.entry
    assert "WorkGivenUp" not in sweep(world, JANUARY)
    assert set(published_ids(world, Change.DELETED)) == {*sound, *bad}
    assert "cannot be looked up" not in summary(world)


def test_however_many_ids_the_api_fails_over_a_sweep_ends_and_asks_for_others_first() -> None:
    world = exported(160)
    gone = january(world)[:45]
    for entry_id in gone:
        world.store.delete(entry_id)
    sweep(world, JANUARY)
    bad = set(gone[:25])
    asked = fail_by_id(world, bad)
    sweep(world, JANUARY)
    assert len(asked) < MAX_FAILURES + MAX_LOOKUPS_AT_ONCE
    sweep(world, JANUARY)
    assert set(published_ids(world, Change.DELETED)) == set(gone) - bad


def test_an_outage_of_look_ups_asks_for_few() -> None:
    world = exported(60)
    gone = january(world)[:12]
    for entry_id in gone:
        world.store.delete(entry_id)
    sweep(world, JANUARY)
    everything = {entry.log_entry_id for entry in world.store} | set(gone)
    asked = fail_by_id(world, everything)
    sweep(world, JANUARY)
    assert [one for one in asked if one in gone] == gone[:MAX_LOOKUPS_AT_ONCE]
    assert len(asked) == MAX_LOOKUPS_AT_ONCE + MAX_OUTAGES
    del world.api.entry
    sweep(world, JANUARY)
    assert set(published_ids(world, Change.DELETED)) == set(gone)


def test_an_id_to_which_the_api_never_says_404_is_heard_in_each_sweep() -> None:
    world = exported(60)
    gone = january(world)[3]
    world.store.delete(gone)
    fail_by_id(world, {gone}, PermanentError("GET by ID answered 400"))
    assert "WorkGivenUp" not in sweep(world, JANUARY)
    sweep(world, JANUARY, after=HOUR)
    for _ in range(5):  # also where the next sweep comes sooner than a deletion may be published
        assert "WorkGivenUp" in sweep(world, JANUARY, after=10 * MINUTE)
        assert f"missing entry {gone} cannot be looked up: GET by ID answered 400" in summary(world)
    del world.api.entry
    for _ in range(2):
        sweep(world, JANUARY)
    assert published_ids(world, Change.DELETED) == [gone]


def test_the_answer_of_another_entry_is_none() -> None:
    world = exported(60)
    gone, other, edited = january(world)[:3]
    world.store.delete(gone)
    world.store.edit(edited, description="edited")
    look_up = world.api.entry
    world.api.entry = lambda one: look_up(other if one == gone else one)  # type: ignore[method-assign, assignment]
    sweep(world, JANUARY)
    assert "WorkGivenUp" in sweep(world, JANUARY)
    assert "answered another entry" in summary(world)
    assert published_ids(world, Change.UPDATED) == [edited]
    assert published_ids(world, Change.DELETED) == []


@pytest.mark.parametrize(
    ("hang", "least", "most"),
    [("late", MINUTE, 2 * MINUTE), ("never", MINUTE, 2 * MINUTE), ("controls", HALF, MINUTE)],
)
def test_look_ups_that_take_long_end_well_within_the_lease(
    hang: str, least: timedelta, most: timedelta
) -> None:
    """Those that are gone take half a minute, until an answer or a time-out; or all others do."""
    world = exported(160)
    gone = january(world)[:40]
    for entry_id in gone:
        world.store.delete(entry_id)
    answers = world.api.entries
    lasted = list[timedelta]()

    def entries(entry_ids: Sequence[str]) -> dict[str, Found | LookUpError]:
        hanging = [one for one in entry_ids if (one in gone) != (hang == "controls")]
        world.now += HALF if hanging else timedelta(seconds=1)
        failing = [] if hang == "late" else hanging
        return answers(entry_ids) | dict.fromkeys(failing, TransientError("timed out"))

    world.api.entries = entries  # type: ignore[method-assign]
    for _ in range(3):
        world.now += 2 * HOUR
        world.command({"command": "sweep", **JANUARY})
        world.planner.tick()
        while world.queue.messages:
            began = world.now
            assert world.worker.handle(world.queue.messages.pop(0)).outcome is Outcome.DONE
            lasted.append(world.now - began)
    assert least <= max(lasted) <= most


def test_old_leases_are_renewed_before_look_ups() -> None:
    world = exported(60)
    world.store.delete(january(world)[3])
    query, entries, leases = world.api.query, world.api.entries, list[timedelta]()

    def slow_query(*args: Any, **options: Any) -> Listing:
        world.now += timedelta(seconds=40)
        return query(*args, **options)

    def watched_entries(entry_ids: Sequence[str]) -> dict[str, Found | LookUpError]:
        [claimed] = [one for one in world.timeline.sweeps() if one.lease_until]
        assert claimed.lease_until
        leases.append(claimed.lease_until - world.now)
        return entries(entry_ids)

    world.api.query, world.api.entries = slow_query, watched_entries  # type: ignore[method-assign]
    sweep(world, JANUARY)
    assert leases == [world.worker.context.limits.lease]


def test_first_look_ups_of_many_entries_follow_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cpd_exporter.worker.sweep.deletions.MAX_LOOK_UPS", 2)
    world = exported(60)
    for entry_id in january(world)[:7]:
        world.store.delete(entry_id)
    for _ in range(2):
        world.command({"command": "sweep", **JANUARY})
        for _ in range(5):
            world.now += MINUTE
            world.planner.tick()
            world.drain()
    [missing] = [page.missing for page in world.pages if page.missing]
    assert [one.is_gone for one in missing.values()] == [True] * 7
    assert not any(world.timeline.sweep_requests())


def test_an_api_that_leaves_out_others_each_time_is_not_swept_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cpd_exporter.worker.sweep.deletions.MAX_LOOK_UPS", 2)
    world, chance = exported(160), Random(3)

    def change(listing: Listing, *_: object) -> Listing:
        records = tuple(record for record in listing.records if chance.random() > 0.2)
        return replace(listing, records=records, total=len(records))

    twist(world, change)
    sweeps = 0
    world.command({"command": "sweep", **JANUARY})
    for _ in range(40):
        world.now += MINUTE
        world.planner.tick()
        sweeps += len(world.queue.messages)
        world.drain()
    assert sweeps < 20


def test_one_failure_lets_nobody_wait_behind_the_same_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Entries that left for a time that is not planned are asked for again and again."""
    monkeypatch.setattr("cpd_exporter.worker.sweep.deletions.MAX_LOOK_UPS", 5)
    world = exported(60)
    *away, gone = january(world)[:15]
    for entry_id in away:
        world.store.move(entry_id, datetime(2027, 1, 1, tzinfo=UTC))
    for _ in range(3):
        sweep(world, JANUARY)
    world.store.delete(gone)
    asked = fail_by_id(world, {gone})
    while not asked:
        sweep(world, JANUARY)
    del world.api.entry
    for _ in range(3):
        sweep(world, JANUARY)
    assert published_ids(world, Change.DELETED) == [gone]


def test_all_that_wait_are_counted_though_few_are_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cpd_exporter.worker.sweep.deletions.MAX_LOOK_UPS", 4)
    world = exported(60)
    gone = january(world)[:8]
    for entry_id in gone:
        world.store.delete(entry_id)
    fail_by_id(world, set(gone))
    for _ in range(2):
        sweep(world, JANUARY)
    world.now += 2 * HOUR
    world.command({"command": "sweep", **JANUARY})
    world.planner.tick()
    reports = [world.worker.handle(message) for message in world.queue.messages]
    assert [report.unjudged for report in reports if report.unjudged] == [8]


def test_what_waits_is_heard_while_others_go_missing() -> None:
    world = exported(160)
    fail_by_id(world, {entry.log_entry_id for entry in world.store})
    for first in range(0, 40, 8):
        for entry_id in january(world)[:8]:
            world.store.delete(entry_id)
        assert ("WorkGivenUp" in sweep(world, JANUARY)) == (first > 0)


# ── controls ─────────────────────────────────────────────────────────────────────────────────────


def test_where_all_of_a_page_is_gone_the_pages_beside_it_are_the_control() -> None:
    world = exported(60)
    gone = january(world)
    lists_nothing_unfiltered(world)
    for entry_id in gone:
        world.store.delete(entry_id)
    for _ in range(2):
        sweep(world, JANUARY)
    assert set(published_ids(world, Change.DELETED)) == set(gone)


def test_a_listed_entry_that_cannot_be_looked_up_is_not_the_only_control() -> None:
    world = exported(60)
    first, *others = january(world)
    fail_by_id(world, {first})
    for entry_id in others[5:8]:
        world.store.delete(entry_id)
    for _ in range(2):
        sweep(world, JANUARY)
    assert set(published_ids(world, Change.DELETED)) == set(others[5:8])


def test_deletions_without_a_control_are_heard() -> None:
    world = exported(60)
    gone = january(world)[:3]
    for entry_id in gone:
        world.store.delete(entry_id)
    sweep(world, JANUARY)
    world.api.entry = lambda _: None  # type: ignore[method-assign, assignment]
    assert "WorkGivenUp" in sweep(world, JANUARY)
    assert "by ID neither" in summary(world)
    assert published_ids(world, Change.DELETED) == []


# ── entries that are not listed ────────────────────────────────────────────────────────────────


def test_an_entry_that_only_its_id_shows_is_noted_as_present() -> None:
    world = exported(60)
    hidden = january(world)[3]

    def change(listing: Listing, *_: object) -> Listing:
        records = tuple(record for record in listing.records if record.id != hidden)
        return replace(listing, records=records, total=len(records))

    twist(world, change)
    sweep(world, JANUARY)
    sweep(world, JANUARY)
    [missing] = [one for page in world.pages for one in page.missing.values()]
    assert missing == MissingEntry(world.now, is_present=True)
