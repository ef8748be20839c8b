"""What a watermark cannot see, on the real stack: edits, deletions, back-dated entries; then a
replay and a verification, which must find an object that was tampered with.
"""

import gzip
import json
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.driver import export_all, invoke
from local.lake import keys
from local.stack.deploy import DeployedStack, deployed
from local.subscriber import subscribe
from simulator import Profile, Simulator, running, seeded
from tests.e2e.conftest import MAX_IDLE_SECONDS
from tests.e2e.test_export import read, read_rows, receive
from tests.support.pace import patience

ENTRIES = 800
START = datetime.now(UTC).replace(microsecond=0) - timedelta(days=120)
EVERYTHING = {
    "from": f"{START:%Y-%m-01T00:00:00Z}",
    "to": f"{datetime.now(UTC):%Y-%m-%dT00:00:00Z}",
}


@pytest.fixture(scope="module")
def simulator() -> Simulator:
    end = datetime.now(UTC) - timedelta(days=2)
    return Simulator(seeded(Profile(first=START, end=end, entries=ENTRIES, seed=5)))


@pytest.fixture(scope="module")
def stack(simulator: Simulator) -> Iterator[DeployedStack]:
    with running(simulator) as url:
        parameters = {
            "ApiUrl": url,
            "ScheduleState": "DISABLED",
            "FirstDate": f"{START:%Y-%m-01}",
            "DeletionDelaySeconds": "0",
        }
        with deployed(parameters, say=print) as stack:
            credentials = simulator.credentials
            stack.put_secret(
                {"tenantId": credentials.tenant_id, "apiSecret": credentials.api_secret}
            )
            yield stack


def command(stack: DeployedStack, name: str, **settings: Any) -> None:
    """Send a command, and ticks until all that it set going is done."""
    answer = invoke(stack, {"command": name, **settings})
    assert "error" not in answer, answer
    assert answer["tenants"][0]["requested"], answer
    deadline = time.monotonic() + patience(MAX_IDLE_SECONDS)
    while True:
        (status,) = invoke(stack, {"command": "status"})["tenants"]
        if not status["jobs"] and not any(status["sweeps"].values()):
            return
        assert time.monotonic() < deadline, f"timed out: {status}"
        time.sleep(1)
        answer = invoke(stack, {"command": "export"})
        assert "error" not in answer, answer


def changes(events: list[dict[str, Any]]) -> dict[str, set[str]]:
    return {
        change: {e["subject"] for e in events if e["type"] == f"cpd.entry.{change}"}
        for change in ("created", "updated", "deleted")
    }


def test_sweeps_publish_exactly_what_changed(stack: DeployedStack, simulator: Simulator) -> None:
    queue_url = subscribe(stack, "sweeps")
    export_all(stack, show=lambda _: None, max_idle_seconds=MAX_IDLE_SECONDS)
    first = receive(stack, queue_url, expected=ENTRIES)
    assert len(first) == ENTRIES

    stored = list(simulator.store)
    edited, deleted = stored[10:800:40][:20], stored[30:800:40][:20]
    for entry in edited:
        simulator.store.edit(entry.log_entry_id, durationMinutes=61)
    for entry in deleted:
        simulator.store.delete(entry.log_entry_id)
    last_month = datetime.now(UTC).replace(day=1, hour=12) - timedelta(days=10)
    late = [simulator.insert(last_month + timedelta(minutes=n)) for n in range(20)]

    for _ in range(2):
        command(stack, "sweep", **EVERYTHING)
    published = receive(stack, queue_url, expected=60)
    assert changes(published) == {
        "created": {entry.log_entry_id for entry in late},
        "updated": {entry.log_entry_id for entry in edited},
        "deleted": {entry.log_entry_id for entry in deleted},
    }
    assert len(published) == 60
    stored_changes = Counter(row["change"] for rows in read_rows(stack).values() for row in rows)
    assert stored_changes == {"created": ENTRIES + 20, "updated": 20, "deleted": 20}

    command(stack, "sweep", **EVERYTHING)
    assert receive(stack, queue_url, expected=0) == []

    # The same events again, byte for byte, for whoever lost them.
    command(stack, "replay", subscribers="all", **EVERYTHING)
    again = receive(stack, queue_url, expected=ENTRIES)
    latest = {event["subject"]: event for event in [*first, *published]}
    for entry in deleted:
        del latest[entry.log_entry_id]
    assert {event["subject"]: event for event in again} == latest


def test_a_verification_finds_what_was_tampered_with(stack: DeployedStack) -> None:
    command(stack, "verify", **EVERYTHING)
    (clean,) = reports(stack)
    assert clean["differences"] == 0

    key = next(key for key in keys(stack) if key.startswith("entries/"))
    lines = gzip.decompress(read(stack, key)).splitlines()
    row = json.loads(lines[0]) | {"durationMinutes": 1}
    forged = gzip.compress(b"\n".join([json.dumps(row).encode(), *lines[1:]]) + b"\n")
    stack.account.s3.put_object(Bucket=stack.outputs["LakeBucketName"], Key=key, Body=forged)
    command(stack, "verify", **EVERYTHING)
    found = [report for report in reports(stack) if report != clean]
    assert key in json.dumps(found)


def reports(stack: DeployedStack) -> list[dict[str, Any]]:
    return [
        json.loads(read(stack, key))
        for key in keys(stack)
        if key.startswith("reports/") and "through-" not in key
    ]
