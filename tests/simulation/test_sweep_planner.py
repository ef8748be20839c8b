"""Sweeps are planned a few at a time, beside other ticks."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from cpd_exporter.model.breaker import BreakerChange
from cpd_exporter.model.page import ConditionalWrite, WorkKind
from cpd_exporter.model.row import Change
from cpd_exporter.model.sweep_request import SweepRequest
from tests.support.sweeps import at, edit, exported, february, finely_sliced, published_ids, swept
from tests.support.world import World, entries


class TestRaces:
    def test_pages_that_were_just_reserved_are_swept_later(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = finely_sliced()
        edited = edit(world, february(world)[5])
        commit, lost = world.timeline.commit, [2]

        def commit_late(
            writes: Sequence[ConditionalWrite], breaker: BreakerChange | None = None
        ) -> bool:
            made = writes[0].after
            if made and made.kind is WorkKind.SWEEP and made.window.start.month in lost:
                lost.clear()
                return False
            return commit(writes, breaker)

        monkeypatch.setattr(world.timeline, "commit", commit_late)
        assert [row.entry_id for row in swept(world)] == [edited]
        assert lost == []


class TestOperatorsInAHurry:
    def test_a_short_look_back_does_not_wait_for_a_long_sweep(self) -> None:
        world = World(store=entries(1000), slice_target=8, slice_floor=timedelta(minutes=1))
        world.export()
        world.command({"command": "sweep", "from": "2026-01-01T00:00:00Z"})
        world.command({"command": "sweep", "lookback": "P3D"})
        edited = edit(world, list(world.store)[-5])
        world.planner.tick()
        world.drain()
        assert published_ids(world, Change.UPDATED) == [edited]
        assert len(list(world.timeline.jobs())) == 1


def test_sweeps_that_are_due_are_sent_before_new_ones_are_planned() -> None:
    class TimedOutError(BaseException):
        pass

    def too_long(*_: object) -> None:
        raise TimedOutError

    world = exported()
    for entry in list(world.store)[:150]:
        world.timeline.request_sweep(SweepRequest(at(entry), world.now))
    world.planner.tick()
    waiting = len(list(world.timeline.sweeps()))
    world.queue.messages.clear()
    world.now += timedelta(hours=1)
    world.timeline.page_at = too_long  # type: ignore[assignment, method-assign]
    with pytest.raises(TimedOutError):
        world.planner.tick()
    sent = [message for message in world.queue.messages if message.kind is WorkKind.SWEEP]
    assert len(sent) == waiting > 0
