"""Outages and nonsense, against the simulator over HTTP."""

import threading
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest

from cpd_exporter.adapters.thrive.api import MAX_PARALLEL_LOOKUPS, ThriveApi
from cpd_exporter.adapters.thrive.auth import BasicAccess
from cpd_exporter.adapters.thrive.endpoints import endpoints
from cpd_exporter.adapters.thrive.http import Http, new_client
from cpd_exporter.errors import AmbiguousBoundError, MalformedResponseError, TransientError
from cpd_exporter.model.options import Audience, Environment
from cpd_exporter.model.window import Window
from cpd_exporter.source.minutes_reader import read_minutes_by_user
from simulator import InjectedFault
from simulator.source import to_ms
from tests.support.thrive import (
    FIRST,
    SleepingClock,
    ThriveService,
    answering,
    assert_clean,
)


def test_the_filter_is_asked_in_its_own_time_zone(service: ThriveService) -> None:
    service.simulator.behave(filter_time_zone="Asia/Tokyo")
    zone = ZoneInfo("Asia/Tokyo")
    access = BasicAccess(service.api_secret)
    api = ThriveApi(
        service.http, service.endpoints, access, clock=service.clock, filter_time_zone=zone
    )
    window = Window(FIRST + timedelta(days=2), FIRST + timedelta(days=4))
    listing = api.query(window)
    stored = service.simulator.store.between(to_ms(window.start), to_ms(window.end))
    expected = {entry.log_entry_id for entry in stored}
    assert expected
    assert {record.id for record in listing.records} == expected
    assert listing.span == window
    assert read_minutes_by_user(api, window) == {
        user: sum(e.value["durationMinutes"] for e in stored if e.value["userId"] == user)
        for user in {e.value["userId"] for e in stored}
    }


def test_a_sum_with_a_bound_in_a_repeated_hour_is_not_asked_for(service: ThriveService) -> None:
    access = BasicAccess(service.api_secret)
    zone = ZoneInfo("Europe/London")
    api = ThriveApi(
        service.http, service.endpoints, access, clock=service.clock, filter_time_zone=zone
    )
    repeated = datetime(2025, 10, 26, 1, 30, tzinfo=UTC)
    with pytest.raises(AmbiguousBoundError, match="shows twice"):
        api.summaries(Window(repeated, FIRST))
    assert api.calls == 0


