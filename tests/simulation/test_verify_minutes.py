"""The lake's minutes against the API's: users and windows that differ are named."""

from datetime import timedelta, timezone

import pytest

from simulator.behaviour import Behaviour, InjectedFault
from tests.support.verifications import (
    entry_of,
    exported,
    page_of,
    swept,
    tamper,
    verified,
    window_of,
)

SECONDS = timedelta(seconds=90)


@pytest.mark.parametrize(
    "behaviour",
    [
        Behaviour(per_page_cap=7),
        Behaviour(order="descending", totals_extra=3),
        Behaviour(shuffle="all", per_page_cap=1000),
        Behaviour(filter_offset_seconds=3600),
    ],
    ids=["small pages", "totals too high", "no order", "another time zone"],
)
def test_it_is_clean_however_the_sums_are_answered(behaviour: Behaviour) -> None:
    world = exported()
    world.simulator.behaviour = behaviour
    offset = timedelta(seconds=behaviour.filter_offset_seconds)
    world.api.filter_time_zone = timezone(offset)
    assert verified(world)["clean"]


def test_an_edit_in_the_source_names_the_user_and_the_window() -> None:
    world = exported()
    entry = entry_of(world)
    minutes = entry.value["durationMinutes"]
    world.store.edit(entry.log_entry_id, durationMinutes=minutes + 11)
    report = verified(world)
    assert report["differences"] == 1
    [found] = report["minutes"]
    [user] = found["users"]
    assert user["userId"] == entry.value["userId"]
    assert user["apiMinutes"] - user["lakeMinutesMost"] == 11
    assert found["sweep"] == [{**window_of(page_of(world, entry)), "quarantined": 0}]
    swept(world)
    assert verified(world)["clean"]


def test_back_dated_and_deleted_entries_are_found_in_their_windows() -> None:
    world = exported()
    gone = entry_of(world, 20)
    late = world.simulator.insert(page_of(world, entry_of(world, 40)).window.start + SECONDS)
    world.store.delete(gone.log_entry_id)
    report = verified(world)
    windows = [window for found in report["minutes"] for window in found["sweep"]]
    assert [(w["from"], w["to"]) for w in windows] == [
        tuple(window_of(page_of(world, entry)).values()) for entry in (gone, late)
    ]
    users = {user["userId"] for found in report["minutes"] for user in found["users"]}
    assert users == {gone.value["userId"], late.value["userId"]}


def test_faulty_entries_are_said_to_be_in_the_window_that_differs() -> None:
    world = exported()
    entry = entry_of(world)
    world.store.edit(entry.log_entry_id, isVerified="perhaps", durationMinutes=5000)
    swept(world)
    report = verified(world)
    [found] = report["minutes"]
    [window] = found["sweep"]
    assert window["quarantined"] == 1


def test_sums_that_cannot_be_read_leave_the_lake_verified() -> None:
    world = exported()
    tamper(world, page_of(world, entry_of(world)), description="other")
    world.simulator.behave(faults=(InjectedFault(on="summaries", status=404),))
    report = verified(world)
    assert len(report["damages"]) == 1
    assert len(report["uncompared"]) == 3
    assert "404" in report["uncompared"][0]["error"]
