"""The simulator over HTTP, and a client of it."""

from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest

from simulator import Behaviour, EntryStore, Profile, Simulator, running, seeded
from tests.support.served import ACCEPTED, START, TENANT_AUTH, SimulatorClient, StandingClock


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Simulator, StandingClock, str]]:
    clock = StandingClock()
    simulator = Simulator(EntryStore(), clock=clock)
    with running(simulator) as url:
        yield simulator, clock, url


@pytest.fixture
def service(served: tuple[Simulator, StandingClock, str]) -> Iterator[SimulatorClient]:
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
        yield SimulatorClient(simulator, clock, client)
