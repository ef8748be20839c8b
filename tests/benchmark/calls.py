"""API calls of a first export, against the floor: a call for each thousand entries."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from cpd_exporter.source.response import MAX_PER_PAGE
from simulator.calls import RecordedCall
from tests.benchmark.arrivals import Dates, bulk, office_hours, span, store_of, uniform
from tests.benchmark.report import Bar, Section
from tests.support.world import World

FIRST = datetime(2025, 6, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Pattern:
    """So many entries over so many days. ``limit`` bounds the calls by the floor."""

    title: str
    dates: Dates
    entries: int
    days: int
    limit: float | None


PATTERNS = {
    "uniform": Pattern("evenly", uniform, 30_000, 20, 1.6),
    "officeHours": Pattern("in office hours", office_hours, 30_000, 20, 2.0),
    "bulk": Pattern("in imports of 5,000 an hour", bulk, 30_000, 20, 2.0),
    "sparse": Pattern("few", uniform, 1_000, 365, None),
}

KINDS = {
    "page": "pages",
    "overflow": "overflows",
    "empty": "empty pages",
    "count": "counts",
    "lookup": "look-ups",
}


def first_export(pattern: Pattern) -> Counter[str]:
    """Export all at once; returns the API's calls by kind."""
    first_ms, end_ms = span(FIRST, timedelta(days=pattern.days))
    store = store_of(pattern.dates(Random(7), pattern.entries, first_ms, end_ms))
    world = World(store=store, origin=FIRST)
    world.now = FIRST + timedelta(days=pattern.days, hours=1)
    for _ in range(100):
        world.planner.tick()
        if not world.queue.messages:
            if not list(world.timeline.undone()):
                break
            world.now += timedelta(minutes=15)
        world.drain()
    assert sum(page.entries for page in world.pages) == pattern.entries
    return Counter(map(_kind, world.simulator.calls))


def _kind(call: RecordedCall) -> str:
    if call.endpoint != "listing":
        return "lookup"
    if call.query.get("perPage") == "1":
        return "count"
    if call.entries == MAX_PER_PAGE:
        return "overflow"
    return "page" if call.entries else "empty"


def measure_calls() -> Section:
    """Count the calls of each pattern."""
    found = {name: first_export(pattern) for name, pattern in PATTERNS.items()}
    ratios = {
        name: found[name].total() / (pattern.entries / MAX_PER_PAGE)
        for name, pattern in PATTERNS.items()
    }
    return Section(
        title="API calls of a first export, for a million entries; the floor is 1,000",
        columns=("", "entries", "days", "a million", "÷ floor", *KINDS.values()),
        rows=[
            (
                pattern.title,
                f"{pattern.entries:,}",
                pattern.days,
                f"{ratios[name] * 1000:,.0f}",
                f"{ratios[name]:.2f}",
                *(found[name][kind] for kind in KINDS),
            )
            for name, pattern in PATTERNS.items()
        ],
        members={
            "apiCallsPerFloor": {name: round(ratio, 3) for name, ratio in ratios.items()},
            "apiCallsByKind": {name: dict(calls) for name, calls in found.items()},
        },
        bars=[
            Bar(f"API calls ÷ floor, {pattern.title}", ratios[name], pattern.limit)
            for name, pattern in PATTERNS.items()
            if pattern.limit is not None
        ],
    )
