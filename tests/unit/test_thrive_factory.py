"""The client that the factory builds, against a service that is a function."""

from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from cpd_exporter.adapters.aws.secret import (
    ApiSecret,
    ClientSecret,
    SecretsManagerCredentials,
    stored_credentials,
)
from cpd_exporter.adapters.thrive.factory import AnyCredentials, build_api
from cpd_exporter.errors import ConfigurationError
from cpd_exporter.model.entry import Entry
from cpd_exporter.model.options import Audience, Authentication, Environment, Scope
from tests.support.fakes.credentials import FakeCredentials

NOW = datetime(2026, 1, 12, 8, 30, tzinfo=UTC)
TENANT = "eu-west-2_AbcdEfghI"
API_SECRET = ApiSecret.model_validate({"tenantId": TENANT, "apiSecret": "s3cret"})
CLIENT_SECRET = ClientSecret.model_validate(
    {"tenantId": TENANT, "clientId": "client", "clientSecret": "cl1ent"}
)
ENTRY: dict[str, Any] = {
    "logEntryId": "64b7f0c2a1",
    "userId": "user",
    "activity": {"type": "course", "name": "Course"},
    "category": {"categoryId": "1", "name": "Category"},
    "entryDate": "2026-01-01T12:00:00Z",
    "durationMinutes": 30,
    "description": None,
    "isVerified": True,
    "lastOpenedAt": "2026-01-02T12:00:00Z",
}


def service(requests: list[httpx.Request], **changes: Any) -> Callable[..., httpx.Response]:
    """A service that grants tokens and answers every other request with one entry."""

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        if request.method == "POST":
            return httpx.Response(200, json={"access_token": "t0ken"})
        return httpx.Response(200, json=ENTRY | changes)

    return answer


def read_entry(credentials: AnyCredentials, api_url: str = "", **changes: Any) -> Any:
    """The tenant, the entry, and the requests for it."""
    requests: list[httpx.Request] = []
    tenant_id, api = build_api(
        credentials,
        Environment.STAGING,
        Audience.WEBHOOKS,
        Scope.ALL,
        api_url=api_url,
        fingerprint_exclude=frozenset({"lastOpenedAt"}),
        clock=lambda: NOW,
        client=httpx.Client(transport=httpx.MockTransport(service(requests, **changes))),
    )
    return tenant_id, api.entry(ENTRY["logEntryId"]), requests


def test_an_api_secret_means_basic() -> None:
    tenant_id, entry, [request] = read_entry(FakeCredentials(API_SECRET))
    signed = b64encode(f"{TENANT}:s3cret".encode()).decode()
    assert tenant_id == TENANT
    assert isinstance(entry, Entry)
    assert request.headers["Authorization"] == f"Basic {signed}"
    assert request.url.host == "public.api.learnstaging.link"


def test_a_client_secret_means_a_token_of_the_audience_and_scope() -> None:
    tenant_id, entry, [token, request] = read_entry(FakeCredentials(CLIENT_SECRET))
    assert tenant_id == TENANT
    assert isinstance(entry, Entry)
    assert token.url.host == "user.api.learnstaging.link"
    assert token.url.path.endswith(f"/{TENANT}")
    assert b"scope=api%2Fall" in token.content
    assert request.headers["Authorization"] == "Bearer t0ken"


@pytest.mark.parametrize("secret", [API_SECRET, CLIENT_SECRET])
def test_an_api_url_overrides_all_hosts(secret: Any) -> None:
    *_, requests = read_entry(FakeCredentials(secret), "https://thrive.example")
    assert {request.url.host for request in requests} == {"thrive.example"}


def test_excluded_members_make_no_new_fingerprint() -> None:
    _, first, _ = read_entry(FakeCredentials(API_SECRET))
    _, later, _ = read_entry(FakeCredentials(API_SECRET), lastOpenedAt="2026-01-03T12:00:00Z")
    _, edited, _ = read_entry(FakeCredentials(API_SECRET), durationMinutes=45)
    assert first.fingerprint == later.fingerprint != edited.fingerprint


def test_a_wrong_api_url_is_refused_at_once() -> None:
    with pytest.raises(ConfigurationError, match="API URL"):
        read_entry(FakeCredentials(API_SECRET), "http://thrive.example")


class SecretsManager:
    """Holds one secret."""

    def __init__(self, content: str) -> None:
        self.content = content

    def get_secret_value(self, **_: str) -> dict[str, str]:
        return {"SecretString": self.content}


@pytest.mark.parametrize(
    ("authentication", "secret"),
    [(Authentication.BASIC, API_SECRET), (Authentication.OAUTH2, CLIENT_SECRET)],
)
def test_the_authentication_decides_what_the_stored_secret_must_hold(
    authentication: Authentication, secret: Any
) -> None:
    client: Any = SecretsManager(
        '{"tenantId": "eu-west-2_AbcdEfghI", "apiSecret": "s3cret", '
        '"clientId": "client", "clientSecret": "cl1ent"}'
    )
    credentials = stored_credentials(client, "cpd/credentials", authentication)
    assert isinstance(credentials, SecretsManagerCredentials)
    assert credentials.read() == secret


def test_credentials_that_cannot_be_used_are_refused_at_once() -> None:
    client: Any = SecretsManager("{}")
    credentials = stored_credentials(client, "cpd/credentials", Authentication.BASIC)
    with pytest.raises(ConfigurationError, match="put-secret-value"):
        read_entry(credentials)
