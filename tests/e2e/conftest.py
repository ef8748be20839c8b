"""One stack for the whole session: the project's own template, with IAM enforced."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from local.driver import Progress, export_all
from local.stack.deploy import DeployedStack, deployed
from local.subscriber import subscribe
from simulator import Behaviour, Profile, Simulator, StoredEntry, running, seeded
from simulator.source import to_ms
from tests.support.pace import patience

ENTRIES = 1000
MAX_IDLE_SECONDS = 60
READER = "222222222222"
"""An account that may subscribe and read; the stack's own is another one."""


@dataclass(frozen=True)
class Api:
    """A server unlike the documentation: inclusive bounds, no order, small pages, faulty entries.

    Pages smaller than what was asked for overflow, so that workers have to split their windows.
    """

    simulator: Simulator
    url: str
    valid: tuple[StoredEntry, ...]
    faulty: tuple[StoredEntry, ...]

    @property
    def secret(self) -> dict[str, str]:
        accepted = self.simulator.credentials
        return {"tenantId": accepted.tenant_id, "apiSecret": accepted.api_secret}


@contextmanager
def served(entries: int) -> Iterator[Api]:
    """Such a server, with so many entries and some faulty ones."""
    end = datetime.now(UTC) - timedelta(days=1)
    start = end - timedelta(days=100)
    store = seeded(Profile(first=start, end=end, entries=entries, seed=3, burst=40, extras=0.5))
    valid = tuple(store)
    behaviour = Behaviour(
        from_inclusive=True, to_inclusive=True, shuffle="all", per_page_cap=entries * 3 // 10
    )
    simulator = Simulator(store, behaviour)
    middle = start + timedelta(days=50)
    faulty = (
        simulator.insert(middle, durationMinutes="a while"),
        simulator.insert(middle, userId=None),
        store.add(StoredEntry("f" * 24, to_ms(middle), '"no object, but ünïcödé"')),
    )
    with running(simulator) as url:
        yield Api(simulator, url, valid, faulty)


@pytest.fixture(scope="session")
def api() -> Iterator[Api]:
    with served(ENTRIES) as api:
        yield api


@pytest.fixture(scope="session")
def stack(api: Api) -> Iterator[DeployedStack]:
    parameters = {"ApiUrl": api.url, "ScheduleState": "DISABLED", "ReaderAccounts": READER}
    with deployed(parameters, say=print) as stack:
        stack.put_secret(api.secret)
        yield stack


@pytest.fixture(scope="session")
def queue_url(stack: DeployedStack) -> str:
    """A subscriber's queue, there before the first export."""
    return subscribe(stack, "e2e")


@pytest.fixture(scope="session")
def exported(stack: DeployedStack, queue_url: str) -> Progress:
    """How far the export was when all there is had been exported once."""
    return export_all(stack, show=lambda _: None, max_idle_seconds=patience(MAX_IDLE_SECONDS))
