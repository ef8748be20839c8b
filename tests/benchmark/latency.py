"""From an entry's appearance in the API to its event, at the default schedule."""

from datetime import UTC, datetime, timedelta
from random import Random
from statistics import median, quantiles

from tests.benchmark.arrivals import entry_at, span, store_of, uniform
from tests.benchmark.report import Section
from tests.support.world import World

FIRST = datetime(2026, 3, 2, tzinfo=UTC)
ENTRIES = 500
LENGTH = timedelta(hours=24)
TICK = timedelta(minutes=5)


def latencies() -> list[float]:
    """The seconds of each entry, by a clock on which calls take no time."""
    rng = Random(7)
    coming = [entry_at(rng, at) for at in sorted(uniform(rng, ENTRIES, *span(FIRST, LENGTH)))]
    dates = {entry.log_entry_id: entry.at_ms / 1000 for entry in coming}
    world = World(store=store_of([]), origin=FIRST - timedelta(days=1))
    world.now = FIRST
    found: list[float] = []
    while len(found) < ENTRIES:
        while coming and coming[0].at_ms / 1000 <= world.now.timestamp():
            world.store.add(coming.pop(0))
        published = len(world.topic.published)
        world.planner.tick()
        world.drain()
        new = world.topic.published[published:]
        found += [world.now.timestamp() - dates[event.entry_id] for event in new]
        world.now += TICK
    return found


def measure_latency() -> Section:
    """Time as the schedule decides it; the calls themselves add some seconds."""
    found = latencies()
    late = quantiles(found, n=100)[98]
    return Section(
        title="From an entry's appearance to its event, at five-minute ticks",
        columns=("", "minutes"),
        rows=[
            ("median", f"{median(found) / 60:.1f}"),
            ("99 of 100 within", f"{late / 60:.1f}"),
            ("most", f"{max(found) / 60:.1f}"),
        ],
        members={
            "latencySeconds": {
                "median": round(median(found)),
                "p99": round(late),
                "most": round(max(found)),
            }
        },
        notes=["The settle time of two minutes is in it. Calls take no time on this clock."],
    )
