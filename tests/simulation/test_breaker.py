"""The breaker: a confirmation releases exactly what was held when it was given."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from cpd_exporter.errors import TransientError
from cpd_exporter.model.breaker import BreakerChange
from cpd_exporter.model.entry import Entry, FaultyEntry
from cpd_exporter.model.page import ConditionalWrite, MissingEntry, PageFlag
from cpd_exporter.model.row import Change
from cpd_exporter.planner.held_deletions import CONFIRMATION_RETRY
from cpd_exporter.planner.status import read_status, tick_metrics
from simulator.source import StoredEntry
from tests.support.sweeps import exported, published_ids, swept
from tests.support.world import World

CONFIRM = {"command": "confirm-deletions"}


def guarded(count: int = 300, *, max_deletions: int = 3) -> World:
    return exported(count, max_deletions=max_deletions)


def deleted(world: World) -> set[str]:
    return set(published_ids(world, Change.DELETED))


def held(world: World) -> int:
    count = read_status(world.timeline, world.queue, world.clock)["deletionsHeld"]
    assert isinstance(count, int)
    return count


def delete(world: World, entries: Sequence[StoredEntry]) -> set[str]:
    for entry in entries:
        world.store.delete(entry.log_entry_id)
    return {entry.log_entry_id for entry in entries}


def test_a_confirmation_releases_what_was_shown_and_no_more() -> None:
    world = guarded()
    entries = list(world.store)
    shown = delete(world, entries[:5])
    for _ in range(3):
        swept(world)
    assert held(world) == 5
    delete(world, entries[5:45])
    swept(world)
    assert world.command(CONFIRM) == {"confirmed": 5}
    for _ in range(3):
        swept(world)
    assert deleted(world) == shown
    assert held(world) == 40
    assert world.command(CONFIRM) == {"confirmed": 40}
    world.export()
    assert (len(deleted(world)), held(world)) == (45, 0)


def test_a_new_day_releases_nothing_that_is_held() -> None:
    world = guarded()
    delete(world, list(world.store)[:5])
    for _ in range(5):
        swept(world, after=timedelta(days=1))
    assert (deleted(world), held(world)) == (set(), 5)


def test_while_it_is_open_a_single_deletion_is_held_too() -> None:
    world = guarded()
    entries = list(world.store)
    delete(world, entries[:5])
    for _ in range(2):
        swept(world)
    delete(world, entries[-3:-2])
    for _ in range(3):
        swept(world, after=timedelta(days=1))
    assert (deleted(world), held(world)) == (set(), 6)


def test_a_confirmation_closes_it() -> None:
    world = guarded()
    entries = list(world.store)
    delete(world, entries[:5])
    for _ in range(2):
        swept(world)
    world.command(CONFIRM)
    world.export()
    last = delete(world, entries[-3:-2])
    for _ in range(2):
        swept(world)
    assert last < deleted(world)
    assert held(world) == 0


def test_an_entry_that_comes_back_is_held_no_more() -> None:
    world = guarded()
    entries = list(world.store)[:5]
    delete(world, entries)
    for _ in range(2):
        swept(world)
    for entry in entries[:2]:
        world.store.add(entry)
    swept(world)
    assert held(world) == 3


def test_every_tick_counts_the_held_deletions() -> None:
    world = guarded()
    world.planner.tick()
    delete(world, list(world.store)[:5])
    for _ in range(2):
        swept(world)
    for _ in range(2):
        report = world.planner.tick()
        assert report.held == 5
        assert tick_metrics(report, world.now)["DeletionsHeld"] == 5
    world.command(CONFIRM)
    world.export()
    assert "DeletionsHeld" not in tick_metrics(world.planner.tick(), world.now)


def test_status_shows_since_when_and_where() -> None:
    world = guarded()
    delete(world, list(world.store)[:5])
    for _ in range(2):
        swept(world)
    status = read_status(world.timeline, world.queue, world.clock)
    assert status["deletionsHeldSince"] is not None
    assert [page["deletions"] for page in status["heldDeletions"]] == [5]


def test_a_deletion_that_is_held_during_the_confirmation_is_not_confirmed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The sweep decided before the confirmation, and merges after it."""
    world = guarded()
    delete(world, list(world.store)[:5])
    swept(world)
    commit, answers = world.timeline.commit, list[object]()

    def commit_late(
        writes: Sequence[ConditionalWrite], breaker: BreakerChange | None = None
    ) -> bool:
        if breaker is not None and breaker.after.opened_at and not answers:
            world.timeline.update_breaker(BreakerChange(None, replace(breaker.after, revision="0")))
            world.now += timedelta(minutes=1)
            answers.append(world.command(CONFIRM))
        return commit(writes, breaker)

    monkeypatch.setattr(world.timeline, "commit", commit_late)
    for _ in range(3):
        swept(world)
    assert answers == [{"confirmed": 0}]
    assert (deleted(world), held(world)) == (set(), 5)


