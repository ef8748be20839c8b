"""Whatever the API does, thousands of entries arrive exactly once."""

from datetime import timedelta, timezone

import pytest

from cpd_exporter.errors import MalformedResponseError
from cpd_exporter.model.entry import Listing
from cpd_exporter.model.window import Window
from simulator.behaviour import Behaviour, InjectedFault
from tests.support.behaviours import BEHAVIOURS
from tests.support.world import World, entries


@pytest.mark.parametrize("behaviour", BEHAVIOURS.values(), ids=BEHAVIOURS.keys())
def test_everything_arrives_once(behaviour: Behaviour) -> None:
    world = World(store=entries(2000), behaviour=behaviour)
    world.export()
    assert world.at_rest
    world.assert_exact()
    assert len(world.rows) == 2000


@pytest.mark.parametrize("behaviour", BEHAVIOURS.values(), ids=BEHAVIOURS.keys())
def test_a_burst_in_one_second_arrives_once(behaviour: Behaviour) -> None:
    if behaviour.totals_factor != 1 or behaviour.totals_extra:
        pytest.skip("a dense second is only as provable as the total is right")
    world = World(store=entries(1300, burst=1100), behaviour=behaviour)
    world.export()
    world.assert_exact()
    assert len(world.rows) == 1300


@pytest.mark.parametrize("offset", [7200, -5 * 3600])
def test_a_filter_in_another_time_zone_is_asked_in_that_zone(offset: int) -> None:
    world = World(
        store=entries(2000),
        behaviour=Behaviour(filter_offset_seconds=offset),
        filter_time_zone=timezone(timedelta(seconds=offset)),
    )
    world.export()
    world.assert_exact()
    assert len(world.rows) == 2000


def test_a_poisoned_second_ends_as_a_hole_and_stops_nothing() -> None:
    """A listing that is never JSON while one entry is in it: split down to that entry's second."""
    world = World(store=entries(1200))
    poisoned = list(world.store)[600]
    neighbours = len([e for e in world.store if abs(e.at_ms - poisoned.at_ms) < 4000])
    query = world.api.query

    def broken(window: Window | None, *, page: int = 1, per_page: int = 1000) -> Listing:
        listing = query(window, page=page, per_page=per_page)
        if per_page > 1 and any(record.id == poisoned.log_entry_id for record in listing.records):
            raise MalformedResponseError("not JSON")
        return listing

    world.api.query = broken  # type: ignore[method-assign]
    world.simulator.behave()
    reports = world.export(ticks=200)
    holes = [page for page in world.pages if page.hole_since]
    assert world.at_rest
    assert len(world.rows) >= 1200 - neighbours
    assert 1 <= len(holes) <= 3
    assert holes[0].error == "not JSON"
    assert reports[-1].holes == len(holes)


def test_an_outage_makes_no_holes_and_costs_nothing() -> None:
    world = World(store=entries(3000))
    world.planner.tick()
    world.simulator.behave(faults=(InjectedFault(kind="status", status=503),))
    for _ in range(20):
        world.drain()
        world.now += timedelta(minutes=15)
        world.planner.tick()
    assert not any(page.hole_since for page in world.pages)
    world.simulator.behave(faults=())
    world.export()
    world.assert_exact()


def test_a_backfill_is_many_bounded_ticks() -> None:
    world = World(store=entries(600), behaviour=Behaviour(per_page_cap=2))
    reports = world.export(ticks=150)
    assert max(report.planned for report in reports) <= 500
    world.assert_exact()
