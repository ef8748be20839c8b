"""The client of the API, and the simulator that it reads over HTTP."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from cpd_exporter.adapters.thrive.endpoints import endpoints
from cpd_exporter.adapters.thrive.http import Http, new_client
from cpd_exporter.model.options import Audience, Environment
from simulator import Behaviour, Profile, Simulator, running, seeded
from tests.support.fakes.credentials import FakeCredentials
from tests.support.thrive import (
    FIRST,
    NOW,
    SECRETS,
    SleepingClock,
    ThriveService,
    basic_secret,
    oauth2_secret,
)


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[Simulator, SleepingClock, str]]:
    """One server for all tests; each gives it a behaviour and a time of its own."""
    clock = SleepingClock()
    store = seeded(Profile(FIRST, FIRST + timedelta(days=9), entries=50))
    simulator = Simulator(store, clock=clock)
    with running(simulator) as url:
        yield simulator, clock, url


@pytest.fixture
def service(server: tuple[Simulator, SleepingClock, str]) -> Iterator[ThriveService]:
    simulator, clock, url = server
    clock.now = NOW
    clock.waits.clear()
    simulator.behaviour = Behaviour()
    simulator.credentials = SECRETS
    simulator.revoke_tokens()
    simulator.forget_calls()
    with new_client() as client:
        yield ThriveService(
            simulator,
            clock,
            Http(client),
            endpoints(Environment.STAGING, Audience.PUBLIC, api_url=url),
            FakeCredentials(basic_secret()),
            FakeCredentials(oauth2_secret()),
        )
