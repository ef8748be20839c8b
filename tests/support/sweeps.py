"""An exported world, what others change in its source, and what the sweeps then find."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from cpd_exporter.errors import MalformedResponseError
from cpd_exporter.model.entry import Entry, FaultyEntry, Listing
from cpd_exporter.model.message import JobMessage
from cpd_exporter.model.row import Change, Row
from cpd_exporter.model.window import Window
from simulator.source import StoredEntry
from tests.support.world import TENANT, World, entries

type Fetched = Entry | FaultyEntry | None

POISONED = MalformedResponseError("one record poisons the listing")


def exported(count: int = 60, **settings: Any) -> World:
    world = World(store=entries(count), **settings)
    world.export()
    world.now += timedelta(hours=23)  # a day after an export, a sweep of its own follows
    return world


def finely_sliced(count: int = 300) -> World:
    """Exported in some ten small pages a month; a sweep covers all of a month's."""
    world = exported(count, slice_target=10)
    world.slice_target = 800
    return world


def swept(world: World, *, after: timedelta = timedelta(hours=2)) -> list[Row]:
    """Sweep everything; returns the rows that this added, in the order of their time."""
    before = set(world.lake.objects)
    world.now += after
    world.command({"command": "sweep", "from": "2026-01-01T00:00:00Z"})
    world.export()
    fresh = [key for key in world.lake.objects if key not in before and key.startswith("entries/")]
    return sorted(world.rows_of(fresh), key=lambda row: row.exported_at)


def ids_by_change(rows: list[Row]) -> dict[Change, set[str]]:
    return {change: {r.entry_id for r in rows if r.change is change} for change in Change}


def published_ids(world: World, change: Change) -> list[str]:
    """The entries of the events of one change, in order, repetitions too."""
    return [e.entry_id for e in world.topic.published if e.attributes["change"] == change]


def held_deletions(world: World) -> int:
    """The missing entries whose deletion the breaker holds, or whose confirmed one is not out."""
    return sum(bool(gone.held_at) for page in world.pages for gone in page.missing.values())


def exported_ids(world: World) -> set[str]:
    return {row.entry_id for row in world.rows}


def source_ids(world: World) -> set[str]:
    return {entry.log_entry_id for entry in world.store}


def spread(world: World, count: int) -> list[StoredEntry]:
    stored = list(world.store)
    return stored[:: len(stored) // count][:count]


def february(world: World) -> list[StoredEntry]:
    return [entry for entry in world.store if at(entry).month == 2]


def at(entry: StoredEntry) -> datetime:
    return datetime.fromisoformat(entry.value["entryDate"])


def edit(world: World, entry: StoredEntry) -> str:
    world.store.edit(entry.log_entry_id, durationMinutes=7)
    return entry.log_entry_id


def refresh(world: World, *wanted: StoredEntry) -> None:
    ids = [entry.log_entry_id for entry in wanted]
    name = world.command({"command": "refresh", "logEntryIds": ids})["requested"]
    world.worker.handle(JobMessage(tenant_id=TENANT, name=name))


def lose_object_of(world: World, entry: StoredEntry) -> None:
    page = world.timeline.page_at(at(entry))
    assert page is not None
    assert page.object is not None
    del world.lake.objects[page.object]


def twist(world: World, change: Callable[[Listing, Window | None, int], Listing]) -> None:
    """Change what the API answers; ``change`` is given the window and the page size, too."""
    query = world.api.query

    def twisted(window: Window | None, *, page: int = 1, per_page: int = 1000) -> Listing:
        listing = query(window, page=page, per_page=per_page)
        return change(listing, window, per_page)

    world.api.query = twisted  # type: ignore[method-assign]


def poison(world: World, bad: StoredEntry) -> None:
    """Let every listing fail that has the record in it, of one row too."""

    def change(listing: Listing, window: Window | None, per_page: int) -> Listing:
        if window is not None and any(one.id == bad.log_entry_id for one in listing.records):
            raise POISONED
        return listing

    twist(world, change)


def days_with_entries(world: World, days: int) -> None:
    for _ in range(days):
        for n in range(20):
            world.simulator.insert(world.now + timedelta(minutes=10 * n + 5))
        world.now += timedelta(days=1)
        for _ in range(6):
            world.planner.tick()
            world.drain()
            world.now += timedelta(minutes=5)
