"""The filter check distinguishes a broken filter from an entry that no window lists."""

from dataclasses import replace
from datetime import timedelta

from cpd_exporter.errors import FilterError
from cpd_exporter.model.entry import Entry, Listing
from cpd_exporter.model.watermark import FilterWarning, Watermark
from cpd_exporter.model.window import Window
from simulator.behaviour import Behaviour
from tests.support.sweeps import days_with_entries, exported_ids, source_ids, twist
from tests.support.world import World, entries


def test_an_entry_that_no_window_lists_is_not_the_filter() -> None:
    world = World(store=entries(50))
    world.export()
    sample = max(
        (r for r in world.api.query(None, per_page=100).records if isinstance(r, Entry)),
        key=lambda r: r.date,
    )

    def change(listing: Listing, window: Window | None, per_page: int) -> Listing:
        if window is None:
            return listing
        return replace(
            listing, records=tuple(one for one in listing.records if one.id != sample.id)
        )

    twist(world, change)
    days_with_entries(world, 3)
    assert exported_ids(world) == source_ids(world)
    assert world.reports[-1].error is None


def test_a_filter_that_lags_behind_within_the_settle_time_is_no_broken_one() -> None:
    world = World(store=entries(50), behaviour=Behaviour(order="descending"))
    world.export()

    def change(listing: Listing, window: Window | None, per_page: int) -> Listing:
        if window is None:
            return listing
        shown = world.now - timedelta(seconds=60)
        return replace(
            listing, records=tuple(r for r in listing.records if r.date and r.date < shown)
        )

    twist(world, change)
    world.now += timedelta(days=1)
    for n in range(10):
        world.simulator.insert(world.now - timedelta(seconds=30 * n + 1))
    assert world.planner.tick().error is None


def test_a_contradiction_stays_while_the_api_lists_no_sample() -> None:
    world = World(store=entries(50))
    world.export()
    said = FilterWarning(world.now, "it filters in the time of Berlin", contradicts=True)
    world.timeline.stored_watermark = replace(watermark_of(world), filter_warning=said)
    twist(world, lambda listing, *_: replace(listing, records=()))
    error = world.planner.tick().error
    assert isinstance(error, FilterError)
    assert str(error) == said.message
    assert watermark_of(world).filter_warning == said


def test_an_api_that_lists_no_sample_any_more_is_a_warning() -> None:
    world = World(store=entries(50))
    world.export()
    twist(world, lambda listing, *_: replace(listing, records=()))
    world.now += timedelta(days=2)
    assert world.planner.tick().error is None
    text = "the API lists no entry any more by which its filter could be checked"
    assert watermark_of(world).filter_warning == FilterWarning(world.now, text)


def watermark_of(world: World) -> Watermark:
    watermark = world.timeline.watermark()
    assert watermark is not None
    return watermark
