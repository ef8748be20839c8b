"""The check of the filter: what cannot be had is a warning, what contradicts is an error."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from cpd_exporter.errors import (
    AccessError,
    ExporterError,
    FilterError,
    MalformedResponseError,
    TransientError,
)
from cpd_exporter.model.entry import Listing
from cpd_exporter.model.window import Window
from cpd_exporter.planner.filter_samples import sample_places
from cpd_exporter.planner.planner import TickReport
from cpd_exporter.planner.status import read_status
from simulator.behaviour import Behaviour, Fault
from simulator.seeding import Profile, seeded
from simulator.source import EntryStore
from tests.support.world import NOW, ORIGIN, World

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
SUMMER = datetime(2026, 7, 15, 12, tzinfo=UTC)
WINTER = datetime(2026, 12, 15, 12, tzinfo=UTC)


def entries(until: datetime, count: int = 400, *, since: datetime = ORIGIN) -> EntryStore:
    return seeded(Profile(first=since, end=until - DAY, entries=count))


def exported(now: datetime = NOW, **settings: object) -> World:
    world = World(store=entries(now), **settings)  # type: ignore[arg-type]
    world.now = now
    world.export()
    world.assert_exact()
    return world


def next_day(world: World) -> TickReport:
    world.now += DAY + HOUR
    return world.planner.tick()


def failing(
    world: World,
    strikes: Callable[[Window | None, Listing], bool],
    error: Exception,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The API fails for listings that ``strikes`` picks."""
    query = world.api.query

    def broken(window: Window | None, *, page: int = 1, per_page: int = 1000) -> Listing:
        listing = query(window, page=page, per_page=per_page)
        if strikes(window, listing):
            raise error
        return listing

    monkeypatch.setattr(world.api, "query", broken)


