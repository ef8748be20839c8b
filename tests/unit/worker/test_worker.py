"""How each message ends."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cpd_exporter.errors import (
    InconsistentListingError,
    MalformedInputError,
)
from cpd_exporter.model.page import PageState, lake_key
from cpd_exporter.model.row import Change
from cpd_exporter.worker.context import Outcome
from tests.support.pages import START, assert_published_once, crash, done, page_of, planned
from tests.support.samples import content_of
from tests.support.world import NOW, TENANT

LEASE = timedelta(seconds=120)


def test_a_page_is_stored_published_and_done() -> None:
    world, work = planned(20)
    report = world.worker.handle(work)
    assert report == done(20)
    page = page_of(world, work)
    assert (page.state, page.entries, page.attempts) == (PageState.DONE, 20, 1)
    assert (page.error, page.hole_since, page.lease_until) == (None, None, None)
    assert list(world.lake.objects) == [page.object] == [lake_key(page)]
    world.planner.tick()
    assert_published_once(world)


def test_rows_are_by_date_and_published_with_the_time_they_were_stored() -> None:
    world, work = planned(20)
    world.worker.handle(work)
    dates = [content_of(row)["entryDate"] for row in world.rows]
    assert dates == sorted(dates)
    assert {row.exported_at for row in world.rows} == {world.now}
    assert {row.tenant_id for row in world.rows} == {TENANT}


def test_a_page_whose_entries_went_has_no_object() -> None:
    world, work = planned(20)
    for entry in list(world.store):
        world.store.delete(entry.log_entry_id)
    with pytest.raises(InconsistentListingError):  # the planner counted some: once is not enough
        world.worker.handle(work)
    assert world.worker.handle(work) == done(0)
    assert page_of(world, work).object is None
    assert not world.lake.objects


def test_a_message_that_comes_again_finds_nothing_to_do() -> None:
    world, work = planned(20)
    world.worker.handle(work)
    calls, objects, events = (
        world.api.calls,
        dict(world.lake.objects),
        list(world.topic.published),
    )
    assert world.worker.handle(work).outcome is Outcome.GONE
    assert (world.api.calls, world.lake.objects, world.topic.published) == (
        calls,
        objects,
        events,
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"generation": 2},
        {"start": START + timedelta(seconds=1)},
        {"end": NOW - timedelta(minutes=1)},
    ],
)
def test_a_message_for_what_is_not_there_any_more_is_done(changes: dict[str, Any]) -> None:
    world, work = planned(20)
    before = page_of(world, work)
    assert world.worker.handle(work.model_copy(update=changes)).outcome is Outcome.GONE
    assert page_of(world, work) == before


def test_a_message_of_another_tenant_is_refused() -> None:
    world, work = planned(20)
    with pytest.raises(MalformedInputError, match="eu-west-2_Other") as caught:
        world.worker.handle(work.model_copy(update={"tenant_id": "eu-west-2_Other"}))
    assert TENANT in str(caught.value)
    assert page_of(world, work).attempts == 0


def test_a_page_in_a_live_workers_hands_is_left_to_it() -> None:
    world, work = planned(20)
    crash(world, work)
    world.now += LEASE - timedelta(seconds=1)
    assert world.worker.handle(work).outcome is Outcome.LEASED
    world.now += timedelta(seconds=1)
    assert world.worker.handle(work).outcome is Outcome.DONE


def test_faulty_records_are_set_apart_and_counted() -> None:
    world, work = planned(20, faulty=5)
    report = world.worker.handle(work)
    assert (report.changes, report.quarantined) == ({Change.CREATED: 15}, 5)
    assert page_of(world, work).quarantined == 5
    assert len(world.quarantined) == 5


def test_a_page_of_nothing_but_faulty_records_is_done() -> None:
    world, work = planned(5, faulty=5)
    report = world.worker.handle(work)
    assert report == replace(done(0), quarantined=5)
    assert len(world.quarantined) == len(world.lake.objects) == 5
