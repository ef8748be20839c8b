"""One record that poisons its listing, or is listed in another window: all others are exported."""

from dataclasses import replace
from datetime import timedelta
from itertools import count

from cpd_exporter.model import exact_json as json_text
from cpd_exporter.model.entry import Entry, FaultyEntry, Listing, read_entry
from cpd_exporter.model.page import PageState
from cpd_exporter.model.window import Window
from simulator.behaviour import Behaviour
from tests.support.samples import content_of
from tests.support.sweeps import (
    POISONED,
    at,
    days_with_entries,
    exported,
    exported_ids,
    poison,
    source_ids,
    twist,
)
from tests.support.world import World, entries


def test_a_new_record_that_cannot_even_be_counted_stops_no_planning() -> None:
    world = World(store=entries(100))
    world.export()
    bad = world.simulator.insert(world.now + timedelta(minutes=1))
    poison(world, bad)
    days_with_entries(world, 4)
    assert exported_ids(world) == source_ids(world) - {bad.log_entry_id}
    [hole] = [page for page in world.pages if page.hole_since]
    assert at(bad) in hole.window


def test_the_first_record_of_its_page_costs_its_neighbours_nothing() -> None:
    world = World(store=entries(150))
    world.planner.tick()
    page = next(page for page in world.pages if page.state is PageState.OPEN)
    bad = next(entry for entry in world.store if at(entry) in page.window)
    poison(world, bad)
    world.export(ticks=60)
    assert exported_ids(world) == source_ids(world) - {bad.log_entry_id}


def test_a_record_that_is_listed_where_its_date_is_not() -> None:
    world = World(store=entries(100))
    world.export()
    rogue = world.simulator.insert(world.now + timedelta(minutes=1))
    # The index holds it where it was before it was back-dated.
    world.store.edit(rogue.log_entry_id, entryDate="2026-02-01T08:00:00.000Z")
    days_with_entries(world, 4)
    assert exported_ids(world) == source_ids(world) - {rogue.log_entry_id}
    assert sum(page.hole_since is not None for page in world.pages) == 1


def test_an_api_down_as_a_whole_shatters_nothing() -> None:
    world = World(store=entries(150))
    world.planner.tick()
    pages = len(world.pages)

    def change(listing: Listing, window: Window | None, per_page: int) -> Listing:
        raise POISONED

    twist(world, change)
    world.export(ticks=30)
    assert len(world.pages) == pages


def test_work_that_kills_its_workers_is_split_until_it_does_not() -> None:
    class KilledError(BaseException):
        pass

    def change(listing: Listing, window: Window | None, per_page: int) -> Listing:
        if window is not None and len(listing.records) > 80:
            raise KilledError
        return listing

    def run(world: World, ticks: int) -> None:
        for _ in range(ticks):
            world.planner.tick()
            while world.queue.messages:
                try:
                    world.worker.handle(world.queue.messages.pop(0))
                except KilledError:
                    world.now += timedelta(minutes=3)
            world.now += timedelta(hours=1)

    world = World(store=entries(300), slice_target=160)
    twist(world, change)
    run(world, 20)
    assert exported_ids(world) == source_ids(world)

    world = exported(300, slice_target=60)
    world.slice_target = 160
    twist(world, change)
    world.command({"command": "sweep", "from": "2026-01-01T00:00:00Z"})
    run(world, 20)
    assert list(world.timeline.sweeps()) == []
    assert not any(page.reserved_by for page in world.pages)


def test_excluded_members_do_not_contradict_each_other() -> None:
    fingerprint_exclude = frozenset({"views"})
    world = World(
        store=entries(60),
        fingerprint_exclude=fingerprint_exclude,
        behaviour=Behaviour(totals_extra=1),
    )
    views = count()

    def seen(record: Entry | FaultyEntry) -> Entry | FaultyEntry:
        assert isinstance(record, Entry)
        content = content_of(record) | {"views": next(views)}
        return read_entry(json_text.dump(content), fingerprint_exclude)

    twist(world, lambda listing, _, __: replace(listing, records=tuple(map(seen, listing.records))))
    world.export()
    assert exported_ids(world) == source_ids(world)


def test_an_api_that_caps_its_pages_but_skips_by_what_was_asked_for() -> None:
    world = World(store=entries(300), slice_target=80)
    twist(world, lambda listing, _, __: replace(listing, records=listing.records[:50]))
    world.export()
    assert exported_ids(world) == source_ids(world)


def test_an_api_without_order_that_caps_its_pages_and_does_not_say_so() -> None:
    world = World(store=entries(50), behaviour=Behaviour(shuffle="all", per_page_cap=40))
    second = world.now - timedelta(days=3)
    for _ in range(41):
        world.simulator.insert(second)
    twist(world, lambda listing, _, per_page: replace(listing, per_page=per_page))
    world.export()
    assert exported_ids(world) == source_ids(world)
    assert not any(page.hole_since for page in world.pages)
