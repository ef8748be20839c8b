"""A filter in another time zone: the error names the zone that explains it."""

from datetime import UTC, datetime

import pytest

from cpd_exporter.errors import FilterError
from simulator.behaviour import Behaviour
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