class TestOutages:
    @pytest.mark.parametrize(
        "fault",
        [
            InjectedFault(status=429, times=3),
            InjectedFault(status=408, times=3),
            InjectedFault(status=500, times=3),
            InjectedFault(status=503, html=True, times=3),
            InjectedFault(kind="cut-off", times=3),
        ],
        ids=["429", "408", "500", "503", "cut-off"],
    )
    def test_short_ones_are_waited_out(self, service: ThriveService, fault: InjectedFault) -> None:
        service.simulator.behave(faults=(fault,))
        assert service.basic().query(None).total == 50
        assert len(service.clock.waits) == 3
        assert all(0 <= wait <= 5 for wait in service.clock.waits)

    def test_longer_ones_are_left_to_the_queue(self, service: ThriveService) -> None:
        service.simulator.behave(faults=(InjectedFault(status=500),))
        api = service.basic()
        with pytest.raises(TransientError, match="500") as raised:
            api.query(None)
        assert_clean(raised.value)
        assert raised.value.retry_after is None
        assert api.calls == 4

    @pytest.mark.parametrize("as_date", [False, True])
    def test_waits_as_long_as_the_service_asks(self, service: ThriveService, as_date: bool) -> None:
        fault = InjectedFault(status=429, retry_after=7, retry_after_as_date=as_date, times=2)
        service.simulator.behave(faults=(fault,))
        assert service.basic().query(None).total == 50
        assert service.clock.waits == [7, 7]

    @pytest.mark.parametrize("as_date", [False, True])
    def test_does_not_wait_long_itself(self, service: ThriveService, as_date: bool) -> None:
        fault = InjectedFault(status=429, retry_after=90, retry_after_as_date=as_date)
        service.simulator.behave(faults=(fault,))
        with pytest.raises(TransientError) as raised:
            service.basic().query(None)
        assert raised.value.retry_after == 90
        assert service.clock.waits == []
        assert service.simulator.count() == 1

    def test_a_server_that_is_not_there(self, service: ThriveService) -> None:
        gone = endpoints(Environment.STAGING, Audience.PUBLIC, api_url="http://127.0.0.1:9")
        clock = SleepingClock()
        access = BasicAccess(service.api_secret)
        api = ThriveApi(service.http, gone, access, clock=clock, sleep=clock.sleep)
        with pytest.raises(
            TransientError, match=r"no usable answer to GET .* \(ConnectError\).*check the URL"
        ) as raised:
            api.query(None)
        assert_clean(raised.value)
        assert len(clock.waits) == 3

    def test_a_server_that_is_silent(self, service: ThriveService) -> None:
        service.simulator.behave(faults=(InjectedFault(kind="slow", seconds=0.6, times=1),))
        with httpx.Client(timeout=0.2) as impatient:
            api = ThriveApi(
                Http(impatient),
                service.endpoints,
                BasicAccess(service.api_secret),
                clock=service.clock,
                sleep=service.clock.sleep,
            )
            assert api.query(None).total == 50
            assert api.calls == 2

    def test_several_entries_are_asked_for_at_once(self) -> None:
        together = threading.Barrier(MAX_PARALLEL_LOOKUPS, timeout=5)

        def answer(_: httpx.Request) -> httpx.Response:
            together.wait()
            return httpx.Response(404)

        ids = [f"{number:024x}" for number in range(2 * MAX_PARALLEL_LOOKUPS)]
        with answering(answer) as api:
            assert api.entries([*ids, ids[0]]) == dict.fromkeys(ids)
            assert api.calls == len(ids)

    def test_connections_are_used_again(self, service: ThriveService) -> None:
        opened = 0

        def count(name: str, _: object) -> None:
            nonlocal opened
            opened += name == "connection.connect_tcp.complete"

        with new_client() as client:
            client.event_hooks = {"request": [lambda r: r.extensions.update(trace=count)]}
            for _ in range(5):
                ThriveApi(
                    Http(client),
                    service.endpoints,
                    BasicAccess(service.api_secret),
                    clock=service.clock,
                ).query(None)
        assert opened == 1


class TestNonsense:
    @pytest.mark.parametrize(
        "fault",
        [
            InjectedFault(kind="html"),
            InjectedFault(kind="truncated"),
            InjectedFault(kind="raw", body=""),
            InjectedFault(kind="raw", body="null"),
            InjectedFault(kind="raw", body='{"results": []}'),
            InjectedFault(kind="raw", body='{"pagination": {"totalResults": 1, "perPage": 1}}'),
            InjectedFault(kind="raw", body='{"results": ' + "[" * 100_000),
            InjectedFault(status=302, location="https://example.org/"),
        ],
        ids=["html", "truncated", "empty", "null", "no total", "no results", "deep", "redirect"],
    )
    def test_of_a_listing(self, service: ThriveService, fault: InjectedFault) -> None:
        service.simulator.behave(faults=(fault,))
        api = service.basic()
        with pytest.raises(MalformedResponseError) as raised:
            api.query(None)
        assert_clean(raised.value)
        assert api.calls == 1

    @pytest.mark.parametrize(
        "fault",
        [
            InjectedFault(on="entry", kind="html"),
            InjectedFault(on="entry", kind="truncated"),
            InjectedFault(on="entry", status=307, location="https://example.org/"),
        ],
        ids=["html", "truncated", "redirect"],
    )
    def test_of_an_entry(self, service: ThriveService, fault: InjectedFault) -> None:
        known = next(iter(service.simulator.store)).log_entry_id
        service.simulator.behave(faults=(fault,))
        with pytest.raises(MalformedResponseError):
            service.basic().entry(known)
