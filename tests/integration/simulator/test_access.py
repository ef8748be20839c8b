"""The simulated API over real HTTP: who may read."""

import base64
from datetime import timedelta
from typing import Any

import httpx
import pytest

from simulator import Credentials
from tests.support.served import (
    ACCEPTED,
    CLIENT_AUTH,
    LISTING,
    TOKEN,
    SimulatorClient,
)


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
def test_without_the_right_credentials_there_is_a_401(
    service: SimulatorClient, header: str | None
) -> None:
    headers = {} if header is None else {"Authorization": header}
    with httpx.Client(base_url=service.client.base_url, headers=headers) as stranger:
        for path in (LISTING, f"{LISTING}/{'0' * 24}"):
            response = stranger.get(path)
            assert response.status_code == 401
            assert response.json()["error"] == "Unauthorized"
            assert "WWW-Authenticate" in response.headers


def test_a_rotated_secret_counts_from_then_on(service: SimulatorClient) -> None:
    service.simulator.credentials = Credentials(api_secret="rotated")
    assert service.listing().status_code == 401
    assert service.client.get(LISTING, auth=(ACCEPTED.tenant_id, "rotated")).status_code == 200


def test_a_token_reads_until_it_expires(service: SimulatorClient) -> None:
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


def test_a_revoked_token_is_401(service: SimulatorClient) -> None:
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
def test_reading_needs_a_scope_that_reads(
    service: SimulatorClient, scope: str, status: int
) -> None:
    token = service.token(scope=scope).json()["access_token"]
    response = service.read_with(token)
    assert response.status_code == status
    assert status == 200 or response.json()["error"] == "Forbidden"


@pytest.mark.parametrize("accepted", ["basic", "body", "both"])
@pytest.mark.parametrize("refusal", [400, 401])
def test_where_the_client_may_authenticate(
    service: SimulatorClient, accepted: str, refusal: int
) -> None:
    service.simulator.behave(client_credentials_in=accepted, invalid_client_status=refusal)
    in_basic = service.token()
    in_body = service.token(auth=None, client_id=CLIENT_AUTH[0], client_secret=CLIENT_AUTH[1])
    for place, response in (("basic", in_basic), ("body", in_body)):
        if accepted in (place, "both"):
            assert response.status_code == 200
        else:
            assert response.status_code == refusal
            assert response.json()["error"] == "invalid_client"


def test_a_pair_that_was_encoded_as_rfc_6749_wants_is_accepted(service: SimulatorClient) -> None:
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
    service: SimulatorClient, request_: dict[str, Any], status: int, error: str
) -> None:
    response = service.token(**request_)
    assert (response.status_code, response.json()["error"]) == (status, error)


def test_a_scope_that_the_client_was_not_given_is_refused(service: SimulatorClient) -> None:
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
    service: SimulatorClient, content_type: str, content: str
) -> None:
    headers = {"Content-Type": content_type}
    response = service.client.post(TOKEN, content=content, headers=headers, auth=CLIENT_AUTH)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")
