"""Worlds whose filter is checked, and an API that fails for some listings."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from cpd_exporter.model.entry import Listing
from cpd_exporter.model.window import Window
from cpd_exporter.planner.report import TickReport
from tests.support.world import World, entries

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def exported_until(now: datetime, count: int = 200, **settings: Any) -> World:
    """A world whose entries end a day before ``now``, all of them exported."""
    world = World(store=entries(count, end=now - DAY), **settings)
    world.now = now
    world.export()
    world.assert_exact()
    return world


def next_day(world: World) -> TickReport:
    world.now += DAY + HOUR
    return world.planner.tick()


def failing(
    world: World, strikes: Callable[[Window | None, Listing], bool], error: Exception
) -> Callable[[], None]:
    """Let the API fail for the listings that ``strikes`` picks; returns what mends it."""
    query = world.api.query

    def broken(window: Window | None, *, page: int = 1, per_page: int = 1000) -> Listing:
        listing = query(window, page=page, per_page=per_page)
        if strikes(window, listing):
            raise error
        return listing

    def heal() -> None:
        world.api.query = query  # type: ignore[method-assign]

    world.api.query = broken  # type: ignore[method-assign]
    return heal
