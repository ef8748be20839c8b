"""Real processes die on the real stack: nothing is lost, and every event has its stored row.

`CPD_ORDEAL_STRIKES` makes it longer, `CPD_ORDEAL_SEED` another one; `CPD_ORDEAL_REPORT` names a
file for its figures.
"""

import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest

from local.driver import invoke
from local.stack.deploy import DeployedStack, deployed
from simulator import Profile, Simulator, StoredEntry, running, seeded
from tests.e2e.ordeal import FAIR, WEATHERS, Ordeal, hurry, listening, pages
from tests.e2e.test_export import OWN, parse, read_rows
from tests.e2e.test_sweeps import reports
from tests.support.pace import patience

STRIKES = int(os.environ.get("CPD_ORDEAL_STRIKES", "6"))
SEED = int(os.environ.get("CPD_ORDEAL_SEED", "1"))
ENTRIES = 1000

pytestmark = pytest.mark.timeout(300 + 15 * STRIKES)


@dataclass(frozen=True)
class OrdealOutcome:
    """What is left when all came to rest. Rows are by the lake key that holds them."""

    stack: DeployedStack
    simulator: Simulator
    seeded: tuple[StoredEntry, ...]
    rows: dict[str, list[dict[str, Any]]]
    bodies: dict[str, set[str]]
    figures: dict[str, Any]

    @property
    def stored(self) -> list[tuple[str, dict[str, Any]]]:
        return [(key, row) for key, rows in self.rows.items() for row in rows]


@pytest.fixture(scope="module")
def simulator() -> Simulator:
    end = datetime.now(UTC) - timedelta(days=1)
    start = end - timedelta(days=100)
    profile = Profile(first=start, end=end, entries=ENTRIES, seed=SEED, burst=320, extras=0.2)
    return Simulator(seeded(profile), FAIR, seed=SEED)


@pytest.fixture(scope="module")
def stack(simulator: Simulator) -> Iterator[DeployedStack]:
    first = min(entry.at_ms for entry in simulator.store) / 1000
    with running(simulator) as url:
        parameters = {
            "ApiUrl": url,
            "Authentication": "oauth2",
            "ScheduleState": "DISABLED",
            "FirstDate": f"{datetime.fromtimestamp(first, UTC):%Y-%m-%d}",
            "SettleSeconds": "1",
            "DeletionDelaySeconds": "0",
        }
        with deployed(parameters, say=print) as stack:
            accepted = simulator.credentials
            stack.put_secret(
                {
                    "tenantId": accepted.tenant_id,
                    "clientId": accepted.client_id,
                    "clientSecret": accepted.client_secret,
                }
            )
            hurry(stack)
            yield stack


@pytest.fixture(scope="module")
def outcome(stack: DeployedStack, simulator: Simulator) -> OrdealOutcome:
    """The ordeal, and then two sweeps of everything.

    They publish the changes behind the export; the second one publishes the deletions.
    """
    initial = tuple(simulator.store)
    with listening(stack) as witness:
        ordeal = Ordeal(stack, simulator, witness, seed=SEED, strikes=STRIKES)
        begun = time.monotonic()
        ordeal.endure()
        endured = time.monotonic()
        ticks = ordeal.come_to_rest()
        rested = time.monotonic()
        for _ in range(2):
            invoke(stack, {"command": "sweep", "lookback": "P200D"})
            ordeal.come_to_rest()
    faults = Counter(
        fault if fault != "status" else str(call.status)
        for call in simulator.calls
        for fault in call.faults
    )
    rows = read_rows(stack)
    figures = {
        "seed": SEED,
        "struck": dict(ordeal.striker.struck),
        "killedAtWork": ordeal.deaths_at_work(),
        "ticks": dict(ordeal.ticks),
        "messages": dict(ordeal.thief.thefts),
        "weathers": len(WEATHERS),
        "faults": dict(faults),
        "changes": dict(Counter(written.kind for written in simulator.store.history)),
        "calls": simulator.count(),
        "objects": len(rows),
        "rows": sum(map(len, rows.values())),
        "events": witness.times.total(),
        "repeatedEvents": witness.times.total() - len(witness.times),
        "mostRepeated": max(witness.times.values()),
        "secondsOfOrdeal": round(endured - begun),
        "holesRedriven": len(ordeal.redriven),
        "ticksToRest": ticks,
        "secondsToRest": round(rested - endured),
    }
    if path := os.environ.get("CPD_ORDEAL_REPORT"):
        Path(path).write_text(json.dumps(figures, indent=2) + "\n")
    return OrdealOutcome(stack, simulator, initial, rows, witness.bodies, figures)


def content(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in OWN}


