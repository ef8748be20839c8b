"""Worlds to plan for."""

from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from simulator.behaviour import Behaviour
from simulator.source import EntryStore
from tests.support.world import NOW, ORIGIN, World, entries

SETTLE = timedelta(seconds=120)


HORIZON = NOW - SETTLE


def world(count: int = 0, *, origin: datetime = ORIGIN, **switches: Any) -> World:
    """So many entries, evenly over the time from ``origin`` to a day ago."""
    store = EntryStore()
    if count:
        end = max(NOW - timedelta(days=1), origin + timedelta(minutes=30))
        store = entries(count, first=origin, end=end)
    return World(store=store, origin=origin, behaviour=Behaviour(**switches))


def planned_through(world: World) -> datetime:
    watermark = world.timeline.watermark()
    assert watermark is not None
    return watermark.planned_through


def assert_tiles(world: World) -> None:
    bounds = [(page.window.start, page.window.end) for page in world.pages]
    assert bounds[0][0] == world.origin
    assert all(one[1] == other[0] for one, other in pairwise(bounds))
    assert bounds[-1][1] == planned_through(world)
    assert all(page.window.within_one_month for page in world.pages)
