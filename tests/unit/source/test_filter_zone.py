"""A filter in another time zone: the error names the zone that explains it."""

from datetime import UTC, datetime

import pytest

from cpd_exporter.errors import FilterError
from cpd_exporter.model.entry import Entry
from cpd_exporter.source.filter_check import FilterCheck
from cpd_exporter.source.filter_zone import explain
from simulator.behaviour import Behaviour, InjectedFault
from tests.support.filters import DAY
from tests.support.world import NOW, World, entries

SUMMER = datetime(2026, 7, 15, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "now", "expected"),
    [
        ("Europe/London", SUMMER, "set FilterTimeZone to Europe/London"),
        ("Europe/Berlin", NOW, "Europe/Berlin"),
        ("America/New_York", SUMMER, "America/New_York"),
        ("Asia/Kolkata", NOW, "set FilterTimeZone to Asia/Kolkata"),
        ("Australia/Sydney", SUMMER, "Australia/Sydney"),
        ("Pacific/Honolulu", NOW, "UTC-10:00"),
        ("Pacific/Honolulu", NOW, "set FilterTimeZone to Etc/GMT+10"),
        ("Asia/Kathmandu", NOW, "No usual time zone"),
    ],
)
def test_the_error_names_the_zone_that_explains_it(name: str, now: datetime, expected: str) -> None:
    world = World(store=entries(200, end=now - DAY), behaviour=Behaviour(filter_time_zone=name))
    world.now = now
    report = world.planner.tick()
    assert isinstance(report.error, FilterError)
    assert expected in str(report.error)


def test_a_filter_that_is_ignored_for_a_while_is_in_no_zone() -> None:
    """It lists the entry wherever it is looked for, and others beside it."""
    world = World(store=entries(200, end=NOW - DAY))
    [sample] = world.api.query(None, per_page=1).records
    assert isinstance(sample, Entry)
    check = FilterCheck(is_complete=False, contradicting=(sample,))
    world.simulator.behave(faults=(InjectedFault(kind="ignore-filter"),))
    assert explain(world.api, check, UTC, lambda: True).is_ruled_out
