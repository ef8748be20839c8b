"""The crash table of the design, row by row. The oracle judges each run besides."""

import gzip
import json
from collections.abc import Sequence

import pytest

from tests.simulation.processes import Fate
from tests.simulation.runs import one_by_one
from tests.simulation.schedules import OneByOne, Run, Strike, Timing
from tests.simulation.simulation import Simulation


def point(schedule: OneByOne, name: str, nth: int = 0) -> int:
    """Where the nth call of this name is; of the last one where ``nth`` is -1."""
    return [at for at, (met, _) in enumerate(schedule.met) if met == name][nth]


def crash(
    scenario: str, name: str, fault: Strike, *, nth: int = 0, change: str = "none"
) -> tuple[Run, OneByOne]:
    """A run in which the nth call of this name meets a fault."""
    _, undisturbed = one_by_one(scenario, "none", "0", {})
    return one_by_one(scenario, change, "0", {point(undisturbed, name, nth): fault})


def descriptions(simulation: Simulation) -> set[str]:
    """What the rows in the lake say."""
    lines = [
        line
        for key, body in simulation.lake.objects.items()
        if key.startswith("entries/")
        for line in gzip.decompress(body).splitlines()
    ]
    return {json.loads(line)["description"] for line in lines}


def calls(simulation: Simulation, process: str) -> Sequence[str]:
    return [call for name, call, _ in simulation.trace if name == process]


def test_before_the_plan_is_written_nothing_happened() -> None:
    run, _ = crash("one-page", "timeline.append", Fate.DIE_BEFORE)
    appended = [name for name, call, fate in run.simulation.trace if call == "timeline.append"]
    assert appended[:2] == ["tick 1", "tick 2"]
    assert run.repeated_events == 0


@pytest.mark.parametrize("fate", [Fate.DIE_BEFORE, Fate.PARTLY])
def test_after_the_plan_before_or_amid_sending_the_next_tick_sends(fate: Fate) -> None:
    run, _ = crash("small", "queue.send", fate)
    senders = {name for name, call, _ in run.simulation.trace if call == "queue.send"}
    assert any(name.startswith("tick") for name in senders - {"tick 1"})
    assert run.repeated_events == 0


def test_between_writing_and_the_put_the_next_attempt_puts_what_it_sees() -> None:
    run, _ = crash("lone", "lake.put_new", Fate.DIE_BEFORE, change="edit")
    assert descriptions(run.simulation) == {"edit 1"}


def test_between_writing_and_the_put_a_late_put_loses() -> None:
    run, _ = crash("lone", "lake.put_new", Timing.PAUSE, change="edit")
    putters = [name for name, call, _ in run.simulation.trace if call == "lake.put_new"]
    assert len(putters) == 2
    assert putters[-1] == "worker 2"  # the sleeper, which came first and put last
    assert descriptions(run.simulation) == {"edit 1"}


@pytest.mark.parametrize("fate", [Fate.DIE_AFTER, Fate.LOSE_ANSWER])
def test_after_the_put_before_stored_what_is_there_counts(fate: Fate) -> None:
    run, _ = crash("lone", "lake.put_new", fate, change="edit")
    assert descriptions(run.simulation).isdisjoint({"edit 1"})
    assert run.repeated_events == 0


@pytest.mark.parametrize(
    ("call", "fate"),
    [
        ("topic.publish", Fate.PARTLY),
        ("topic.publish", Fate.DIE_AFTER),
        ("topic.publish", Fate.LOSE_ANSWER),
    ],
)
def test_amid_publishing_equal_events_come_again_of_one_page_at_most(call: str, fate: Fate) -> None:
    run, _ = crash("one-page", call, fate, change="edit")
    assert 1 <= run.repeated_events <= 2


def test_before_done_equal_events_come_again_of_one_page_at_most() -> None:
    run, _ = crash("one-page", "timeline.update", Fate.DIE_BEFORE, nth=-1, change="edit")
    assert run.repeated_events == 2


def test_after_done_redelivery_does_nothing() -> None:
    run, _ = crash("one-page", "timeline.update", Fate.DIE_AFTER, nth=-1, change="edit")
    again = [name for name, _, _ in run.simulation.trace if name.startswith("worker")][-1]
    assert again != "worker 2"
    assert calls(run.simulation, again) == ["timeline.page"]
    assert run.repeated_events == 0


@pytest.mark.parametrize("fault", [Fate.DIE_BEFORE, Fate.DIE_AFTER, Fate.LOSE_ANSWER, Timing.PAUSE])
def test_a_split_happened_or_did_not(fault: Strike) -> None:
    run, _ = crash("small", "timeline.commit", fault, change="replace")
    assert run.repeated_events == 0


@pytest.mark.parametrize("scenario", ["lone", "one-page"])
@pytest.mark.parametrize("change", ["edit", "delete"])
def test_asleep_anywhere_its_put_or_its_conditional_write_loses(scenario: str, change: str) -> None:
    _, undisturbed = one_by_one(scenario, "none", "0", {})
    first = point(undisturbed, "deliver") + 1
    for asleep in range(first, first + 8):
        run, _ = one_by_one(scenario, change, "0", {asleep: Timing.PAUSE})
        late = run.simulation.counts["outcome superseded"] + run.simulation.counts["outcome gone"]
        assert late == 1
