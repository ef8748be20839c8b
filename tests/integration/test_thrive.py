"""The client of the API against the simulator over real HTTP, where it is not as documented."""

import gzip
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from cpd_exporter.adapters.aws.secret import ApiSecret, ClientSecret
from cpd_exporter.adapters.thrive import http as adapters_http
from cpd_exporter.adapters.thrive.api import MAX_PARALLEL_LOOKUPS, ThriveApi
from cpd_exporter.adapters.thrive.auth import Access, BasicAccess, ClientCredentialsAccess
from cpd_exporter.adapters.thrive.endpoints import Endpoints, endpoints
from cpd_exporter.adapters.thrive.http import Http, new_client
from cpd_exporter.errors import AccessError, MalformedResponseError, PermanentError, TransientError
from cpd_exporter.model.options import Audience, Environment, Scope
from cpd_exporter.model.window import Window
from simulator import Behaviour, Credentials, Fault, Profile, Simulator, running, seeded
from tests.support.fakes.credentials import FakeCredentials

NOW = datetime(2026, 1, 12, 8, 30, tzinfo=UTC)
FIRST = datetime(2026, 1, 1, tzinfo=UTC)
SECRETS = Credentials(
    tenant_id="eu-west-2_AbcdEfghI",
    api_secret="s3cret/+=:é",
    client_id="client",
    client_secret="cl1ent/+=: é",
)


@dataclass
class Clock:
    """Time that passes only when somebody waits."""

    now: datetime = NOW
    waits: list[float] = field(default_factory=list)

    def __call__(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return (self.now - NOW).total_seconds()

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += timedelta(seconds=seconds)


@dataclass(frozen=True)
class Service:
    """The simulator, and clients of it that share one clock."""

    simulator: Simulator
    clock: Clock
    http: Http
    endpoints: Endpoints
    api_secret: FakeCredentials[ApiSecret]
    client_secret: FakeCredentials[ClientSecret]

    def basic(self) -> ThriveApi:
        return self._api(BasicAccess(self.api_secret))

    def oauth2(self, scope: Scope = Scope.READ) -> ThriveApi:
        return self._api(self.tokens(scope))

    def tokens(self, scope: Scope = Scope.READ) -> ClientCredentialsAccess:
        return ClientCredentialsAccess(
            self.client_secret,
            self.http,
            self.endpoints,
            scope,
            clock=self.clock,
            monotonic=self.clock.monotonic,
        )

    def _api(self, access: Access) -> ThriveApi:
        return ThriveApi(
            self.http, self.endpoints, access, clock=self.clock, sleep=self.clock.sleep
        )


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Simulator, Clock, str]]:
    """One server for all tests; each gives it a behaviour and a time of its own."""
    clock = Clock()
    store = seeded(Profile(FIRST, FIRST + timedelta(days=9), entries=50))
    simulator = Simulator(store, clock=clock)
    with running(simulator) as url:
        yield simulator, clock, url


@pytest.fixture
def service(server: tuple[Simulator, Clock, str]) -> Iterator[Service]:
    simulator, clock, url = server
    clock.now = NOW
    clock.waits.clear()
    simulator.behaviour = Behaviour()
    simulator.credentials = SECRETS
    simulator.revoke_tokens()
    simulator.forget_calls()
    with new_client() as client:
        yield Service(
            simulator,
            clock,
            Http(client),
            endpoints(Environment.STAGING, Audience.PUBLIC, api_url=url),
            FakeCredentials(basic_secret()),
            FakeCredentials(oauth2_secret()),
        )


def basic_secret(**others: str) -> ApiSecret:
    held = {"tenantId": SECRETS.tenant_id, "apiSecret": SECRETS.api_secret}
    return ApiSecret.model_validate(held | others)


def oauth2_secret(**others: str) -> ClientSecret:
    held = {
        "tenantId": SECRETS.tenant_id,
        "clientId": SECRETS.client_id,
        "clientSecret": SECRETS.client_secret,
    }
    return ClientSecret.model_validate(held | others)


def assert_clean(error: BaseException) -> None:
    """No message holds a secret, nor a query, whatever it was caused by."""
    text = repr(error)
    for secret in (SECRETS.api_secret, SECRETS.client_secret, "Basic ", "Bearer ", "?page"):
        assert secret not in text


