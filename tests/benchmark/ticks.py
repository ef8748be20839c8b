"""Ticks stay bounded: a backfill of ten million entries, and a table of 100,000 pages."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from statistics import median

from cpd_exporter.model.page import PageState, parts_of, replacing
from cpd_exporter.planner.status import read_status
from cpd_exporter.source.response import MAX_PER_PAGE
from tests.benchmark.even_api import EvenApi
from tests.benchmark.long_timeline import HELD_PAGES, LongTimeline
from tests.benchmark.report import Section
from tests.support.world import TENANT, World

ENTRIES = 10_000_000
END = datetime(2026, 1, 1, tzinfo=UTC)
TEN_YEARS = timedelta(days=3652)
FIVE_MINUTES = timedelta(minutes=5)
FEW, MANY = 1_000, 100_000
FILLED = 850
"""Entries of a page that a worker made of a larger one."""


@dataclass(frozen=True, slots=True)
class BackfillTicks:
    """The ticks of a backfill, and the most that one of them did."""

    ticks: int
    pages: int
    most_planned: int
    most_calls: int
    most_sent: int
    longest_ms: float
    median_ms: float


def long_world(pages: int, *, gap: timedelta = timedelta(seconds=37)) -> World:
    """A world with so many done pages of five minutes, the last of which has just ended."""
    origin = END - pages * FIVE_MINUTES
    world = World(origin=origin)
    world.now = END + timedelta(seconds=120)
    world.timeline = LongTimeline(TENANT, origin, pages, FIVE_MINUTES)
    world.api = EvenApi(origin - TEN_YEARS, gap, world.clock)  # type: ignore[assignment]
    return world


def backfill() -> BackfillTicks:
    """Plan ten years of ten million entries, while workers finish or split each page at once."""
    gap = TEN_YEARS / ENTRIES
    world, pages = long_world(1000, gap=gap), 0
    start = world.origin - TEN_YEARS
    world.command({"command": "backfill", "from": f"{start:%Y-%m-%dT%H:%M:%SZ}"})
    planned, calls, sent, millis = [0], [0], [0], [0.0]
    while world.timeline.added_jobs:
        world.now += FIVE_MINUTES
        before, began = world.api.calls, time.process_time()
        report = world.planner.tick()
        millis.append(1000 * (time.process_time() - began))
        calls.append(world.api.calls - before)
        planned.append(report.planned)
        sent.append(report.sent)
        pages += _finish(world, gap)
    return BackfillTicks(
        ticks=len(planned) - 1,
        pages=pages,
        most_planned=max(planned),
        most_calls=max(calls),
        most_sent=max(sent),
        longest_ms=max(millis),
        median_ms=median(millis[1:]),
    )


def _finish(world: World, gap: timedelta | None = None) -> int:
    """What the workers do with all in the queue, an entry each ``gap``; counts finished pages."""
    finished = 0
    for message in world.queue.messages:
        page = world.timeline.page(message.start)  # type: ignore[union-attr]  # no jobs here
        assert page is not None
        if gap is not None and page.window.length // gap >= MAX_PER_PAGE:
            windows = page.window.split(-(-page.window.length // (gap * FILLED)))
            writes = replacing(page, parts_of(page, windows, revision="parts"))
            assert world.timeline.commit(writes)
            continue
        done = replace(page, state=PageState.DONE, revision="done", read_at=world.now)
        assert world.timeline.update(page, done)
        finished += 1
    world.queue.messages.clear()
    return finished


def _measured(pages: int, runs: int) -> dict[str, tuple[float, int]]:
    """Milliseconds and pages read, by what is done: medians of so many runs."""
    found: dict[str, list[tuple[float, int]]] = {}
    for _ in range(runs):
        for name, taken in laps(long_world(pages)):
            found.setdefault(name, []).append(taken)
    return {
        name: (median(ms for ms, _ in values), max(read for _, read in values))
        for name, values in found.items()
    }


def laps(world: World) -> Iterator[tuple[str, tuple[float, int]]]:
    """Each thing that is done, with its milliseconds and the pages that it read."""
    planner, timeline = world.planner, world.timeline
    assert isinstance(timeline, LongTimeline)

    def lap(act: Callable[[], object]) -> tuple[float, int]:
        _finish(world)
        read, began = timeline.read, time.process_time()
        act()
        return 1000 * (time.process_time() - began), timeline.read - read

    most = lap(planner.tick)  # the first one of the day checks the filter too
    world.now += FIVE_MINUTES
    yield "status", lap(lambda: read_status(timeline, world.queue, world.clock))
    planned = timeline.stored_watermark
    while planned and planned.reconciliation and planned.reconciliation.step != "done":
        most = max(most, lap(planner.tick))
        world.now += FIVE_MINUTES
        planned = timeline.stored_watermark
    yield "the longest tick of a day", most
    yield "a tick", lap(planner.tick)
    world.now += FIVE_MINUTES
    world.command({"command": "sweep", "lookback": "P2D"})
    yield "a tick that begins the short sweep", lap(planner.tick)
    yield "confirm-deletions", lap(lambda: world.command({"command": "confirm-deletions"}))


def measure_ticks(*, runs: int) -> Section:
    """Compare a long table with a short one, and bound the ticks of a backfill."""
    few, many, filled = _measured(FEW, runs), _measured(MANY, runs), backfill()
    rows: list[tuple[object, ...]] = [
        (
            name,
            few[name][1],
            many[name][1],
            f"{few[name][0]:.1f}",
            f"{many[name][0]:.1f}",
            f"{many[name][0] / few[name][0]:.2f}",
        )
        for name in many
    ]
    return Section(
        title=f"The planner by the length of the table, {HELD_PAGES} pages with held deletions",
        columns=("", f"pages read of {FEW:,}", f"of {MANY:,}", "ms", "ms", "ratio"),
        rows=rows,
        members={
            "backfillOfTenMillion": {
                "pages": filled.pages,
                "ticks": filled.ticks,
                "mostPagesPlannedInATick": filled.most_planned,
                "mostPagesSentInATick": filled.most_sent,
                "mostApiCallsInATick": filled.most_calls,
            },
            "pagesReadOf100k": {name: read for name, (_, read) in many.items()},
            "tickRatio100kTo1k": round(many["a tick"][0] / few["a tick"][0], 3),
        },
        notes=[
            f"A backfill of ten million entries: {filled.pages:,} pages in {filled.ticks} ticks.",
            f"The most of one tick: {filled.most_planned} pages, {filled.most_calls} API calls.",
            f"A tick takes {filled.median_ms:.0f} ms of CPU, at most {filled.longest_ms:.0f}.",
        ],
    )
