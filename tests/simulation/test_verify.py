"""A verification as a job: clean after an export, paused, resumed and given up."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from cpd_exporter.errors import PermanentError, TransientError
from cpd_exporter.model.message import JobMessage
from cpd_exporter.worker.context import Outcome
from simulator.behaviour import Behaviour, InjectedFault
from tests.support.verifications import (
    entry_of,
    exported,
    page_of,
    read,
    request_verification,
    swept,
    tamper,
    verified,
)
from tests.support.world import TENANT


@pytest.mark.parametrize("from_inclusive", [False, True])
@pytest.mark.parametrize("to_inclusive", [False, True])
@pytest.mark.parametrize("precision", ["second", "millisecond"])
def test_it_is_clean_after_an_export_whatever_the_bounds_are(
    from_inclusive: bool, to_inclusive: bool, precision: str
) -> None:
    behaviour = Behaviour.model_validate(
        {"from_inclusive": from_inclusive, "to_inclusive": to_inclusive, "precision": precision}
    )
    world = exported(60, behaviour=behaviour)
    # Entries on the very bounds of every page, and a little within.
    for page in world.pages[:-1]:
        for seconds in (0.0, 0.5, 1.0, 1.5, 2.0):
            world.simulator.insert(page.window.start + timedelta(seconds=seconds))
            world.simulator.insert(page.window.end - timedelta(seconds=seconds + 0.001))
    swept(world)
    stop: Iterator[bool] = iter([False] * 1000)
    message = request_verification(world)
    while (report := world.worker.handle(message, has_time_left=lambda: next(stop))).report is None:
        assert report.outcome is Outcome.PAUSED
        world.now += timedelta(seconds=1)
    assert read(world, report)["clean"]


def test_it_is_clean_after_sweeps_that_published_changes() -> None:
    world = exported()
    for number in range(0, 150, 10):
        world.store.edit(entry_of(world, number).log_entry_id, durationMinutes=7)
    world.store.delete(entry_of(world, 81).log_entry_id)
    for _ in range(3):
        swept(world)
    assert verified(world)["clean"]


def test_pages_that_are_not_done_are_named_and_not_compared() -> None:
    world = exported(100)
    world.simulator.insert(world.now - timedelta(minutes=10))
    world.planner.tick()
    span = {"from": "2026-01-01T00:00:00Z", "to": "2027-01-01T00:00:00Z"}
    name = world.command({"command": "verify", **span})["requested"]
    report = read(world, world.worker.handle(JobMessage(tenant_id=TENANT, name=name)))
    assert report["clean"]
    assert report["entries"] == 100
    assert [page["state"] for page in report["unexported"]] == ["open"]


def test_an_outage_is_waited_out() -> None:
    world = exported()
    message = request_verification(world)
    world.simulator.behave(faults=(InjectedFault(on="summaries", status=503, after=1, times=1),))
    with pytest.raises(TransientError):
        world.worker.handle(message)
    [request] = world.timeline.jobs()
    assert request.attempts == 0
    assert request.cursor == datetime(2026, 2, 1, tzinfo=UTC)
    world.now += timedelta(minutes=2)
    assert read(world, world.worker.handle(message))["clean"]


def test_a_worker_that_stops_at_each_page_comes_to_the_same_report() -> None:
    world = exported()
    tamper(world, page_of(world, entry_of(world)), description="other")
    deleted = page_of(world, entry_of(world, 120))
    assert deleted.object is not None
    del world.lake.objects[deleted.object]
    message = request_verification(world)
    legs = 0
    while True:
        report = world.worker.handle(message, has_time_left=lambda: False)
        if report.outcome is not Outcome.PAUSED:
            break
        legs += 1
    in_legs = read(world, report)
    world.now += timedelta(minutes=1)
    at_once = verified(world)
    assert legs > 10
    assert in_legs["damages"] == at_once["damages"]
    assert in_legs["entries"] == at_once["entries"]
    windows = [window for found in in_legs["minutes"] for window in found["sweep"]]
    assert windows == [window for found in at_once["minutes"] for window in found["sweep"]]


def test_a_crash_before_the_end_leaves_one_report() -> None:
    world = exported()
    message = request_verification(world)
    put_new = world.lake.put_new

    def dying(key: str, body: bytes) -> bool:
        put_new(key, body)
        if "through" not in key:
            raise KeyboardInterrupt
        return True

    world.lake.put_new = dying  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        world.worker.handle(message)
    world.lake.put_new = put_new  # type: ignore[method-assign]
    world.now += timedelta(minutes=3)
    report = read(world, world.worker.handle(message))
    assert report["clean"]
    assert report["entries"] > 130
    finals = [key for key in world.lake.objects if "verify-" in key and "through" not in key]
    assert len(finals) == 1


def test_findings_that_were_deleted_end_the_request() -> None:
    world = exported()
    message = request_verification(world)
    world.worker.handle(message, has_time_left=lambda: False)
    for key in [key for key in world.lake.objects if key.startswith("reports/")]:
        del world.lake.objects[key]
    for _ in range(4):
        with pytest.raises(PermanentError, match="has no object reports/"):
            world.worker.handle(message)
    assert world.worker.handle(message).outcome is Outcome.GIVEN_UP
