"""What a day's count of deletions is after crashes, divisions, a midnight and a confirmation."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from cpd_exporter.errors import TransientError
from cpd_exporter.model.breaker import Breaker, BreakerChange, DayCount
from cpd_exporter.model.page import ConditionalWrite, Page, PageFlag, PageState
from cpd_exporter.model.row import Change
from cpd_exporter.planner.status import read_status
from simulator.source import StoredEntry
from tests.support.sweeps import exported, february, finely_sliced, published_ids, spread, swept
from tests.support.world import World

FEBRUARY = {"command": "sweep", "from": "2026-02-01T00:00:00Z", "to": "2026-03-01T00:00:00Z"}


def delete(world: World, gone: Sequence[StoredEntry]) -> set[str]:
    return {world.store.delete(entry.log_entry_id).log_entry_id for entry in gone}


def breaker_of(world: World) -> Breaker:
    breaker = world.timeline.breaker()
    assert breaker is not None
    return breaker


def die_before_writing(world: World, monkeypatch: pytest.MonkeyPatch, *, opening: bool) -> None:
    """Let the first sweep that counted die. ``opening``: another one opens the breaker then."""
    update = world.timeline.update
    dead: list[Page] = []

    def update_or_die(page: Page, changed: Page) -> bool:
        if changed.state is PageState.WRITING and not dead:
            dead.append(page)
            if opening:
                opened = replace(breaker_of(world), opened_at=world.now, revision="other")
                world.timeline.stored_breaker = opened
            raise TransientError("the worker was killed")
        return update(page, changed)

    monkeypatch.setattr(world.timeline, "update", update_or_die)


def test_a_sweep_that_fails_after_counting_counts_once() -> None:
    world = finely_sliced()
    world.max_deletions, world.full_sweep = 6, timedelta(0)
    swept(world)  # merged pages have an index apart from their rows
    doomed = february(world)[:2]
    for key in [key for key in world.lake.objects if key.startswith("entries/")]:
        if any(row.entry_id == doomed[0].log_entry_id for row in world.rows_of([key])):
            del world.lake.objects[key]
    delete(world, doomed)
    world.now = world.now.replace(hour=0) + timedelta(days=1)
    for _ in range(5):
        swept(world)
    assert not published_ids(world, Change.DELETED)
    assert breaker_of(world).opened_at is None


def test_a_sweep_that_is_divided_after_counting_counts_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = exported(300, max_deletions=5, slice_target=10, full_sweep=timedelta(0))
    world.slice_target = 800
    gone = delete(world, february(world)[10:40:10])
    swept(world)
    die_before_writing(world, monkeypatch, opening=False)
    world.now += timedelta(hours=2)
    world.command(FEBRUARY)
    world.planner.tick()
    world.drain()
    world.simulator.behave(per_page_cap=30)  # the window outgrows one response
    world.export()
    assert breaker_of(world).opened_at is None
    assert set(published_ids(world, Change.DELETED)) == gone


def test_a_late_count_of_yesterday_does_not_reset_todays(monkeypatch: pytest.MonkeyPatch) -> None:
    world = exported(300, max_deletions=5, full_sweep=timedelta(0))
    delete(world, spread(world, 4))
    swept(world)
    world.now = world.now.replace(hour=23, minute=59, second=59)
    commit, late = world.timeline.commit, [True]

    def commit_late(
        writes: Sequence[ConditionalWrite], breaker: BreakerChange | None = None
    ) -> bool:
        if breaker is not None and late:
            late.clear()
            world.now += timedelta(seconds=5)  # meanwhile others publish five of the new day
            today = DayCount(f"{world.now:%Y-%m-%d}", 5)
            world.timeline.stored_breaker = Breaker("other", today)
        return commit(writes, breaker)

    monkeypatch.setattr(world.timeline, "commit", commit_late)
    world.command({"command": "sweep", "from": "2026-01-01T00:00:00Z"})
    world.planner.tick()
    world.drain()
    assert not late
    assert breaker_of(world).published_on(f"{world.now:%Y-%m-%d}") >= 5


def test_a_confirmations_answer_counts_all_that_it_releases(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = exported(300, slice_target=10, max_deletions=1, full_sweep=timedelta(0))
    few = february(world)
    delete(world, [*few[2:5], *few[60:63]])
    swept(world)
    swept(world)
    assert read_status(world.timeline, world.queue, world.clock)["deletionsHeld"] == 6
    assert len(list(world.timeline.flagged(PageFlag.HELD))) > 1
    world.slice_target = 800
    world.now += timedelta(hours=2)
    world.command(FEBRUARY)
    world.planner.tick()
    flagged = world.timeline.flagged

    def merging_amid(flag: PageFlag) -> Iterator[Page]:
        for page in flagged(flag):
            yield page
            world.drain()

    with monkeypatch.context() as patch:
        patch.setattr(world.timeline, "flagged", merging_amid)
        answer = world.command({"command": "confirm-deletions"})
    left = read_status(world.timeline, world.queue, world.clock)["deletionsHeld"]
    assert answer["confirmed"] + left == 6


def test_confirmed_deletions_count_against_no_day(monkeypatch: pytest.MonkeyPatch) -> None:
    world = exported(300, max_deletions=5, full_sweep=timedelta(0))
    gone = delete(world, february(world)[:3])
    swept(world)
    die_before_writing(world, monkeypatch, opening=True)
    swept(world)
    assert not published_ids(world, Change.DELETED)
    assert world.command({"command": "confirm-deletions"}) == {"confirmed": 3}
    world.export()
    assert set(published_ids(world, Change.DELETED)) == gone
    published = breaker_of(world).published
    assert published is not None
    assert published.deletions == 0
