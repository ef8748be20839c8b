"""A filter with a time zone of its own: asked in it, an export is exact; asked in another, loud."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from cpd_exporter.errors import ExporterError, FilterError, TransientError
from cpd_exporter.model.entry import Listing
from cpd_exporter.model.row import Change
from cpd_exporter.model.window import Window
from simulator.behaviour import Behaviour
from tests.support.filters import DAY, HOUR, exported_until, failing, next_day
from tests.support.sweeps import published_ids
from tests.support.world import NOW, ORIGIN, World, entries

SUMMER = datetime(2026, 7, 15, 12, tzinfo=UTC)
WINTER = datetime(2026, 12, 15, 12, tzinfo=UTC)
SET_BACK = datetime(2026, 10, 25, 1, tzinfo=UTC)
LONDON = ZoneInfo("Europe/London")


@pytest.mark.parametrize("order", ["ascending", "descending"])
def test_london_does_not_pass_by_its_winter(order: str) -> None:
    """The first check has samples of last summer too, wherever the listing begins."""
    behaviour = Behaviour.model_validate({"filter_time_zone": "Europe/London", "order": order})
    since = WINTER - 300 * DAY
    store = entries(400, first=since, end=WINTER - DAY)
    world = World(store=store, behaviour=behaviour, origin=since - DAY)
    world.now = WINTER
    report = world.planner.tick()
    assert isinstance(report.error, FilterError)
    assert "set FilterTimeZone to Europe/London" in str(report.error)
    assert report.planned == 0


@pytest.mark.parametrize("order", ["ascending", "descending"])
def test_london_is_noticed_once_summer_time_begins(order: str) -> None:
    """Issue 8, item 5: samples of winter let it pass, and entries of summer were lost."""
    begin = datetime(2026, 3, 27, tzinfo=UTC)
    behaviour = Behaviour.model_validate({"filter_time_zone": "Europe/London", "order": order})
    world = World(store=entries(60, end=begin - DAY), behaviour=behaviour)
    world.now = begin
    errors: list[ExporterError | None] = []
    for hour in range(24 * 4):
        world.simulator.insert(world.now - timedelta(minutes=20 + hour % 30))
        world.now += HOUR
        report = world.planner.tick()
        world.drain()
        errors.append(report.error)
        if report.error:
            break
    assert errors[0] is None
    assert isinstance(errors[-1], FilterError)
    assert "Europe/London" in str(errors[-1])
    assert world.now < datetime(2026, 3, 30, 3, tzinfo=UTC)  # it begins on the 29th at 01:00


def test_the_right_zone_ends_the_error_and_brings_what_was_missed() -> None:
    begin = datetime(2026, 3, 27, tzinfo=UTC)
    world = World(
        store=entries(60, end=begin - DAY), behaviour=Behaviour(filter_time_zone="Europe/London")
    )
    world.now = begin
    while world.planner.tick().error is None:
        world.drain()
        world.now += HOUR
        world.simulator.insert(world.now - timedelta(minutes=20))
    world.filter_time_zone = world.api.filter_time_zone = LONDON
    world.now += 7 * HOUR  # holes wait for six hours at most
    world.export()
    world.command({"command": "sweep", "lookback": "P2D"})
    world.export()
    world.assert_exact()


@pytest.mark.parametrize(
    ("name", "repeated"),
    [
        ("Europe/London", "first"),
        ("Europe/London", "second"),
        ("America/New_York", "first"),
        ("Australia/Lord_Howe", "second"),
    ],
)
def test_an_export_in_the_filters_zone_is_exact_over_a_year(name: str, repeated: str) -> None:
    """Many entries lie in the hours that the clock repeats or skips, and pages end in them."""
    zone = ZoneInfo(name)
    behaviour = {"filter_time_zone": name, "filter_repeated_hour": repeated, "per_page_cap": 20}
    world = World(
        store=entries(100, end=WINTER - DAY),
        behaviour=Behaviour.model_validate(behaviour),
        filter_time_zone=zone,
        slice_target=10,
        slice_floor=timedelta(minutes=5),
    )
    world.now = WINTER
    at = ORIGIN
    while at < WINTER - DAY:
        if at.astimezone(zone).utcoffset() != (at + HOUR).astimezone(zone).utcoffset():
            for minute in range(-180, 180, 9):
                world.simulator.insert(at + timedelta(minutes=minute))
        at += HOUR
    world.export(ticks=200)
    world.assert_exact()
    assert not any(page.hole_since for page in world.pages)


def test_a_crowded_repeated_hour_does_not_shatter_the_timeline() -> None:
    """A query of any second of it includes both readings, so finer pages hold no fewer entries."""
    world = World(
        store=entries(50, end=WINTER - DAY),
        behaviour=Behaviour(filter_time_zone="Europe/London", per_page_cap=20),
        filter_time_zone=LONDON,
    )
    world.now = WINTER
    for number in range(120):
        world.simulator.insert(SET_BACK + timedelta(minutes=20, seconds=number))
    world.export(ticks=100)
    world.assert_exact()
    assert len(world.pages) < 80
    assert world.api.calls < 2000


def test_the_other_zone_after_all_is_an_error_the_next_day() -> None:
    world = exported_until(
        SUMMER, filter_time_zone=LONDON, behaviour=Behaviour(filter_time_zone="Europe/London")
    )
    world.simulator.behave(filter_time_zone="UTC")
    report = next_day(world)
    assert isinstance(report.error, FilterError)
    assert "set FilterTimeZone to UTC" in str(report.error)


def test_a_filter_ten_hours_off_is_read_as_fast_as_any() -> None:
    """Issue 8, item 5: ten hours of slack let 3,000 entries a day come amid each reading."""
    behaviour = Behaviour(filter_time_zone="Australia/Brisbane")
    zone = ZoneInfo("Australia/Brisbane")
    begin = NOW - 2 * HOUR
    world = World(behaviour=behaviour, filter_time_zone=zone, origin=begin)
    gap = timedelta(seconds=86_400 / 3000)
    arrives = NOW - DAY
    query = world.api.query

    def arrive() -> None:
        nonlocal arrives
        while arrives <= world.now:
            world.simulator.insert(arrives)
            arrives += gap

    def slow(window: Window | None, *, page: int = 1, per_page: int = 1000) -> Listing:
        world.now += timedelta(seconds=1)
        arrive()
        return query(window, page=page, per_page=per_page)

    arrive()
    world.api.query = slow  # type: ignore[method-assign]
    while world.now < NOW + HOUR:
        ticked = world.now
        assert world.planner.tick().error is None
        world.drain()
        assert world.now < ticked + timedelta(minutes=1)
        world.now = ticked + timedelta(minutes=5)
    assert world.planner.tick().error is None
    world.drain()
    report = world.planner.tick()
    assert (report.undone, report.holes) == (0, 0)
    world.assert_exact()


def test_three_days_without_a_listing_of_everything_delay_nothing() -> None:
    """Issue 8, item 5: it counts ten million rows and times out; windows are answered."""
    world = exported_until(NOW)
    failing(world, lambda window, _: window is None, TransientError("504"))
    gone = list(world.store)[5].log_entry_id
    world.store.delete(gone)
    for hour in range(3 * 24):
        if hour % 12 == 0:
            world.command({"command": "sweep", "from": "2026-01-01T00:00:00Z"})
        world.simulator.insert(world.now - timedelta(minutes=10))
        world.now += HOUR
        for _ in range(3):
            report = world.planner.tick()
            world.drain()
            assert (report.error, report.filter_warning) == (None, None)
            world.now += timedelta(minutes=1)
    report = world.planner.tick()
    assert world.now - report.exported_through < HOUR
    assert published_ids(world, Change.DELETED) == [gone]
