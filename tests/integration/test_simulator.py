"""The simulated API over real HTTP, as a client meets it."""

import base64
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import simplejson

from simulator import Behaviour, Call, Credentials, EntryStore, Profile, Simulator, running, seeded

START = datetime(2025, 3, 3, 12, tzinfo=UTC)
LISTING = "/rest/v1/cpdEntries"
ACCEPTED = Credentials()
TENANT_AUTH = (ACCEPTED.tenant_id, ACCEPTED.api_secret)
CLIENT_AUTH = (ACCEPTED.client_id, ACCEPTED.client_secret)
TOKEN = f"/oauth2/token/{ACCEPTED.tenant_id}"
GRANT = {"grant_type": "client_credentials"}


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


class Service:
    """A running simulator and a client that may read it."""

    def __init__(self, simulator: Simulator, clock: Clock, client: httpx.Client) -> None:
        self.simulator = simulator
        self.clock = clock
        self.client = client

    def listing(self, **parameters: str | int) -> httpx.Response:
        return self.client.get(LISTING, params=parameters)

    def token(
        self, *, auth: tuple[str, str] | None = CLIENT_AUTH, path: str = TOKEN, **form: str
    ) -> httpx.Response:
        # The client's own Basic pair is for reading; here the header is what `auth` says.
        with httpx.Client(base_url=self.client.base_url, auth=auth) as client:
            return client.post(path, data=GRANT | form)

    def read_with(self, token: str) -> httpx.Response:
        with httpx.Client(base_url=self.client.base_url) as client:
            return client.get(LISTING, headers={"Authorization": f"Bearer {token}"})


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Simulator, Clock, str]]:
    clock = Clock()
    simulator = Simulator(EntryStore(), clock=clock)
    with running(simulator) as url:
        yield simulator, clock, url


@pytest.fixture
def service(served: tuple[Simulator, Clock, str]) -> Iterator[Service]:
    simulator, clock, url = served
    clock.now = START
    first = START - timedelta(days=30)
    simulator.store = seeded(Profile(first=first, end=START, entries=250, faulty=10, extras=0.5))
    simulator.behaviour = Behaviour()
    simulator.credentials = ACCEPTED
    simulator.after_call = lambda call: None
    simulator.revoke_tokens()
    simulator.forget_calls()
    with httpx.Client(base_url=url, auth=TENANT_AUTH) as client:
        yield Service(simulator, clock, client)


def exact(response: httpx.Response) -> Any:
    return simplejson.loads(response.content, use_decimal=True)


# ── listing and single entries ───────────────────────────────────────────────────────────────


def test_a_listing_is_what_the_store_holds_digit_for_digit(service: Service) -> None:
    response = service.listing(page=2, perPage=100)
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    body = exact(response)
    assert body["pagination"] == {"totalResults": 250, "totalPages": 3, "page": 2, "perPage": 100}
    entries = list(service.simulator.store)
    assert body["results"] == [entry.value for entry in entries[100:200]]
    assert all(entry.text in response.text for entry in entries[100:200])


def test_the_filter_is_applied(service: Service) -> None:
    low, high = START - timedelta(days=20), START - timedelta(days=10)
    body = exact(
        service.listing(
            entryDateFrom=f"{low:%Y-%m-%d %H:%M:%S}", entryDateTo=f"{high:%Y-%m-%d}", perPage=1000
        )
    )
    midnight = high.replace(hour=0)
    expected = [
        entry.value
        for entry in service.simulator.store
        if low.timestamp() * 1000 < entry.at_ms < midnight.timestamp() * 1000
    ]
    assert body["results"] == expected
    assert 0 < len(expected) < 250


def test_an_entry_by_id_is_bare(service: Service) -> None:
    entry = list(service.simulator.store)[7]
    response = service.client.get(f"{LISTING}/{entry.log_entry_id}")
    assert response.text == entry.text


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (f"{LISTING}/{'0' * 24}", "CPD entry not found"),
        (f"{LISTING}/nonsense", "CPD entry not found"),
        ("/rest/v1/users", "GET /rest/v1/users does not exist"),
        (f"{LISTING}/", f"GET {LISTING}/ does not exist"),
    ],
)
def test_what_does_not_exist_is_404_in_the_documented_form(
    service: Service, path: str, message: str
) -> None:
    response = service.client.get(path)
    assert response.status_code == 404
    assert response.json() == {"status": 404, "error": "Not Found", "message": message}


def test_a_bad_parameter_is_400_in_the_documented_form(service: Service) -> None:
    response = service.listing(perPage=1001)
    assert response.status_code == 400
    assert response.json() == {
        "status": 400,
        "error": "Bad Request",
        "message": "perPage must be from 1 to 1000",
    }