def rows_by_entry(outcome: OrdealOutcome) -> dict[str, list[tuple[str, dict[str, Any]]]]:
    """Each entry's rows and their keys, in the order in which they were stored."""
    published: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for key, row in sorted(outcome.stored, key=lambda stored: stored[1]["exportedAt"]):
        published.setdefault(row["logEntryId"], []).append((key, row))
    return published


def is_departure(key: str, row: dict[str, Any]) -> bool:
    """Whether a window stored here that the entry left it, with the version of another window."""
    bounds = key.rpartition("/")[2].split("_")[:2]
    start, end = (datetime.strptime(f"{bound}+0000", "%Y%m%dT%H%M%SZ%z") for bound in bounds)
    return not start <= datetime.fromisoformat(row["entryDate"]) < end


def version(row: dict[str, Any]) -> tuple[str, bool]:
    return row["fingerprint"], row["change"] == "deleted"


def test_it_was_an_ordeal(outcome: OrdealOutcome) -> None:
    figures = outcome.figures
    assert figures["killedAtWork"] + figures["ticks"]["died"] >= STRIKES // 4
    # Few blows may all miss publishing; test_export has one that cannot.
    assert figures["repeatedEvents"] > 0 or STRIKES < 20
    kinds = {fault.kind for weather in WEATHERS for fault in weather.faults} - {"status"}
    assert figures["faults"].keys() >= kinds | {"302", "401", "403", "429", "500", "503"}
    assert len(figures["messages"]) == 4


def test_the_lake_ends_with_what_the_api_has(outcome: OrdealOutcome) -> None:
    latest = {id_: published[-1][1] for id_, published in rows_by_entry(outcome).items()}
    present = {id_: content(row) for id_, row in latest.items() if row["change"] != "deleted"}
    assert present == {entry.log_entry_id: entry.value for entry in outcome.simulator.store}


def test_no_version_is_stored_twice_and_none_that_never_was(outcome: OrdealOutcome) -> None:
    versions = {(entry.log_entry_id, entry.text) for entry in outcome.seeded}
    for written in outcome.simulator.store.history:
        if written.after:
            versions.add((written.after.log_entry_id, written.after.text))
    contents = {(id_, json.dumps(parse(text), default=str)) for id_, text in versions}
    for published in rows_by_entry(outcome).values():
        own = [(key, row) for key, row in published if not is_departure(key, row)]
        # Where a worker slept while its entry moved, the latest version is published again.
        for (key, earlier), (later_key, later) in pairwise(own):
            assert version(earlier) != version(later), (key, earlier, later_key, later)
    for _, row in outcome.stored:
        assert (row["logEntryId"], json.dumps(content(row), default=str)) in contents


def test_every_row_is_published_by_events_that_are_equal_byte_for_byte(
    outcome: OrdealOutcome,
) -> None:
    assert {id_ for id_, bodies in outcome.bodies.items() if len(bodies) > 1} == set()
    events = [parse(body) for bodies in outcome.bodies.values() for body in bodies]
    bucket = outcome.stack.outputs["LakeBucketName"]
    published = {(event["data"]["lakeUri"], event["subject"]): event for event in events}
    rows = {(f"s3://{bucket}/{key}", row["logEntryId"]): row for key, row in outcome.stored}
    assert published.keys() == rows.keys()
    assert len(events) == len(published)
    for place, event in published.items():
        row = rows[place]
        assert event["type"] == f"cpd.entry.{row['change']}"
        assert event["time"] == row["exportedAt"]
        assert event["data"]["fingerprint"] == row["fingerprint"]
        assert event["data"]["entry"] == content(row)


def test_the_timeline_tiles_and_all_of_it_is_done(outcome: OrdealOutcome) -> None:
    timeline = pages(outcome.stack)
    for page, following in pairwise(timeline):
        assert page["end"] == following["start"]
    assert {page["state"]["S"] for page in timeline} == {"done"}
    assert not any("holeSince" in page for page in timeline)
    (status,) = invoke(outcome.stack, {"command": "status"})["tenants"]
    assert status["holes"] == []


def test_a_verification_finds_no_difference(outcome: OrdealOutcome) -> None:
    stack, deadline = outcome.stack, time.monotonic() + patience(60)
    start, end = (
        page[at]["S"]
        for page, at in zip(itemgetter(0, -1)(pages(stack)), ("start", "end"), strict=True)
    )
    invoke(stack, {"command": "verify", "from": start, "to": end})
    while not (found := reports(stack)):
        assert time.monotonic() < deadline, "timed out: there is no report"
        time.sleep(1)
        invoke(stack, {"command": "export"})
    assert [report["differences"] for report in found] == [0]
