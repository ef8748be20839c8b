"""A day of each kind of outage: no dead letter, no hole, and new entries soon after its end.

Planner and workers run side by side on virtual time, by the template's numbers.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest

from cpd_exporter.errors import AccessError, ExporterError, ServerError, TransientError
from cpd_exporter.model.window import Window
from tests.support.work_day import TICK, WorkDay
from tests.support.world import NOW, ORIGIN, World, entries

DAY = timedelta(days=1)
CALL = timedelta(seconds=1)
IN_QUEUE = timedelta(minutes=6)


@dataclass(frozen=True)
class Outage:
    """How a call fails, after how long, and which calls do."""

    error: Callable[[], ExporterError]
    seconds: float
    spares_counts: bool = False


OUTAGES = {
    "503": Outage(lambda: TransientError("503"), 8),
    "502": Outage(lambda: ServerError("502"), 8),
    "429": Outage(lambda: TransientError("429", retry_after=60), 0.2),
    "429 for a day": Outage(lambda: TransientError("429", retry_after=86_400), 0.2),
    "401": Outage(lambda: AccessError("401"), 0.2),
    "time-outs": Outage(lambda: TransientError("ReadTimeout"), 65),
    "time-outs of listings": Outage(lambda: TransientError("ReadTimeout"), 65, spares_counts=True),
}


def strike(world: World, outage: Outage, end: datetime) -> None:
    """From now on until ``end``, calls fail."""
    query, began = world.api.query, world.now

    def struck(window: Window | None, *, page: int = 1, per_page: int = 1000) -> Any:
        spared = outage.spares_counts and per_page == 1
        if began <= world.now < end and not spared:
            world.now += timedelta(seconds=outage.seconds)
            raise outage.error()
        world.now += CALL
        return query(window, page=page, per_page=per_page)

    world.api.query = struck  # type: ignore[method-assign]


def lately(world: World) -> None:
    """An entry now."""
    world.simulator.insert(world.now)


@pytest.mark.parametrize("name", ["502", "401", "time-outs of listings"])
def test_a_day_amid_a_first_export(name: str) -> None:
    """Five hundred pages are in the queue when it begins."""
    world = World(store=entries(9000, end=NOW), slice_target=12, in_queue=IN_QUEUE)
    day = WorkDay(world)
    day.run(NOW + TICK)
    assert day.longest_queue >= 400
    end = world.now + DAY
    strike(world, OUTAGES[name], end)
    day.run(end, each=lambda: lately(world))
    # What is older than the outage's end is planned by then, and the workers do it in some hours.
    day.run(end + timedelta(hours=2), each=lambda: lately(world))
    assert not day.dead_letters
    assert not day.outcomes["killed"]
    assert not [page for page in world.timeline.undone() if page.hole_since]
    waiting = [one for one in world.store if one.log_entry_id not in day.published_at]
    assert all(one.at_ms / 1000 > (world.now - 2 * TICK).timestamp() for one in waiting)
    assert day.longest_queue < 1200


@pytest.mark.parametrize("name", OUTAGES)
def test_after_a_day_new_entries_are_out_within_some_ticks(name: str) -> None:
    """A backfill and its sweeps are under way."""
    world = World(store=entries(4000), slice_target=12, in_queue=IN_QUEUE)
    world.origin = NOW - timedelta(days=20)
    day = WorkDay(world)
    day.run(NOW + timedelta(hours=1), each=lambda: lately(world))
    world.command({"command": "backfill", "from": f"{ORIGIN:%Y-%m-%dT%H:%M:%SZ}"})
    day.run(world.now + 2 * TICK, each=lambda: lately(world))
    end = world.now + DAY
    strike(world, OUTAGES[name], end)
    day.run(end, each=lambda: lately(world))
    first = world.simulator.insert(end)
    day.run(end + timedelta(hours=1), each=lambda: lately(world))
    assert day.published_at[first.log_entry_id] - end < 3 * TICK
    assert not day.dead_letters
    assert not [page for page in world.timeline.undone() if page.hole_since]
    day.run(end + timedelta(hours=3))
    world.origin = ORIGIN
    world.assert_exact()
