"""Planner and worker together, over fakes: all entries arrive exactly once."""

from datetime import timedelta

import pytest

from cpd_exporter.errors import FilterError, MalformedResponseError
from cpd_exporter.model.entry import Listing
from cpd_exporter.model.page import PageState
from cpd_exporter.worker.context import Outcome
from simulator.behaviour import Behaviour, InjectedFault
from tests.support.behaviours import BEHAVIOURS
from tests.support.pages import crash
from tests.support.samples import works
from tests.support.world import NOW, World, entries


@pytest.mark.parametrize("behaviour", BEHAVIOURS.values(), ids=BEHAVIOURS.keys())
def test_some_entries_arrive_once(behaviour: Behaviour) -> None:
    world = World(store=entries(60, burst=20), behaviour=behaviour, slice_target=30)
    world.export()
    assert world.at_rest
    world.assert_exact()
    assert len(world.rows) == 60


def test_a_second_export_finds_nothing_new() -> None:
    world = World(store=entries(100))
    world.export()
    objects, published = dict(world.lake.objects), list(world.topic.published)
    world.now += timedelta(hours=1)
    reports = world.export()
    assert world.at_rest
    assert (dict(world.lake.objects), list(world.topic.published)) == (objects, published)
    assert sum(report.sent for report in reports) == 0


def test_new_entries_arrive_with_the_next_export() -> None:
    world = World(store=entries(60))
    world.export()
    world.simulator.insert(world.now - timedelta(seconds=30))
    world.now += timedelta(minutes=5)
    world.export()
    world.assert_exact()
    assert len(world.rows) == 61


def test_faulty_entries_are_quarantined_and_their_neighbours_go_through() -> None:
    world = World(store=entries(150, faulty=10))
    world.export()
    assert world.at_rest
    assert len(world.rows) == 140
    assert len(world.topic.published) == 140
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


def test_the_filter_must_find_a_sampled_entry() -> None:
    world = World(
        store=entries(10), behaviour=Behaviour(faults=(InjectedFault(kind="nothing", after=1),))
    )
    world.simulator.insert(NOW - timedelta(hours=1))
    report = world.planner.tick()
    assert isinstance(report.error, FilterError)
    assert report.planned == 0
    assert "No usual time zone" in str(report.error)


def test_a_filter_in_another_time_zone_fails_loudly() -> None:
    world = World(store=entries(100), behaviour=Behaviour(filter_offset_seconds=7200))
    report = world.planner.tick()
    assert isinstance(report.error, FilterError)
    assert not world.lake.objects


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


def test_a_page_of_a_thousand_is_one_call() -> None:
    store = entries(790, first=NOW - timedelta(hours=2), end=NOW - timedelta(hours=1))
    world = World(store=store, origin=NOW - timedelta(hours=3))
    world.export()
    world.assert_exact()
    # Six to check the filter, one to count, and one to read.
    assert world.api.calls <= 8
    assert len(world.lake.objects) == 1


def test_a_worker_that_crashes_too_often_leaves_a_hole(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> Listing:
        raise MalformedResponseError("not even to be counted")

    world = World(store=entries(10))
    world.planner.tick()
    [*_, work] = works(world.queue)
    page = world.timeline.page(work.start)
    assert page is not None
    for _ in range(5):
        crash(world, work)
        world.now += timedelta(minutes=3)
    with monkeypatch.context() as outage:
        outage.setattr(world.api, "query", broken)
        assert world.worker.handle(work).outcome is Outcome.HOLE
    page = world.timeline.page(work.start)
    assert page is not None
    assert page.hole_since is not None
    assert page.state is PageState.OPEN
    world.now += timedelta(hours=6)
    world.export()
    world.assert_exact()
