"""The simulator as a process."""

import json
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from simulator import Behaviour, EntryStore, Profile, Simulator, running, seeded
from tests.support.served import LISTING, START, TENANT_AUTH, StandingClock, exact


def test_a_stopped_simulator_answers_no_more_and_waits_for_no_slow_answer() -> None:
    slow = Behaviour.model_validate({"faults": [{"kind": "slow", "seconds": 60}]})
    with running(Simulator(EntryStore(), slow)) as url:
        with pytest.raises(httpx.ReadTimeout):
            httpx.get(f"{url}{LISTING}", auth=TENANT_AUTH, timeout=0.1)
        leaving = time.monotonic()
    assert time.monotonic() - leaving < 5
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


def test_a_taken_port_is_an_error(served: tuple[Simulator, StandingClock, str]) -> None:
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
    root = Path(__file__).parents[3]
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
    profile = Profile(first=end - timedelta(days=10), end=end, entries=30, seed=5, extras=0)
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
def test_wrong_arguments_are_named_in_a_line(arguments: list[str], message: str) -> None:
    finished = subprocess.run(  # noqa: S603 - our own module
        command(*arguments),
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[3],
        timeout=20,
        check=False,
    )
    assert finished.returncode == 2
    assert message in finished.stderr
    assert "Traceback" not in finished.stderr


def test_another_process_can_change_entries() -> None:
    now = datetime.now(UTC)
    first = now - timedelta(days=10)
    store = seeded(Profile(first=first, end=now - timedelta(days=1), entries=50))
    simulator = Simulator(store)
    with running(simulator) as url, httpx.Client(base_url=url, trust_env=False) as client:
        made = {
            kind: client.post(
                "/_simulator/changes", json={"kind": kind, "count": 2, "days": 20}
            ).json()["changed"]
            for kind in ("edit", "delete", "back-date", "insert", "move")
        }
        assert {len(ids) for ids in made.values()} == {2}
        assert len(store) == 50 - 2 + 2 + 2
        wrongs: tuple[object, ...] = (
            {},
            {"kind": "spoil", "days": 1},
            {"kind": "edit", "days": "x"},
            {"kind": "edit", "days": 0},
            {"kind": "edit", "days": 10**14},
            [],
        )
        for wrong in wrongs:
            assert client.post("/_simulator/changes", json=wrong).status_code == 400