def test_a_poisoned_record_among_the_first_entries_stops_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Issue 8, item 5: it stopped the planning for 30 days."""
    world = World()
    first = [world.simulator.insert(ORIGIN + DAY + i * timedelta(milliseconds=1)) for i in range(5)]
    for i in range(300):
        world.simulator.insert(ORIGIN + 2 * DAY + i * 3 * HOUR)
    poison = first[4].log_entry_id
    failing(
        world,
        lambda _, listing: any(record.id == poison for record in listing.records),
        MalformedResponseError("not JSON"),
        monkeypatch,
    )
    reports = [next_day(world)]
    for _ in range(5):
        world.drain()
        reports.append(next_day(world))
    assert not any(report.error for report in reports)
    assert reports[0].filter_warning is not None
    assert "not JSON" in reports[0].filter_warning
    assert reports[-1].filter_warning is None
    assert len({event.entry_id for event in world.topic.published}) == 300


def test_a_listing_of_everything_that_times_out_is_a_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(store=entries(NOW - 60 * DAY))
    failing(world, lambda window, _: window is None, TransientError("timed out"), monkeypatch)
    reports = world.export()
    assert not any(report.error for report in reports)
    warnings = [report.filter_warning for report in reports]
    assert "timed out" in str(warnings[0])  # January has a sample, but none is recent
    world.assert_exact()


def test_without_any_sample_planning_goes_on_and_status_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(store=entries(NOW - 5 * DAY, since=NOW - 40 * DAY), origin=NOW - 40 * DAY)
    fails = TransientError("timed out")
    failing(world, lambda window, _: window is None or window.length > DAY, fails, monkeypatch)
    # Planning meets the same error, but the check does not: its windows are tried one by one.
    report = world.planner.tick()
    assert isinstance(report.error, TransientError)
    monkeypatch.undo()

    failing(world, lambda window, _: window is None, fails, monkeypatch)
    world.simulator.behave(faults=(Fault(kind="nothing", times=4),))
    report = world.planner.tick()
    assert report.error is None
    assert report.filter_warning is not None
    assert "timed out" in report.filter_warning
    status = read_status(world.timeline, world.clock)
    assert "timed out" in status["filterWarning"]["message"]
    assert status["filterCheckedAt"] is None


def test_a_warning_is_checked_again_within_the_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(store=EntryStore())
    failing(world, lambda window, _: window is None, TransientError("timed out"), monkeypatch)
    assert world.planner.tick().filter_warning is not None
    calls = world.api.calls
    world.now += timedelta(minutes=5)
    assert world.planner.tick().filter_warning is not None
    assert world.api.calls == calls + 1  # the count of the new time
    monkeypatch.undo()
    world.now += HOUR
    assert world.planner.tick().filter_warning is None


def test_refused_credentials_are_no_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(store=EntryStore())
    failing(world, lambda window, _: window is None, AccessError("401"), monkeypatch)
    report = world.planner.tick()
    assert isinstance(report.error, AccessError)
    assert report.planned == 0


def test_one_entry_that_is_never_listed_by_its_second_is_a_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = exported()
    newest = max(world.store, key=lambda entry: entry.at_ms)
    failing(
        world,
        lambda window, listing: (
            window is not None
            and window.length < timedelta(seconds=9)
            and newest.log_entry_id in {record.id for record in listing.records}
        ),
        FilterError("rows from elsewhere"),
        monkeypatch,
    )
    report = next_day(world)
    assert report.error is None
    assert report.filter_warning is not None
    assert "does not list it" in report.filter_warning


@pytest.mark.parametrize("order", ["ascending", "descending"])
def test_london_does_not_pass_by_its_winter(order: str) -> None:
    """The first check has samples of last summer too, wherever the listing begins."""
    behaviour = Behaviour.model_validate({"filter_time_zone": "Europe/London", "order": order})
    since = WINTER - 300 * DAY
    world = World(
        store=entries(WINTER, since=since), behaviour=behaviour, origin=since - timedelta(days=1)
    )
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
    world = World(store=entries(begin, 60), behaviour=behaviour)
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
    world = World(store=entries(now), behaviour=Behaviour(filter_time_zone=name))
    world.now = now
    report = world.planner.tick()
    assert isinstance(report.error, FilterError)
    assert expected in str(report.error)


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
    store = entries(WINTER, 100)
    world = World(
        store=store,
        behaviour=Behaviour.model_validate(
            {"filter_time_zone": name, "filter_repeated_hour": repeated, "per_page_cap": 20}
        ),
        filter_time_zone=zone,
        cutting_target=10,
        cutting_floor=timedelta(minutes=5),
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


def test_the_other_zone_after_all_is_an_error_the_next_day() -> None:
    world = exported(SUMMER, filter_time_zone=ZoneInfo("Europe/London"),
                     behaviour=Behaviour(filter_time_zone="Europe/London"))  # fmt: skip
    world.simulator.behave(filter_time_zone="UTC")
    report = next_day(world)
    assert isinstance(report.error, FilterError)
    assert "set FilterTimeZone to UTC" in str(report.error)


def test_samples_come_from_bounded_windows_once_something_is_known() -> None:
    world = exported(SUMMER)
    watermark = world.timeline.watermark()
    assert watermark is not None
    recent, summer, winter = sample_places(world.timeline, watermark, SUMMER)
    assert recent[0] == Window(SUMMER - DAY, SUMMER)
    assert recent[-1] is None  # only where no window lists anything
    newest = datetime.fromtimestamp(max(entry.at_ms for entry in world.store) / 1000, UTC)
    for place in (recent[1], summer[0]):
        assert place is not None
        assert newest in place
    assert None not in summer + winter
    assert {place.start.month for place in winter if place} <= {12, 1, 2}

    asked: list[Window | None] = []
    query = world.api.query

    def noting(window: Window | None, *, page: int = 1, per_page: int = 1000) -> Listing:
        asked.append(window)
        return query(window, page=page, per_page=per_page)

    world.api.query = noting  # type: ignore[method-assign]
    assert next_day(world).error is None
    assert None not in asked