def test_a_hold_that_loses_against_another_sweep_looks_nothing_up_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = guarded()
    gone = delete(world, list(world.store)[:5])
    swept(world)
    commit, entry = world.timeline.commit, world.api.entry
    lost, looked_up = list[BreakerChange](), Counter[str]()

    def commit_late(
        writes: Sequence[ConditionalWrite], breaker: BreakerChange | None = None
    ) -> bool:
        if breaker is not None and not lost:
            lost.append(breaker)
            world.timeline.stored_breaker = replace(breaker.after, revision="another sweep's")
        return commit(writes, breaker)

    def counted(entry_id: str) -> Entry | FaultyEntry | None:
        looked_up[entry_id] += 1
        return entry(entry_id)

    monkeypatch.setattr(world.timeline, "commit", commit_late)
    monkeypatch.setattr(world.api, "entry", counted)
    swept(world)
    assert lost
    assert held(world) == 5
    assert {entry_id: looked_up[entry_id] for entry_id in gone} == dict.fromkeys(gone, 1)


def test_a_hold_that_lands_during_the_confirmation_is_counted_by_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = guarded()
    entries = list(world.store)
    delete(world, entries[:5])
    swept(world)
    swept(world)
    update, page = world.timeline.update_breaker, next(world.timeline.flagged(PageFlag.HELD))
    late = entries[-3].log_entry_id

    def update_late(change: BreakerChange) -> bool:
        stored = world.timeline.stored_breaker
        if change.before == stored and stored and stored.revision != "late":
            other = next(one for one in world.timeline.pages(page.window.end) if one.entries)
            missing = {late: MissingEntry(world.now, held_at=world.now)}
            world.timeline.stored_pages[other.window.start] = replace(other, missing=missing)
            world.timeline.stored_breaker = replace(stored, revision="late")
        return update(change)

    monkeypatch.setattr(world.timeline, "update_breaker", update_late)
    assert world.command(CONFIRM) == {"confirmed": 6}


def test_confirmed_deletions_are_swept_again_if_the_request_was_lost() -> None:
    world = guarded()
    gone = delete(world, list(world.store)[:5])
    for _ in range(2):
        swept(world)
    world.command(CONFIRM)
    world.timeline.requested_sweeps.clear()
    world.planner.tick()
    world.drain()
    assert deleted(world) == set()
    world.now += CONFIRMATION_RETRY
    world.export()
    assert deleted(world) == gone


def test_more_than_one_sweep_looks_up_is_held_and_released_without_delay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cpd_exporter.worker.sweep.deletions.MAX_LOOK_UPS", 2)
    world = guarded(max_deletions=1)
    gone = delete(world, list(world.store)[:5])
    for _ in range(3):
        swept(world)
    assert held(world) == 5
    assert world.command(CONFIRM) == {"confirmed": 5}
    world.export()
    assert (deleted(world), held(world)) == (gone, 0)


@pytest.mark.parametrize("dies_after", ["commit", "put_new", "publish"])
def test_a_sweep_that_is_repeated_counts_once(
    monkeypatch: pytest.MonkeyPatch, dies_after: str
) -> None:
    world = guarded(max_deletions=3)
    gone = delete(world, list(world.store)[:3])
    swept(world)
    port = {"commit": world.timeline, "put_new": world.lake, "publish": world.topic}[dies_after]
    call, died = getattr(port, dies_after), list[object]()

    def lost(*args: object) -> object:
        answer = call(*args)
        is_count = dies_after != "commit" or (len(args) == 2 and args[1] is not None)
        if is_count and not died:
            died.append(args)
            raise TransientError("the answer is lost")
        return answer

    monkeypatch.setattr(port, dies_after, lost)
    swept(world)
    assert died
    breaker = world.timeline.stored_breaker
    assert breaker is not None
    assert breaker.published is not None
    assert breaker.published.deletions == 3
    assert (deleted(world), held(world)) == (gone, 0)
