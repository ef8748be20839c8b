"""Both functions as Lambda calls them: AWS by moto, the API by the simulator over HTTP.

Whatever is logged must hold neither a secret nor anything that an entry says."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from simulator import Behaviour, EntryStore, Simulator, running
from tests.support.deployment import (
    CANARIES,
    CREDENTIALS,
    Deployment,
    deployed,
    lately,
    sample,
)
from tests.support.watched import Watched


@pytest.fixture(scope="module")
def api() -> Iterator[tuple[Simulator, str]]:
    simulator = Simulator(EntryStore(), credentials=CREDENTIALS)
    with running(simulator) as url:
        yield simulator, url


@pytest.fixture
def stack(
    api: tuple[Simulator, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Deployment]:
    simulator, url = api
    simulator.store, simulator.behaviour = lately(), Behaviour()
    with deployed(simulator, url, monkeypatch, lambda: capsys.readouterr().out) as stack:
        yield stack
        stack.logged("ERROR")
        assert not [canary for canary in CANARIES if canary in stack.output]


@pytest.fixture
def up_to_date(stack: Deployment) -> Watched:
    """A stack that has exported everything; its next tick is due."""
    stack.say(WORKER_TIMEOUT_SECONDS="300")
    watched = Watched(stack)
    for _ in range(2):
        watched.planner(sample("planner-schedule"))
        watched.work_off()
    watched.wait(timedelta(minutes=5))
    watched.planner(sample("planner-schedule"))
    watched.wait(timedelta(minutes=5))
    assert watched.look()["summary"].startswith("up to date: ")
    return watched
