"""The filter's checks: a sample that cannot be had is a warning, one that contradicts an error."""

from datetime import timedelta
from zoneinfo import ZoneInfo

from cpd_exporter.errors import AccessError, FilterError, MalformedResponseError, TransientError
from cpd_exporter.model.entry import Listing
from cpd_exporter.model.window import Window
from cpd_exporter.planner.status import read_status, tick_metrics
from simulator.behaviour import Behaviour, InjectedFault
from simulator.source import EntryStore
from tests.support.filters import DAY, HOUR, exported_until, failing, next_day
from tests.support.world import NOW, ORIGIN, World, entries

TIMED_OUT = TransientError("timed out")


def test_a_poisoned_record_among_the_first_entries_stops_nothing() -> None:
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
    )
    reports = world.export(ticks=100)
    assert not any(report.error for report in reports)
    assert "not JSON" in str(reports[0].filter_warning)
    assert reports[-1].filter_warning is None
    assert len({event.entry_id for event in world.topic.published}) == 300


def test_a_listing_of_everything_that_times_out_is_a_warning() -> None:
    world = World(store=entries(100, end=NOW - 60 * DAY))
    failing(world, lambda window, _: window is None, TIMED_OUT)
    report = world.planner.tick()  # January has a sample, but none is recent
    assert report.error is None
    assert report.planned > 0
    assert "timed out" in str(report.filter_warning)


def test_a_warning_reaches_status_and_a_metric() -> None:
    world = World(store=entries(100, end=NOW - 60 * DAY))
    failing(world, lambda window, _: window is None, TIMED_OUT)
    report = world.planner.tick()
    assert tick_metrics(report, world.now)["ApiWarnings"] == 1
    status = read_status(world.timeline, world.queue, world.clock)
    assert "timed out" in status["filterWarning"]["message"]
    assert status["filterCheckedAt"] is None


def test_without_any_sample_planning_goes_on() -> None:
    since = NOW - 40 * DAY
    world = World(store=entries(100, first=since, end=NOW - 5 * DAY), origin=since)
    failing(world, lambda window, _: window is None, TIMED_OUT)
    world.simulator.behave(faults=(InjectedFault(kind="nothing", times=4),))
    report = world.planner.tick()
    assert report.error is None
    assert report.planned > 0
    assert "timed out" in str(report.filter_warning)


def test_an_incomplete_check_is_repeated_after_an_hour() -> None:
    world = World(store=EntryStore())
    heal = failing(world, lambda window, _: window is None, TIMED_OUT)
    assert world.planner.tick().filter_warning is not None
    calls = world.api.calls
    world.now += timedelta(minutes=5)
    assert world.planner.tick().filter_warning is not None
    assert world.api.calls == calls + 1  # the count of the new time
    heal()
    world.now += HOUR
    assert world.planner.tick().filter_warning is None


def test_an_api_that_answers_nothing_is_an_outage() -> None:
    world = World(store=entries(100))
    world.simulator.behave(faults=(InjectedFault(kind="status", status=503),))
    report = world.planner.tick()
    assert isinstance(report.error, TransientError)
    assert report.planned == 0
    assert report.filter_warning is None
    assert world.api.calls == 2


def test_a_check_gives_up_after_two_failed_requests() -> None:
    """Each may take half a minute, and the planner has pages to send."""
    world = exported_until(NOW)
    is_long = timedelta(seconds=9)
    failing(world, lambda window, _: window is None or window.length > is_long, TIMED_OUT)
    calls = world.api.calls
    assert isinstance(next_day(world).error, TransientError)
    assert world.api.calls - calls == 2


def test_a_check_ends_with_the_ticks_time() -> None:
    world = World(store=entries(100))
    report = world.planner.tick(has_time_left=lambda: world.api.calls < 1)
    assert report.error is None
    assert "too slowly" in str(report.filter_warning)


def test_refused_credentials_are_no_warning() -> None:
    world = World(store=EntryStore())
    failing(world, lambda window, _: window is None, AccessError("401"))
    report = world.planner.tick()
    assert isinstance(report.error, AccessError)
    assert report.planned == 0


def test_one_entry_that_is_never_listed_by_its_second_is_a_warning() -> None:
    world = exported_until(NOW)
    newest = max(world.store, key=lambda entry: entry.at_ms).log_entry_id

    def strikes(window: Window | None, listing: Listing) -> bool:
        is_second = window is not None and window.length < timedelta(seconds=9)
        return is_second and newest in {record.id for record in listing.records}

    failing(world, strikes, FilterError("rows outside the window"))
    report = next_day(world)
    assert report.error is None
    assert "does not list it" in str(report.filter_warning)


def test_a_changed_time_zone_is_checked_at_once() -> None:
    world = exported_until(NOW)
    world.filter_time_zone = world.api.filter_time_zone = ZoneInfo("America/New_York")
    world.now += timedelta(minutes=5)
    report = world.planner.tick()
    assert isinstance(report.error, FilterError)
    assert report.planned == 0
    world.filter_time_zone = world.api.filter_time_zone = ZoneInfo("UTC")
    world.now += timedelta(minutes=5)
    report = world.planner.tick()
    assert (report.error, report.filter_warning) == (None, None)
    assert report.planned > 0


def test_an_error_is_explained_once_an_hour_and_ends_with_its_cause() -> None:
    world = World(store=entries(100), behaviour=Behaviour(filter_time_zone="Asia/Kathmandu"))
    explained = world.planner.tick().error
    calls = world.api.calls
    world.now += timedelta(minutes=5)
    assert str(world.planner.tick().error) == str(explained)
    assert world.api.calls - calls < calls / 2
    world.simulator.behave(filter_time_zone="UTC")
    world.now += timedelta(minutes=5)
    report = world.planner.tick()
    assert (report.error, report.filter_warning) == (None, None)
    assert report.planned > 0


def test_an_explanation_that_takes_too_long_is_left_out() -> None:
    world = World(store=entries(100), behaviour=Behaviour(filter_time_zone="Asia/Tokyo"))
    error = world.planner.tick(has_time_left=lambda: world.api.calls < 12).error
    assert isinstance(error, FilterError)
    assert "could not be found out: the API answers too slowly" in str(error)
