"""The client of the API, and the simulator that it reads over HTTP."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import httpx

from cpd_exporter.adapters.aws.secret import ApiSecret, ClientSecret
from cpd_exporter.adapters.thrive.api import ThriveApi
from cpd_exporter.adapters.thrive.auth import Access, BasicAccess, ClientCredentialsAccess
from cpd_exporter.adapters.thrive.endpoints import Endpoints, endpoints
from cpd_exporter.adapters.thrive.http import Http
from cpd_exporter.model.options import Audience, Environment, Scope
from simulator import Credentials, Simulator
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
class SleepingClock:
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
class ThriveService:
    """The simulator, and clients of it that share one clock."""

    simulator: Simulator
    clock: SleepingClock
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


@contextmanager
def answering(
    answer: Callable[[httpx.Request], httpx.Response], clock: SleepingClock | None = None
) -> Iterator[ThriveApi]:
    """A client of a server that sends what the simulator cannot."""
    clock = clock or SleepingClock()
    with httpx.Client(transport=httpx.MockTransport(answer)) as client:
        yield ThriveApi(
            Http(client, monotonic=clock.monotonic),
            endpoints(Environment.PRODUCTION, Audience.PUBLIC),
            BasicAccess(FakeCredentials(basic_secret())),
            clock=clock,
            sleep=clock.sleep,
        )
