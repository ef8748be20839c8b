"""What a replay publishes: the last row of each entry, whatever goes wrong."""

import json
from collections.abc import Mapping
from itertools import islice
from typing import Any

import pytest

from cpd_exporter.model.event import Event
from cpd_exporter.model.timestamps import format_instant
from cpd_exporter.model.window import Window
from tests.simulation import trials
from tests.simulation.duties import SECOND, at_rest, crowd, exported, last_rows, swept, tick
from tests.simulation.processes import Fate
from tests.simulation.scenario import MONTH
from tests.simulation.schedules import OneByOne, Strike, faults_met
from tests.simulation.simulation import REPLAY_QUEUE


def places(events: list[Event]) -> set[tuple[str, str]]:
    bodies = [json.loads(event.body) for event in events]
    return {(body["data"]["lakeUri"], body["subject"]) for body in bodies}


def replayed(
    queue_arn: str | None, whole: bool, faults: Mapping[int, Strike]
) -> tuple[OneByOne, int]:
    schedule = swept()
    simulation = schedule.simulation
    window = exported(simulation) if whole else Window(MONTH + 3 * SECOND, MONTH + 202 * SECOND)
    expected = last_rows(simulation, window)
    assert len(expected) > 1
    before = list(simulation.topic.published)
    command: dict[str, Any] = {"command": "replay"}
    command |= {"from": format_instant(window.start), "to": format_instant(window.end)}
    command |= {"queueArn": queue_arn} if queue_arn else {"subscribers": "all"}
    schedule.run(simulation.command(command))
    begun = len(schedule.met)
    schedule.faults = {begun + point: fault for point, fault in faults.items()}
    schedule.come_to_rest()
    to_all = simulation.topic.published[len(before) :]
    to_one = simulation.replay_queue.delivered[REPLAY_QUEUE]
    got, other = (to_one, to_all) if queue_arn else (to_all, to_one)
    assert places(got) == expected
    assert not other
    assert {event.id: event for event in got}.items() <= {e.id: e for e in before}.items()
    return schedule, begun


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("queue_arn", [None, REPLAY_QUEUE])
def test_a_replay_publishes_the_last_row_of_each_entry_and_nothing_else(
    queue_arn: str | None, whole: bool
) -> None:
    replayed(queue_arn, whole, {})


@pytest.mark.parametrize("queue_arn", [None, REPLAY_QUEUE])
def test_every_single_fault_of_a_replay_sampled(queue_arn: str | None) -> None:
    schedule, begun = replayed(queue_arn, True, {})
    for point, fault in islice(faults_met(schedule.met, begun), 0, None, 44):
        replayed(queue_arn, True, {point - begun: fault})


def test_a_replay_of_many_messages() -> None:
    schedule = at_rest(crowd(origin=MONTH))
    simulation = schedule.simulation
    simulation.hurried = True
    window = exported(simulation)
    published = len(simulation.topic.published)
    span = {"from": format_instant(window.start), "to": format_instant(window.end)}
    schedule.command({"command": "replay", "subscribers": "all", **span})
    assert places(simulation.topic.published[published:]) == last_rows(simulation, window)


def test_a_replay_whose_message_is_lost() -> None:
    simulation = swept().simulation
    window = exported(simulation)
    published = len(simulation.topic.published)
    span = {"from": format_instant(window.start), "to": format_instant(window.end)}
    simulation.finish(simulation.command({"command": "replay", "subscribers": "all", **span}))
    tick(simulation)
    simulation.messages.clear()
    OneByOne(simulation).come_to_rest()
    assert places(simulation.topic.published[published:]) == last_rows(simulation, window)


def test_every_fault_of_a_replay_s_own_writes() -> None:
    schedule, begun = replayed(None, True, {})
    for point, fault in faults_met(schedule.met, begun):
        if schedule.met[point][0] == "topic.publish" and isinstance(fault, Fate):
            replayed(None, True, {point - begun: fault})


def test_who_wakes_late_puts_other_rows_at_the_key_just_before_another_does() -> None:
    for trial in trials.late_wakers("lone", "edit", call="lake."):
        trial.run()
