"""The API's own sums: over real HTTP and in memory, and read as completely as they can be."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from cpd_exporter.adapters.aws.secret import ApiSecret
from cpd_exporter.adapters.thrive.api import ThriveApi
from cpd_exporter.adapters.thrive.auth import BasicAccess
from cpd_exporter.adapters.thrive.endpoints import endpoints
from cpd_exporter.adapters.thrive.http import Http, new_client
from cpd_exporter.errors import (
    AccessError,
    InconsistentListingError,
    MalformedResponseError,
    PermanentError,
    ServerError,
    TransientError,
)
from cpd_exporter.model.minutes import read_summaries
from cpd_exporter.model.options import Audience, Environment
from cpd_exporter.model.window import Window
from cpd_exporter.ports import EntriesApi
from cpd_exporter.source.minutes_reader import read_minutes_by_user
from simulator import InjectedFault, Profile, Simulator, running, seeded
from simulator.source import to_ms
from tests.support.fakes import FakeApi
from tests.support.fakes.credentials import FakeCredentials

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 1, 12, 8, 30, tzinfo=UTC)
WINDOW = Window(FIRST + timedelta(days=2), FIRST + timedelta(days=8))


@dataclass(frozen=True)
class SummariesCase:
    api: EntriesApi
    simulator: Simulator

    @property
    def minutes(self) -> dict[str, int]:
        sums: Counter[str] = Counter()
        for entry in self.simulator.store.between(to_ms(WINDOW.start), to_ms(WINDOW.end)):
            sums[entry.value["userId"]] += entry.value["durationMinutes"]
        return dict(sums)


@pytest.fixture(params=["in memory", "over HTTP"])
def case(request: pytest.FixtureRequest) -> Iterator[SummariesCase]:
    profile = Profile(FIRST, FIRST + timedelta(days=10), entries=500)
    simulator = Simulator(seeded(profile), clock=lambda: NOW)
    if request.param == "in memory":
        yield SummariesCase(FakeApi(simulator), simulator)
        return
    held = simulator.credentials
    secret = ApiSecret.model_validate({"tenantId": held.tenant_id, "apiSecret": held.api_secret})
    with running(simulator) as url, new_client() as client:
        api = ThriveApi(
            Http(client),
            endpoints(Environment.STAGING, Audience.PUBLIC, api_url=url),
            BasicAccess(FakeCredentials(secret)),
            clock=lambda: NOW,
            sleep=lambda _: None,
        )
        yield SummariesCase(api, simulator)


def test_the_sums_of_all_users(case: SummariesCase) -> None:
    answer = case.api.summaries(WINDOW)
    assert dict(answer.records) == case.minutes
    assert answer.total == len(answer.records) == len(case.minutes)
    assert answer.per_page == 1000


def test_pages_add_up(case: SummariesCase) -> None:
    case.simulator.behave(per_page_cap=7)
    read: dict[str, int] = {}
    page = 1
    while (answer := case.api.summaries(WINDOW, page=page)).records:
        assert answer.per_page == 7
        read |= dict(answer.records)
        page += 1
    assert read == case.minutes
    assert page > 2


@pytest.mark.parametrize(
    "behaviour",
    [
        {},
        {"per_page_cap": 7},
        {"shuffle": "all", "shuffle_by": "request"},
        {"totals_extra": 3},
        {"order": "descending", "per_page_cap": 3},
    ],
    ids=str,
)
def test_all_of_them_are_read(case: SummariesCase, behaviour: dict[str, object]) -> None:
    case.simulator.behave(**behaviour)
    assert read_minutes_by_user(case.api, WINDOW) == case.minutes


def test_a_union_of_readings_makes_up_for_an_order_that_changes(case: SummariesCase) -> None:
    assert len(case.minutes) > 10
    case.simulator.behave(
        shuffle="all", shuffle_by="request", per_page_cap=len(case.minutes) * 2 // 3
    )
    assert read_minutes_by_user(case.api, WINDOW) == case.minutes


def test_totals_that_no_reading_reaches_are_an_error(case: SummariesCase) -> None:
    case.simulator.behave(totals_extra=3, per_page_cap=7)
    with pytest.raises(InconsistentListingError):
        read_minutes_by_user(case.api, WINDOW)


@pytest.mark.parametrize(
    ("status", "error"),
    [(403, AccessError), (404, PermanentError), (429, TransientError), (500, ServerError)],
)
def test_a_status_has_one_meaning(case: SummariesCase, status: int, error: type[Exception]) -> None:
    case.simulator.behave(faults=(InjectedFault(on="summaries", status=status),))
    with pytest.raises(error) as raised:
        case.api.summaries(WINDOW)
    assert type(raised.value) is error


GOOD = b'{"userId": "a", "durationMinutes": 3}'


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"{}",
        b"[%s]" % GOOD,
        b'{"pagination": {"totalResults": -1, "perPage": 9}, "results": []}',
        b'{"pagination": {"totalResults": 1, "perPage": 0}, "results": [%s]}' % GOOD,
        b'{"pagination": {"totalResults": 1, "perPage": 9}, "results": [{"userId": "a"}]}',
        (
            b'{"pagination": {"totalResults": 1, "perPage": 9}, "results": [{"userId": 1, '
            b'"durationMinutes": 3}]}'
        ),
        (
            b'{"pagination": {"totalResults": 1, "perPage": 9}, "results": [{"userId": "a", '
            b'"durationMinutes": "3"}]}'
        ),
    ],
)
def test_what_is_no_sum_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedResponseError, match="summaries are not what it documents"):
        read_summaries(body)


def test_more_than_is_documented_is_no_harm() -> None:
    body = b'{"pagination": {"totalResults": 1, "perPage": 9, "x": 1}, "results": [%s], "y": 2}'
    assert read_summaries(body % GOOD).records == (("a", 3),)
