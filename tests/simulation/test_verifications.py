"""What a verification finds."""

import gzip
import json
from typing import Any

import pytest
import simplejson

from cpd_exporter.model.message import PageMessage
from cpd_exporter.model.timestamps import format_instant
from tests.simulation import scenario as scenarios
from tests.simulation.duties import (
    HOUR,
    at_rest,
    entry_in,
    exported,
    last_rows,
    swept,
    tick,
)
from tests.simulation.schedules import OneByOne
from tests.simulation.source import SourceChange


def is_report(key: str) -> bool:
    return key.startswith("reports/") and "/through-" not in key


def verify(schedule: OneByOne) -> dict[str, Any]:
    simulation = schedule.simulation
    window = exported(simulation)
    before = set(simulation.lake.objects)
    span = {"from": format_instant(window.start), "to": format_instant(window.end)}
    schedule.command({"command": "verify", **span})
    [report] = [key for key in simulation.lake.objects.keys() - before if is_report(key)]
    found: dict[str, Any] = json.loads(simulation.lake.objects[report])
    return found


def test_a_sound_lake_is_found_to_be_clean() -> None:
    schedule = swept()
    report = verify(schedule)
    assert report["clean"], report
    assert report["entries"] == len(last_rows(schedule.simulation, exported(schedule.simulation)))


@pytest.mark.parametrize("hurried", [False, True])
@pytest.mark.parametrize("harm", ["gone", "spoilt", "another content"])
def test_harm_of_any_object_is_found(harm: str, hurried: bool) -> None:
    schedule = swept()
    simulation = schedule.simulation
    simulation.hurried = hurried
    uris = {uri for uri, _ in last_rows(simulation, exported(simulation))}
    for key in [key for key in simulation.lake.objects if simulation.lake.uri(key) in uris]:
        body = simulation.lake.objects[key]
        lines = gzip.decompress(body).splitlines()
        changed = [
            simplejson.dumps(simplejson.loads(line, use_decimal=True) | {"description": "!"})
            for line in lines
        ]
        bodies = {"gone": None, "spoilt": body[:-9], "another content": _zipped(changed)}
        simulation.lake.broken = {key: bodies[harm]}
        report = verify(schedule)
        simulation.now += HOUR
        assert not report["clean"]
        assert key in {damage["object"] for damage in report["damages"]}


def _zipped(lines: list[str]) -> bytes:
    return gzip.compress("".join(line + "\n" for line in lines).encode())


@pytest.mark.parametrize("minutes", [0, 10_000])
def test_minutes_that_differ_are_found(minutes: int) -> None:
    schedule = at_rest(scenarios.parted())
    store = schedule.simulation.source.store
    schedule.simulation.source.untouched.discard(entry_in(schedule, 3))
    store.edit(entry_in(schedule, 3), durationMinutes=minutes)
    report = verify(schedule)
    assert [finding["usersDiffering"] for finding in report["minutes"]] == [1]


def test_pages_that_are_not_done_are_named() -> None:
    schedule = at_rest(scenarios.parted())
    simulation = schedule.simulation
    simulation.source.change(SourceChange.INSERT)
    simulation.now += HOUR
    tick(simulation)
    [page] = simulation.undone
    span = {"from": format_instant(page.window.start), "to": format_instant(page.window.end)}
    simulation.finish(simulation.command({"command": "verify", **span}))
    tick(simulation)
    [job] = [m for m in simulation.messages if not isinstance(m.work, PageMessage)]
    simulation.finish(simulation.deliver(job))
    [report] = [key for key in simulation.lake.objects if is_report(key)]
    assert [f["from"] for f in json.loads(simulation.lake.objects[report])["unexported"]] == [
        span["from"]
    ]