class TestBasic:
    def test_reads(self, service: Service) -> None:
        api = service.basic()
        assert api.query(None).total == 50
        assert api.calls == 1

    def test_a_rotated_secret_is_read_again(self, service: Service) -> None:
        api = service.basic()
        service.simulator.credentials = replace(SECRETS, api_secret="rotated")
        service.api_secret.current = basic_secret(apiSecret="rotated")
        assert api.query(None).total == 50
        assert api.query(None).total == 50
        assert service.api_secret.reads == 1
        assert service.simulator.count("listing", 401) == 1

    def test_a_wrong_secret_is_not_hammered(self, service: Service) -> None:
        service.simulator.credentials = replace(SECRETS, api_secret="another")
        with pytest.raises(AccessError, match="mend the secret") as raised:
            service.basic().query(None)
        assert_clean(raised.value)
        assert service.simulator.count() == 1
        assert service.clock.waits == []

    def test_a_rotated_secret_that_is_wrong_too(self, service: Service) -> None:
        service.simulator.credentials = replace(SECRETS, api_secret="another")
        service.api_secret.current = basic_secret(apiSecret="wrong")
        with pytest.raises(AccessError, match="mend the secret"):
            service.basic().query(None)
        assert service.simulator.count() == 2


class TestClientCredentials:
    @pytest.mark.parametrize("accepted_in", ["basic", "body", "both"])
    @pytest.mark.parametrize("status", [400, 401])
    def test_says_who_it_is_where_it_is_wanted(
        self, service: Service, accepted_in: str, status: int
    ) -> None:
        service.simulator.behave(client_credentials_in=accepted_in, invalid_client_status=status)
        assert service.oauth2().query(None).total == 50

    def test_remembers_which_way_worked(self, service: Service) -> None:
        service.simulator.behave(client_credentials_in="body", token_lifetime_seconds=100)
        api = service.oauth2()
        for _ in range(3):
            api.query(None)
            service.clock.sleep(100)
        assert service.simulator.count("token", 200) == 3
        refused = service.simulator.count("token") - 3
        assert 1 <= refused <= 2
        assert service.client_secret.reads == 0

    def test_one_token_serves_until_shortly_before_its_end(self, service: Service) -> None:
        api = service.oauth2()
        api.query(None)
        service.clock.sleep(3600 - 61)
        api.query(None)
        assert service.simulator.count("token") == 1
        service.clock.sleep(1)
        api.query(None)
        assert service.simulator.count("token") == 2
        assert service.simulator.count("listing", 401) == 0
        assert api.calls == 5

    def test_short_lived_tokens_never_run_out_in_use(self, service: Service) -> None:
        service.simulator.behave(token_lifetime_seconds=10)
        api = service.oauth2()
        for _ in range(10):
            api.query(None)
            service.clock.sleep(4.4)
        assert service.simulator.count("listing", 401) == 0
        assert service.simulator.count("token") == 4

    def test_a_revoked_token_is_replaced(self, service: Service) -> None:
        api = service.oauth2()
        api.query(None)
        service.simulator.revoke_tokens()
        assert api.query(None).total == 50
        assert service.simulator.count("listing", 401) == 1

    def test_a_rotated_client_secret_is_read_again(self, service: Service) -> None:
        service.simulator.credentials = replace(SECRETS, client_secret="rotated")
        service.client_secret.current = oauth2_secret(clientSecret="rotated")
        assert service.oauth2().query(None).total == 50
        assert service.client_secret.reads == 1

    def test_a_wrong_client_secret(self, service: Service) -> None:
        service.simulator.credentials = replace(SECRETS, client_secret="another")
        with pytest.raises(AccessError, match="refuses the client: mend the secret") as raised:
            service.oauth2().query(None)
        assert_clean(raised.value)
        assert service.simulator.count("token") == 3  # each way once
        assert service.simulator.count("listing") == 0

    def test_an_api_that_refuses_every_token(self, service: Service) -> None:
        service.simulator.behave(faults=(Fault(status=401),))
        with pytest.raises(AccessError, match="mend the secret"):
            service.oauth2().query(None)
        assert service.simulator.count("listing") == 2

    def test_asks_for_the_scope_and_says_if_it_is_not_granted(self, service: Service) -> None:
        service.simulator.behave(scopes=frozenset({"api/write"}))
        with pytest.raises(AccessError, match="api/read"):
            service.oauth2().query(None)
        assert service.simulator.count("token") == 1
        assert service.client_secret.reads == 0

    @pytest.mark.parametrize("scope", [Scope.WRITE, Scope.WEBHOOKS])
    def test_a_scope_that_does_not_include_reading(self, service: Service, scope: Scope) -> None:
        with pytest.raises(AccessError, match=f"403.*scope {scope}"):
            service.oauth2(scope).query(None)
        assert service.simulator.count("listing") == 1

    @pytest.mark.parametrize("scope", [Scope.READ, Scope.ALL])
    def test_a_scope_that_does(self, service: Service, scope: Scope) -> None:
        assert service.oauth2(scope).query(None).total == 50

    def test_a_tenant_that_is_not_there(self, service: Service) -> None:
        service.simulator.credentials = replace(SECRETS, tenant_id="eu-west-2_Another")
        with pytest.raises(AccessError, match=r"404.*tenant ID"):
            service.oauth2().query(None)

    @pytest.mark.parametrize(
        "fault",
        [
            Fault(on="token", kind="html"),
            Fault(on="token", kind="truncated"),
            Fault(on="token", kind="raw", body='{"access_token": ""}'),
            Fault(on="token", kind="raw", body="[]"),
            Fault(on="token", status=302, location="https://example.org/"),
            Fault(on="token", status=403),
        ],
        ids=["html", "truncated", "empty", "list", "redirect", "forbidden"],
    )
    def test_an_endpoint_that_gives_no_token_spoils_no_page(
        self, service: Service, fault: Fault
    ) -> None:
        service.simulator.behave(faults=(fault,))
        with pytest.raises(AccessError) as raised:
            service.oauth2().query(None)
        assert_clean(raised.value)
        assert service.simulator.count() == 1

    def test_an_endpoint_that_does_not_say_how_long_a_token_lives(self, service: Service) -> None:
        token = '{"access_token": "t", "token_type": "Bearer"}'
        service.simulator.behave(faults=(Fault(on="token", kind="raw", body=token),))
        tokens = service.tokens()
        assert tokens.authorization() == "Bearer t"
        service.clock.sleep(3500)
        tokens.authorization()
        assert service.simulator.count("token") == 1

    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_an_outage_of_the_endpoint_is_waited_out(self, service: Service, status: int) -> None:
        service.simulator.behave(faults=(Fault(on="token", status=status, times=2),))
        assert service.oauth2().query(None).total == 50
        assert len(service.clock.waits) == 2

    def test_threads_share_a_token(self, service: Service) -> None:
        tokens = service.tokens()
        headers: list[str] = []
        threads = [
            threading.Thread(target=lambda: headers.append(tokens.authorization()))
            for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(headers) == 8
        assert len(set(headers)) == 1
        assert service.simulator.count("token") == 1

    def test_threads_whose_token_was_refused_share_the_next(self, service: Service) -> None:
        tokens = service.tokens()
        refused = tokens.authorization()
        assert tokens.renewed(refused) == tokens.renewed(refused) != refused
        assert service.simulator.count("token") == 2


class TestOutages:
    @pytest.mark.parametrize(
        "fault",
        [
            Fault(status=429, times=3),
            Fault(status=408, times=3),
            Fault(status=500, times=3),
            Fault(status=503, html=True, times=3),
            Fault(kind="cut-off", times=3),
        ],
        ids=["429", "408", "500", "503", "cut-off"],
    )
    def test_short_ones_are_waited_out(self, service: Service, fault: Fault) -> None:
        service.simulator.behave(faults=(fault,))
        assert service.basic().query(None).total == 50
        assert len(service.clock.waits) == 3
        assert all(0 <= wait <= 5 for wait in service.clock.waits)

    def test_longer_ones_are_left_to_the_queue(self, service: Service) -> None:
        service.simulator.behave(faults=(Fault(status=500),))
        api = service.basic()
        with pytest.raises(TransientError, match="500") as raised:
            api.query(None)
        assert_clean(raised.value)
        assert raised.value.retry_after is None
        assert api.calls == 4

    @pytest.mark.parametrize("as_date", [False, True])
    def test_waits_as_long_as_it_is_told(self, service: Service, as_date: bool) -> None:
        fault = Fault(status=429, retry_after=7, retry_after_as_date=as_date, times=2)
        service.simulator.behave(faults=(fault,))
        assert service.basic().query(None).total == 50
        assert service.clock.waits == [7, 7]

    @pytest.mark.parametrize("as_date", [False, True])
    def test_does_not_wait_long_itself(self, service: Service, as_date: bool) -> None:
        fault = Fault(status=429, retry_after=90, retry_after_as_date=as_date)
        service.simulator.behave(faults=(fault,))
        with pytest.raises(TransientError) as raised:
            service.basic().query(None)
        assert raised.value.retry_after == 90
        assert service.clock.waits == []
        assert service.simulator.count() == 1

    def test_a_server_that_is_not_there(self, service: Service) -> None:
        gone = endpoints(Environment.STAGING, Audience.PUBLIC, api_url="http://127.0.0.1:9")
        clock = Clock()
        access = BasicAccess(service.api_secret)
        api = ThriveApi(service.http, gone, access, clock=clock, sleep=clock.sleep)
        with pytest.raises(TransientError, match="ConnectError") as raised:
            api.query(None)
        assert_clean(raised.value)
        assert len(clock.waits) == 3

    def test_a_server_that_is_silent(self, service: Service) -> None:
        service.simulator.behave(faults=(Fault(kind="slow", seconds=0.6, times=1),))
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

    def test_connections_are_used_again(self, service: Service) -> None:
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
            Fault(kind="html"),
            Fault(kind="truncated"),
            Fault(kind="raw", body=""),
            Fault(kind="raw", body="null"),
            Fault(kind="raw", body='{"results": []}'),
            Fault(kind="raw", body='{"pagination": {"totalResults": 1, "perPage": 1}}'),
            Fault(kind="raw", body='{"results": ' + "[" * 100_000),
            Fault(status=302, location="https://example.org/"),
        ],
        ids=["html", "truncated", "empty", "null", "no total", "no results", "deep", "redirect"],
    )
    def test_of_a_listing(self, service: Service, fault: Fault) -> None:
        service.simulator.behave(faults=(fault,))
        api = service.basic()
        with pytest.raises(MalformedResponseError) as raised:
            api.query(None)
        assert_clean(raised.value)
        assert api.calls == 1

    @pytest.mark.parametrize(
        "fault",
        [
            Fault(on="entry", kind="html"),
            Fault(on="entry", kind="truncated"),
            Fault(on="entry", status=307, location="https://example.org/"),
        ],
        ids=["html", "truncated", "redirect"],
    )
    def test_of_an_entry(self, service: Service, fault: Fault) -> None:
        known = next(iter(service.simulator.store)).log_entry_id
        service.simulator.behave(faults=(fault,))
        with pytest.raises(MalformedResponseError):
            service.basic().entry(known)


