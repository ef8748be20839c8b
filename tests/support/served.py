"""The simulator over HTTP, and a client of it."""

from datetime import UTC, datetime
from typing import Any

import httpx
import simplejson

from simulator import Credentials, Simulator

START = datetime(2025, 3, 3, 12, tzinfo=UTC)


LISTING = "/rest/v1/cpdEntries"


ACCEPTED = Credentials()


TENANT_AUTH = (ACCEPTED.tenant_id, ACCEPTED.api_secret)


CLIENT_AUTH = (ACCEPTED.client_id, ACCEPTED.client_secret)


TOKEN = f"/oauth2/token/{ACCEPTED.tenant_id}"


GRANT = {"grant_type": "client_credentials"}


class StandingClock:
    """A clock that only a test moves."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


class SimulatorClient:
    """A running simulator and a client that may read it."""

    def __init__(self, simulator: Simulator, clock: StandingClock, client: httpx.Client) -> None:
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


def exact(response: httpx.Response) -> Any:
    return simplejson.loads(response.content, use_decimal=True)
