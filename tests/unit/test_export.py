"""The export as a whole, over fakes: whatever the API does, all of it arrives exactly once."""

from datetime import timedelta, timezone

import pytest

from cpd_exporter.errors import FilterError, MalformedResponseError
from cpd_exporter.model.entry import Listing
from cpd_exporter.model.page import PageState
from cpd_exporter.worker.context import Outcome
from simulator.behaviour import Behaviour, Fault
from simulator.seeding import Profile, seeded
from simulator.source import EntryStore
from tests.support.samples import works
from tests.support.world import NOW, ORIGIN, World


def entries(count: int, *, burst: int = 0, faulty: int = 0) -> EntryStore:
    end = NOW - timedelta(days=1)
    return seeded(Profile(first=ORIGIN, end=end, entries=count, burst=burst, faulty=faulty))


BEHAVIOURS = {
    "documented": Behaviour(),
    "inclusive": Behaviour(from_inclusive=True, to_inclusive=True),
    "truncated": Behaviour(precision="second"),
    "truncated-inclusive": Behaviour(precision="second", from_inclusive=True, to_inclusive=True),
    "descending": Behaviour(order="descending"),
    "random": Behaviour(shuffle="all"),
    "ties": Behaviour(shuffle="ties", precision="second"),
    "ties-by-page": Behaviour(shuffle="ties", shuffle_by="page", precision="second"),
    "by-page-size": Behaviour(shuffle="all", shuffle_by="per-page"),
    "small-pages": Behaviour(per_page_cap=100),
    "totals-too-high": Behaviour(totals_factor=1.5, totals_extra=3),
    "absurd-totals": Behaviour(totals_extra=10**12),
    "no-totals": Behaviour(totals_factor=0),
    "behind": Behaviour(clock_skew_seconds=-3600),
    "ahead": Behaviour(clock_skew_seconds=3600),
}


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
    world = World(store=entries(2000, burst=1700), behaviour=behaviour)
    world.export()
    world.assert_exact()
    assert len(world.rows) == 2000


def test_a_second_export_finds_nothing_new() -> None:
    world = World(store=entries(2500))
    world.export()
    objects, told = dict(world.lake.objects), list(world.topic.published)
    world.now += timedelta(hours=1)
    reports = world.export()
    assert world.at_rest
    assert (dict(world.lake.objects), list(world.topic.published)) == (objects, told)
    assert sum(report.sent for report in reports) == 0


def test_new_entries_arrive_with_the_next_export() -> None:
    world = World(store=entries(500))
    world.export()
    world.simulator.insert(world.now - timedelta(seconds=30))
    world.now += timedelta(minutes=5)
    world.export()
    world.assert_exact()
    assert len(world.rows) == 501


def test_faulty_entries_are_quarantined_and_their_neighbours_go_through() -> None:
    world = World(store=entries(1500, faulty=10))
    world.export()
    assert world.at_rest
    assert len(world.rows) == 1490
    assert len(world.topic.published) == 1490
    sources = {world.lake.objects[key].split(b"\n", 1)[1] for key in world.quarantined}
    held = {entry.text.encode() for entry in world.store}
    assert 1 <= len(sources) <= 10
    assert sources <= held


def test_a_future_entry_waits_for_its_time() -> None:
    store = entries(100)
    world = World(store=store)
    world.simulator.insert(NOW + timedelta(days=1))
    world.export()
    assert len(world.rows) == 100
    world.now += timedelta(days=1, hours=1)
    world.export()
    world.assert_exact()
    assert len(world.rows) == 101


def test_the_filter_must_find_a_known_entry() -> None:
    world = World(store=entries(10), behaviour=Behaviour(faults=(Fault(kind="nothing", after=1),)))
    world.simulator.insert(NOW - timedelta(hours=1))
    report = world.planner.tick()
    assert isinstance(report.error, FilterError)
    assert report.planned == 0
    assert "No usual time zone" in str(report.error)


def test_a_filter_in_another_time_zone_fails_loudly() -> None:
    world = World(store=entries(2000), behaviour=Behaviour(filter_offset_seconds=7200))
    report = world.planner.tick()
    assert isinstance(report.error, FilterError)
    assert not world.lake.objects


@pytest.mark.parametrize("offset", [7200, -5 * 3600])
def test_a_filter_in_another_time_zone_is_written_to_in_that_zone(offset: int) -> None:
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

    def broken(window, *, page=1, per_page=1000):  # type: ignore[no-untyped-def]
        listing = query(window, page=page, per_page=per_page)
        if per_page > 1 and any(record.id == poisoned.log_entry_id for record in listing.records):
            from cpd_exporter.errors import MalformedResponseError

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
    world.simulator.behave(faults=(Fault(kind="status", status=503),))
    for _ in range(20):
        world.drain()
        world.now += timedelta(minutes=15)
        world.planner.tick()
    assert not any(page.hole_since for page in world.pages)
    world.simulator.behave(faults=())
    world.export()
    world.assert_exact()


def test_a_rejected_event_goes_out_as_a_reference() -> None:
    world = World(store=entries(50))
    huge = world.simulator.insert(NOW - timedelta(days=2), description="x" * 300_000)
    world.export()
    event = next(e for e in world.topic.published if e.entry_id == huge.log_entry_id)
    assert '"entry"' not in event.body
    assert len(world.topic.published) == 51
    assert not list(world.timeline.refusals())


def test_an_event_that_is_refused_for_good_is_recorded_and_its_page_ends() -> None:
    world = World(store=entries(50))
    refused = next(iter(world.store)).log_entry_id
    world.topic.refuse = lambda event: "policy" if event.entry_id == refused else None
    world.export()
    assert world.at_rest
    assert [refusal.entry_id for refusal in world.timeline.refusals()] == [refused]
    assert len(world.topic.published) == 49


def test_a_backfill_is_many_bounded_ticks() -> None:
    world = World(store=entries(3000), behaviour=Behaviour(per_page_cap=2))
    reports = world.export(ticks=300)
    assert max(report.planned for report in reports) <= 500
    world.assert_exact()


def test_a_page_of_a_thousand_is_one_call() -> None:
    world = World(store=seeded(Profile(first=NOW - timedelta(hours=2),
                                       end=NOW - timedelta(hours=1), entries=790)),
                  origin=NOW - timedelta(hours=3))  # fmt: skip
    world.export()
    world.assert_exact()
    # Two to prove the filter, one to count, one to read, one for the next tick's count.
    assert world.api.calls <= 5
    assert len(world.lake.objects) == 1


def test_a_worker_that_dies_silently_too_often_leaves_a_hole() -> None:
    world = World(store=entries(10))
    world.planner.tick()
    [*_, work] = works(world.queue)
    page = world.timeline.page(work.start)
    assert page is not None
    for _ in range(5):
        page = world.timeline.page(work.start)
        assert page is not None
        world.worker._claim(page)
        world.now += timedelta(minutes=3)
    query = world.api.query

    def broken(*_: object, **__: object) -> Listing:
        raise MalformedResponseError("not even to be counted")

    world.api.query = broken  # type: ignore[method-assign]
    assert world.worker.handle(work).outcome is Outcome.HOLE
    world.api.query = query  # type: ignore[method-assign]
    page = world.timeline.page(work.start)
    assert page is not None
    assert page.hole_since is not None
    assert page.state is PageState.OPEN
    world.now += timedelta(hours=6)
    world.export()
    world.assert_exact()