@contextmanager
def answering(
    answer: Callable[[httpx.Request], httpx.Response], clock: Clock | None = None
) -> Iterator[ThriveApi]:
    """A client of a server that sends what the simulator cannot."""
    clock = clock or Clock()
    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        yield ThriveApi(
            Http(client, monotonic=clock.monotonic),
            endpoints(Environment.PRODUCTION, Audience.PUBLIC),
            BasicAccess(FakeCredentials(basic_secret())),
            clock=clock,
            sleep=clock.sleep,
        )


EMPTY = {"pagination": {"totalResults": 0, "perPage": 1000}, "results": []}


class TestOnTheWire:
    def test_what_is_asked(self) -> None:
        asked: list[httpx.Request] = []

        def answer(request: httpx.Request) -> httpx.Response:
            asked.append(request)
            return httpx.Response(200, json=EMPTY)

        window = Window(FIRST, FIRST + timedelta(days=1, seconds=5))
        with answering(answer) as api:
            api.query(window, page=2, per_page=7)
            api.query(None)
        assert str(asked[0].url).startswith("https://public.api.learn.link/rest/v1/cpdEntries?")
        assert dict(asked[0].url.params) == {
            "page": "2",
            "perPage": "7",
            "entryDateFrom": "2026-01-01 00:00:00",
            "entryDateTo": "2026-01-02 00:00:05",
        }
        assert dict(asked[1].url.params) == {"page": "1", "perPage": "1000"}

    def test_who_asks_and_for_what(self) -> None:
        with new_client() as client:
            assert client.headers["User-Agent"] == "cpd-exporter"
            assert client.headers["Accept-Encoding"] == "gzip"
            assert not client.follow_redirects
            assert client.timeout == httpx.Timeout(30, connect=5)

    def test_zipped_answers(self) -> None:
        body = gzip.compress(b'{"pagination":{"totalResults":3,"perPage":9},"results":[]}')
        headers = {"Content-Encoding": "gzip"}
        with answering(lambda _: httpx.Response(200, content=body, headers=headers)) as api:
            assert api.query(None).total == 3

    def test_answers_that_cannot_be_unzipped_are_tried_again(self) -> None:
        headers = {"Content-Encoding": "gzip"}
        with answering(lambda _: httpx.Response(200, stream=Stream(b"no"), headers=headers)) as api:
            with pytest.raises(TransientError, match="DecodingError"):
                api.query(None)
            assert api.calls == 4

    def test_a_body_without_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(adapters_http, "MAX_BODY_BYTES", 10_000)
        with (
            answering(lambda _: httpx.Response(200, stream=Stream(b"x" * 100))) as api,
            pytest.raises(MalformedResponseError, match="more than 10000 bytes"),
        ):
            api.query(None)

    def test_a_body_that_drips(self) -> None:
        clock = Clock()

        def drip() -> None:
            clock.now += timedelta(seconds=5)

        with (
            answering(lambda _: httpx.Response(200, stream=Stream(b"x", drip)), clock) as api,
            pytest.raises(TransientError, match="still answering"),
        ):
            api.query(None)

    @pytest.mark.parametrize("date", ["", "yesterday", "Mon, 99 Jan 2026 00:00:00 GMT"])
    def test_a_clock_that_cannot_be_read(self, date: str) -> None:
        headers = {"Date": date}
        with answering(lambda _: httpx.Response(200, json=EMPTY, headers=headers)) as api:
            assert api.query(None).served_at is None

    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("30", 30),
            (" 30 ", 30),
            ("Mon, 12 Jan 2026 08:31:00 GMT", 60),
            ("soon", None),
            ("-5", None),
            ("٣", None),
        ],
    )
    def test_what_retry_after_says(self, value: str, seconds: float | None) -> None:
        headers = [(b"Retry-After", value.encode())]
        with (
            answering(lambda _: httpx.Response(429, headers=headers)) as api,
            pytest.raises(TransientError) as raised,
        ):
            api.query(None)
        assert raised.value.retry_after == seconds

    def test_a_date_to_wait_for_is_by_the_servers_clock(self) -> None:
        headers = {
            "Date": "Mon, 12 Jan 2026 08:20:00 GMT",
            "Retry-After": "Mon, 12 Jan 2026 08:21:30 GMT",
        }
        with (
            answering(lambda _: httpx.Response(429, headers=headers)) as api,
            pytest.raises(TransientError) as raised,
        ):
            api.query(None)
        assert raised.value.retry_after == 90

    def test_a_time_that_has_passed(self) -> None:
        headers = {"Retry-After": "Mon, 12 Jan 2026 08:00:00 GMT"}
        with answering(lambda _: httpx.Response(503, headers=headers)) as api:
            with pytest.raises(TransientError) as raised:
                api.query(None)
            assert api.calls == 4
        assert raised.value.retry_after == 0

    @pytest.mark.parametrize("status", [201, 204, 300, 304])
    def test_a_status_that_nobody_documents(self, status: int) -> None:
        with (
            answering(lambda _: httpx.Response(status)) as api,
            pytest.raises(MalformedResponseError, match=str(status)),
        ):
            api.query(None)

    @pytest.mark.parametrize("status", [405, 410, 418])
    def test_a_refusal_that_nobody_documents(self, status: int) -> None:
        with answering(lambda _: httpx.Response(status)) as api:
            with pytest.raises(PermanentError, match=str(status)):
                api.query(None)
            assert api.calls == 1

    def test_messages_name_what_was_asked_but_not_the_query(self) -> None:
        with (
            answering(lambda _: httpx.Response(400)) as api,
            pytest.raises(PermanentError) as raised,
        ):
            api.query(Window(FIRST, FIRST + timedelta(days=1)))
        asked = "GET https://public.api.learn.link/rest/v1/cpdEntries answered 400"
        assert str(raised.value).startswith(asked)
        assert_clean(raised.value)


class Stream(httpx.SyncByteStream):
    """A body of the same piece over and over, a thousand times."""

    def __init__(self, piece: bytes, between: Callable[[], None] = lambda: None) -> None:
        self._piece = piece
        self._between = between

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(1000):
            self._between()
            yield self._piece
