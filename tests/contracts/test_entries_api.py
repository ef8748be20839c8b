"""What the core may expect of the API that it reads, over real HTTP and in memory."""

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
    PermanentError,
    ServerError,
    TransientError,
    WithdrawnError,
)
from cpd_exporter.model.entry import Entry, FaultyEntry
from cpd_exporter.model.options import Audience, Environment
from cpd_exporter.model.window import Window
from cpd_exporter.ports import EntriesApi
from simulator import InjectedFault, Profile, Simulator, running, seeded
from simulator.source import to_ms
from tests.support.fakes import FakeApi
from tests.support.fakes.credentials import FakeCredentials
from tests.support.samples import content_of

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
END = FIRST + timedelta(days=10)
NOW = datetime(2026, 1, 12, 8, 30, tzinfo=UTC)
EXCLUDED = "lastOpenedAt"


@dataclass(frozen=True)
class EntriesApiCase:
    api: EntriesApi
    simulator: Simulator


@pytest.fixture
def simulator() -> Simulator:
    profile = Profile(FIRST, END, entries=300, faulty=10, extras=0.3)
    return Simulator(seeded(profile), clock=lambda: NOW)


@pytest.fixture(params=["in memory", "over HTTP"])
def case(request: pytest.FixtureRequest, simulator: Simulator) -> Iterator[EntriesApiCase]:
    if request.param == "in memory":
        yield EntriesApiCase(FakeApi(simulator, frozenset({EXCLUDED})), simulator)
        return
    held = simulator.credentials
    secret = ApiSecret.model_validate({"tenantId": held.tenant_id, "apiSecret": held.api_secret})
    with running(simulator) as url, new_client() as client:
        api = ThriveApi(
            Http(client),
            endpoints(Environment.STAGING, Audience.PUBLIC, api_url=url),
            BasicAccess(FakeCredentials(secret)),
            clock=lambda: NOW,
            fingerprint_exclude=frozenset({EXCLUDED}),
            sleep=lambda _: None,
        )
        yield EntriesApiCase(api, simulator)


@pytest.fixture
def known(case: EntriesApiCase) -> list[Entry]:
    return [r for r in case.api.query(None).records if isinstance(r, Entry)]


def test_a_query_answers_what_is_between_its_bounds(case: EntriesApiCase) -> None:
    window = Window(FIRST + timedelta(days=2), FIRST + timedelta(days=4))
    listing = case.api.query(window)
    stored = case.simulator.store.between(to_ms(window.start), to_ms(window.end))
    assert len(stored) > 5
    assert [content_of(r) for r in listing.records if isinstance(r, Entry)] == [
        entry.value for entry in stored
    ]
    assert listing.total == len(stored)


def test_a_query_without_a_window_answers_all(case: EntriesApiCase) -> None:
    listing = case.api.query(None)
    assert listing.total == len(listing.records) == 300
    assert listing.per_page == 1000


def test_every_number_and_letter_arrives(case: EntriesApiCase) -> None:
    listing = case.api.query(None)
    stored = {entry.log_entry_id: entry.value for entry in case.simulator.store}
    entries = [record for record in listing.records if isinstance(record, Entry)]
    assert len(entries) == 290
    for entry in entries:
        assert content_of(entry) == stored[entry.id]


def test_faulty_records_are_among_them(case: EntriesApiCase) -> None:
    faulty = [r for r in case.api.query(None).records if isinstance(r, FaultyEntry)]
    texts = {entry.text.encode() for entry in case.simulator.store}
    assert len(faulty) == 10
    assert {record.source for record in faulty} <= texts


def test_pages_add_up(case: EntriesApiCase) -> None:
    pages = [case.api.query(None, page=page, per_page=120) for page in (1, 2, 3, 4)]
    assert [len(page.records) for page in pages] == [120, 120, 60, 0]
    assert {page.total for page in pages} == {300}
    assert {page.per_page for page in pages} == {120}


def test_the_answer_names_its_own_page_size(case: EntriesApiCase) -> None:
    case.simulator.behave(per_page_cap=50)
    listing = case.api.query(None)
    assert (len(listing.records), listing.per_page, listing.total) == (50, 50, 300)


def test_the_servers_clock_is_read_to_the_second(case: EntriesApiCase) -> None:
    case.simulator.behave(clock_skew_seconds=-90)
    assert case.api.query(None, per_page=1).served_at == NOW - timedelta(seconds=90)


def test_one_entry(case: EntriesApiCase) -> None:
    known = next(r for r in case.api.query(None).records if isinstance(r, Entry))
    assert case.api.entry(known.id) == known


def test_one_faulty_entry(case: EntriesApiCase) -> None:
    faulty = next(r for r in case.api.query(None).records if isinstance(r, FaultyEntry) and r.id)
    assert case.api.entry(faulty.id or "") == faulty


@pytest.mark.parametrize("entry_id", ["0" * 24, "no such/entry?", "größe"])
def test_no_such_entry(case: EntriesApiCase, entry_id: str) -> None:
    assert case.api.entry(entry_id) is None


def test_several_entries(case: EntriesApiCase, known: list[Entry]) -> None:
    unknown = [f"{number:024x}" for number in range(5)]
    asked = [entry.id for entry in known[:20]] + unknown
    calls = case.api.calls
    found = case.api.entries(asked)
    assert list(found) == asked
    assert found == {entry.id: entry for entry in known[:20]} | dict.fromkeys(unknown)
    assert case.api.calls == calls + 25
    assert case.api.entries([]) == {}


def test_an_entry_over_which_the_api_fails_spoils_no_other(
    case: EntriesApiCase, known: list[Entry]
) -> None:
    case.simulator.behave(faults=(InjectedFault(on="entry", status=403, times=1),))
    asked = [entry.id for entry in known[:3]]
    found = case.api.entries(asked)
    assert list(found) == asked
    assert [type(one) for one in found.values()].count(AccessError) == 1
    assert sum(one in known for one in found.values()) == 2


def test_excluded_members_make_no_version(case: EntriesApiCase, known: list[Entry]) -> None:
    before = known[0]
    for member, is_edited in ((EXCLUDED, False), ("description", True)):
        case.simulator.store.edit(before.id, **{member: "another"})
        listed = {r.id: r for r in case.api.query(None).records}
        for after in (case.api.entry(before.id), listed[before.id]):
            assert isinstance(after, Entry)
            assert content_of(after)[member] == "another"
            assert (after.fingerprint != before.fingerprint) == is_edited


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, PermanentError),
        (401, AccessError),
        (403, AccessError),
        (409, PermanentError),
        (422, PermanentError),
        (429, TransientError),
        (500, ServerError),
        (502, ServerError),
        (503, TransientError),
        (504, ServerError),
        (505, TransientError),
    ],
)
@pytest.mark.parametrize("html", [False, True])
def test_a_status_has_one_meaning(
    case: EntriesApiCase, status: int, error: type[Exception], html: bool
) -> None:
    case.simulator.behave(faults=(InjectedFault(on="any", status=status, html=html),))
    for call in (lambda: case.api.query(None), lambda: case.api.entry("0" * 24)):
        with pytest.raises(error) as raised:
            call()
        assert type(raised.value) is error


def test_a_listing_that_is_not_found_is_no_empty_one(case: EntriesApiCase) -> None:
    case.simulator.behave(faults=(InjectedFault(status=404),))
    with pytest.raises(WithdrawnError):
        case.api.query(None)