def test_the_date_header_is_the_services_clock(service: Service) -> None:
    assert parsedate_to_datetime(service.listing().headers["date"]) == START
    service.simulator.behave(clock_skew_seconds=-300)
    for response in (service.listing(), service.listing(page=0), service.client.get("/")):
        assert parsedate_to_datetime(response.headers["date"]) == START - timedelta(minutes=5)


# ── access ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "header",
    [
        None,
        "Basic",
        "Basic !",
        "Basic " + base64.b64encode(b"no colon").decode(),
        "Basic " + base64.b64encode(b"eu-west-2_Simulat0r:wrong").decode(),
        "Basic " + base64.b64encode(b"eu-west-2_Elsewhere:simulator-api-secret").decode(),
        "Bearer made-up",
        "Digest x",
    ],
)
def test_without_the_right_credentials_there_is_a_401(service: Service, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    with httpx.Client(base_url=service.client.base_url, headers=headers) as stranger:
        for path in (LISTING, f"{LISTING}/{'0' * 24}"):
            response = stranger.get(path)
            assert response.status_code == 401
            assert response.json()["error"] == "Unauthorized"
            assert "WWW-Authenticate" in response.headers


def test_a_rotated_secret_counts_from_then_on(service: Service) -> None:
    service.simulator.credentials = Credentials(api_secret="rotated")
    assert service.listing().status_code == 401
    assert service.client.get(LISTING, auth=(ACCEPTED.tenant_id, "rotated")).status_code == 200


def test_a_token_reads_until_it_expires(service: Service) -> None:
    service.simulator.behave(token_lifetime_seconds=60)
    response = service.token(scope="api/read")
    assert response.headers["cache-control"] == "no-store"
    granted = response.json()
    token = granted.pop("access_token")
    assert granted == {"token_type": "Bearer", "expires_in": 60, "scope": "api/read"}
    assert service.read_with(token).status_code == 200
    service.clock.now += timedelta(seconds=59)
    assert service.read_with(token).status_code == 200
    service.clock.now += timedelta(seconds=1)
    assert service.read_with(token).status_code == 401


def test_a_revoked_token_is_401(service: Service) -> None:
    token = service.token().json()["access_token"]
    service.simulator.revoke_tokens()
    assert service.read_with(token).status_code == 401


@pytest.mark.parametrize(
    ("scope", "status"),
    [
        ("api/read", 200),
        ("api/all", 200),
        ("api/write", 403),
        ("api/webhooks", 403),
        ("api/write api/read", 200),
    ],
)
def test_reading_needs_a_scope_that_reads(service: Service, scope: str, status: int) -> None:
    token = service.token(scope=scope).json()["access_token"]
    response = service.read_with(token)
    assert response.status_code == status
    assert status == 200 or response.json()["error"] == "Forbidden"


@pytest.mark.parametrize("accepted", ["basic", "body", "both"])
@pytest.mark.parametrize("refusal", [400, 401])
def test_where_the_client_may_authenticate(service: Service, accepted: str, refusal: int) -> None:
    service.simulator.behave(client_credentials_in=accepted, invalid_client_status=refusal)
    in_basic = service.token()
    in_body = service.token(auth=None, client_id=CLIENT_AUTH[0], client_secret=CLIENT_AUTH[1])
    for place, response in (("basic", in_basic), ("body", in_body)):
        if accepted in (place, "both"):
            assert response.status_code == 200
        else:
            assert response.status_code == refusal
            assert response.json()["error"] == "invalid_client"


def test_a_pair_that_was_encoded_as_rfc_6749_wants_is_accepted(service: Service) -> None:
    service.simulator.credentials = Credentials(client_id="a b", client_secret="p/q+r")
    assert service.token(auth=("a+b", "p%2Fq%2Br")).status_code == 200
    assert service.token(auth=("a b", "p/q+r")).status_code == 200


@pytest.mark.parametrize(
    ("request_", "status", "error"),
    [
        ({"auth": ("simulator-client", "wrong")}, 401, "invalid_client"),
        ({"auth": None}, 401, "invalid_client"),
        ({"client_id": "simulator-client", "client_secret": "x"}, 400, "invalid_request"),
        ({"grant_type": "password"}, 400, "unsupported_grant_type"),
        ({"scope": "api/nonsense"}, 400, "invalid_scope"),
        ({"path": "/oauth2/token/eu-west-2_Elsewhere"}, 404, "Not Found"),
    ],
)
def test_the_token_endpoint_refuses_as_rfc_6749_says(
    service: Service, request_: dict[str, Any], status: int, error: str
) -> None:
    response = service.token(**request_)
    assert (response.status_code, response.json()["error"]) == (status, error)


def test_a_scope_that_the_client_was_not_given_is_refused(service: Service) -> None:
    service.simulator.behave(scopes=["api/read"])
    assert service.token(scope="api/all").json()["error"] == "invalid_scope"
    assert service.token().json()["scope"] == "api/read"


@pytest.mark.parametrize(
    ("content_type", "content"),
    [
        ("application/json", '{"grant_type": "client_credentials"}'),
        ("application/x-www-form-urlencoded", "scope=api%2Fread"),
    ],
)
def test_a_malformed_token_request_is_refused(
    service: Service, content_type: str, content: str
) -> None:
    headers = {"Content-Type": content_type}
    response = service.client.post(TOKEN, content=content, headers=headers, auth=CLIENT_AUTH)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")


# ── faults ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("status", [401, 403, 404, 409, 422, 429, 500, 502, 503, 504, 520])
def test_a_status_with_the_documented_body_or_a_page(service: Service, status: int) -> None:
    service.simulator.behave(faults=[{"status": status, "times": 1}, {"status": status, "html": 1}])
    documented, page = service.listing(), service.listing()
    assert documented.status_code == page.status_code == status
    body = documented.json()
    assert body == {"status": status, "error": body["error"], "message": body["message"]}
    assert page.headers["content-type"] == "text/html"
    assert page.text.startswith("<!doctype html>")
    assert "Retry-After" not in documented.headers


def test_retry_after_in_both_forms_of_http(service: Service) -> None:
    service.simulator.behave(
        faults=[
            {"status": 429, "retry_after": 7, "times": 1},
            {"status": 503, "retry_after": 7, "retry_after_as_date": True},
        ]
    )
    assert service.listing().headers["retry-after"] == "7"
    until = parsedate_to_datetime(service.listing().headers["retry-after"])
    assert until == START + timedelta(seconds=7)


def test_a_redirect(service: Service) -> None:
    service.simulator.behave(faults=[{"status": 302, "location": "http://127.0.0.1:9/"}])
    response = service.listing()
    assert (response.status_code, response.headers["location"]) == (302, "http://127.0.0.1:9/")


def test_a_fault_strikes_the_endpoint_that_it_names(service: Service) -> None:
    entry = f"{LISTING}/{next(iter(service.simulator.store)).log_entry_id}"

    def statuses(on: str) -> list[int]:
        service.simulator.behave(faults=[{"status": 500, "on": on}])
        answers = (service.listing(), service.client.get(entry), service.token())
        return [answer.status_code for answer in answers]

    assert statuses("listing") == [500, 200, 200]
    assert statuses("entry") == [200, 500, 200]
    assert statuses("token") == [200, 200, 500]
    assert statuses("any") == [500, 500, 500]


def test_a_cut_off_response_is_a_protocol_error_and_the_next_one_is_whole(
    service: Service,
) -> None:
    service.simulator.behave(faults=[{"kind": "cut-off", "times": 1}])
    with pytest.raises(httpx.RemoteProtocolError):
        service.listing()
    assert len(service.listing().json()["results"]) == 100
    assert [call.faults for call in service.simulator.calls] == [("cut-off",), ()]


def test_truncated_json_is_a_whole_response(service: Service) -> None:
    whole = service.listing()
    service.simulator.behave(faults=[{"kind": "truncated"}])
    truncated = service.listing()
    assert truncated.status_code == 200
    assert truncated.content == whole.content[: len(whole.content) // 2]
    with pytest.raises(json.JSONDecodeError):
        truncated.json()


def test_a_page_instead_of_json(service: Service) -> None:
    service.simulator.behave(faults=[{"kind": "html"}])
    response = service.listing()
    assert (response.status_code, response.headers["content-type"]) == (200, "text/html")
    assert "<html>" in response.text


def test_any_body_at_all(service: Service) -> None:
    service.simulator.behave(faults=[{"kind": "raw", "body": '{"pagination": null}'}])
    assert service.listing().json() == {"pagination": None}


def test_a_slow_response_delays_no_other(service: Service) -> None:
    service.simulator.behave(faults=[{"kind": "slow", "seconds": 5, "times": 1}])
    with pytest.raises(httpx.ReadTimeout):
        service.client.get(LISTING, timeout=0.2)
    assert service.listing().elapsed < timedelta(seconds=2)


# ── changes, hooks and records ───────────────────────────────────────────────────────────────


def test_entries_change_while_they_are_read_and_paging_loses_some(service: Service) -> None:
    service.simulator.behave(changes=[{"kind": "delete", "count": 5}])
    there_all_along = {entry.log_entry_id for entry in service.simulator.store}
    read: set[str] = set()
    for page in range(1, 6):
        for entry in service.listing(page=page, perPage=50).json()["results"]:
            if isinstance(entry, dict):
                read.add(entry.get("logEntryId", ""))
    # Well-formed ones that survived the whole read, and that no page showed.
    there_all_along &= {
        entry.log_entry_id
        for entry in service.simulator.store
        if isinstance(entry.value, dict) and "logEntryId" in entry.value
    }
    assert len(service.simulator.store) == 225
    assert there_all_along - read


def test_a_hook_may_call_the_api_before_the_answer_leaves(service: Service) -> None:
    seen: list[Call] = []

    def hook(call: Call) -> None:
        seen.append(call)
        if len(seen) == 1:
            service.simulator.insert(START)
            assert service.listing().json()["pagination"]["totalResults"] == 251

    service.simulator.after_call = hook
    assert service.listing().json()["pagination"]["totalResults"] == 250
    assert [call.status for call in seen] == [200, 200]


def test_every_call_is_recorded_with_what_it_asked(service: Service) -> None:
    service.listing(perPage=3, entryDateFrom="2025-02-01")
    service.listing(perPage="many")
    service.token()
    calls = service.simulator.calls
    assert calls[0] == Call("listing", 200, {"perPage": "3", "entryDateFrom": "2025-02-01"}, 3)
    assert calls[1] == Call("listing", 400, {"perPage": "many"})
    summary = service.client.get("/_simulator/calls").json()
    assert summary["total"] == 3
    assert summary["byEndpoint"] == {"listing": {"200": 1, "400": 1}, "token": {"200": 1}}
    assert summary["entriesInStore"] == 250
    assert summary["listings"][0] == {
        "perPage": "3",
        "entryDateFrom": "2025-02-01",
        "status": 200,
        "entries": 3,
        "faults": [],
    }


def test_calls_from_many_clients_are_all_counted(service: Service) -> None:
    def read(page: int) -> set[str]:
        results = service.listing(page=page, perPage=10).json()["results"]
        return {json.dumps(entry, sort_keys=True) for entry in results}

    with ThreadPoolExecutor(8) as readers:
        pages = list(readers.map(read, range(1, 26)))
    assert sum(len(page) for page in pages) == 250
    assert service.simulator.count("listing", 200) == 25


# ── running it ───────────────────────────────────────────────────────────────────────────────


def test_a_stopped_simulator_answers_no_more_and_waits_for_no_slow_answer() -> None:
    slow = Behaviour.model_validate({"faults": [{"kind": "slow", "seconds": 60}]})
    with running(Simulator(EntryStore(), slow)) as url:
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(f"{url}{LISTING}", auth=TENANT_AUTH, timeout=0.1)
        leaving = time.monotonic()
    assert time.monotonic() - leaving < 5
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


def test_a_taken_port_is_an_error(served: tuple[Simulator, Clock, str]) -> None:
    port = httpx.URL(served[2]).port
    assert port is not None
    with pytest.raises(OSError, match="in use"), running(Simulator(EntryStore()), port=port):
        pass


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "simulator", *arguments]


@pytest.mark.parametrize("stopped_by", [signal.SIGTERM, signal.SIGINT])
def test_as_a_process_of_its_own(stopped_by: signal.Signals) -> None:
    arguments = ["--entries", "30", "--seed", "5", "--now", "2025-03-03T12:00:00Z", "--days", "10"]
    switches = ["--from-inclusive", "--totals-extra", "2", "--fault", "429,every=2,retry_after=1"]
    root = Path(__file__).parents[2]
    with subprocess.Popen(  # noqa: S603 - our own module
        command(*arguments, *switches), stdout=subprocess.PIPE, text=True, cwd=root
    ) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        with httpx.Client(
            base_url=ready["url"], auth=(ready["tenantId"], TENANT_AUTH[1])
        ) as client:
            first, second = client.get(LISTING), client.get(LISTING)
            calls = client.get("/_simulator/calls").json()
        process.send_signal(stopped_by)
        assert process.wait(10) == 0
    end = START - timedelta(days=1)
    profile = Profile(first=end - timedelta(days=10), end=end, entries=30, seed=5)
    assert exact(first)["results"] == [entry.value for entry in seeded(profile)]
    assert exact(first)["pagination"]["totalResults"] == 32
    assert (second.status_code, second.headers["retry-after"]) == (429, "1")
    assert calls["byEndpoint"] == {"listing": {"200": 1, "429": 1}}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--fault", "explode"], "Input should be 'status'"),
        (["--now", "2025-03-03T12:00:00"], "names no time zone"),
        (["--order", "sideways"], "is not one of"),
    ],
)
def test_wrong_arguments_are_told_in_a_line(arguments: list[str], message: str) -> None:
    finished = subprocess.run(  # noqa: S603 - our own module
        command(*arguments),
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        timeout=20,
        check=False,
    )
    assert finished.returncode == 2
    assert message in finished.stderr
    assert "Traceback" not in finished.stderr
