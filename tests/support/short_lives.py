"""A second that holds more than one response, and workers with time for a few API calls only."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from cpd_exporter.errors import ExporterError
from cpd_exporter.model.message import Message
from simulator.behaviour import Behaviour
from tests.support.world import ORIGIN, World, entries

DENSE = ORIGIN + timedelta(days=10)


def dense_world(count: int = 60, **settings: Any) -> World:
    world = World(store=entries(8), behaviour=Behaviour(per_page_cap=10), **settings)
    for n in range(count):
        world.simulator.insert(DENSE + timedelta(milliseconds=n))
    return world


def live(world: World, message: Message, calls: int) -> str:
    """One life of a worker, which has time for so many API calls; returns how it ended."""
    until = world.api.calls + calls
    try:
        report = world.worker.handle(message, has_time_left=lambda: world.api.calls < until)
    except ExporterError as error:
        world.now += timedelta(seconds=1)
        return type(error).__name__
    return str(report.outcome)


def run(
    world: World, ticks: int, calls: int = 10**9, after: Callable[[str], None] = lambda _: None
) -> list[str]:
    """Tick every five minutes; ``after`` learns how each life of a worker ended."""
    outcomes = []
    for _ in range(ticks):
        world.planner.tick()
        while world.queue.messages:
            outcomes.append(live(world, world.queue.messages.pop(0), calls))
            after(outcomes[-1])
        world.now += timedelta(minutes=5)
    return outcomes
