"""The day's deletions, the operator's word, and entries that turn faulty."""

from datetime import timedelta

import pytest

from cpd_exporter.model.timestamps import format_instant
from cpd_exporter.worker.sweep import deletions
from simulator.entry_writer import FAULTY_SORTS, FaultySort
from tests.simulation import scenario as scenarios
from tests.simulation.duties import at_rest, entry_in, exported, rows, several_pages, tick
from tests.simulation.processes import Fate
from tests.simulation.runs import sweep
from tests.simulation.schedules import Doom
from tests.simulation.source import SourceChange


def test_the_day_s_deletions_are_those_of_all_sweeps_and_a_new_day_frees_none() -> None:
    schedule = at_rest(several_pages())
    simulation = schedule.simulation
    for nth in (0, 6):
        simulation.source.delete(entry_in(schedule, nth))
    for _ in range(4):
        sweep(schedule)
    assert len(rows(simulation, "deleted")) == 1
    for _ in range(3):
        simulation.now += timedelta(days=1)
        sweep(schedule)
    assert len(rows(simulation, "deleted")) == 1


def test_two_sweeps_that_publish_deletions_at_once() -> None:
    schedule = at_rest(several_pages())
    simulation = schedule.simulation
    for nth in (0, 6):
        simulation.source.delete(entry_in(schedule, nth))
    sweep(schedule)
    start = format_instant(exported(simulation).start)
    simulation.finish(simulation.command({"command": "sweep", "from": start}))
    tick(simulation)
    workers = [simulation.deliver(message) for message in list(simulation.messages)]
    for worker in workers:
        while worker.call is not None and worker.call.name != "timeline.commit":
            simulation.resume(worker)
    for worker in workers:
        simulation.finish(worker)
    schedule.come_to_rest()
    assert len(rows(simulation, "deleted")) == 1


@pytest.mark.parametrize("fault", [Fate.DIE_AFTER, Fate.LOSE_ANSWER])
@pytest.mark.parametrize("call", ["timeline.commit", "lake.put_new"])
def test_a_sweep_that_is_done_again_counts_its_deletions_once(call: str, fault: Fate) -> None:
    schedule = at_rest(several_pages())
    schedule.simulation.source.delete(entry_in(schedule, 0))
    sweep(schedule)
    schedule.doom = Doom(call, fault, 1, by="worker")
    sweep(schedule)
    assert len(rows(schedule.simulation, "deleted")) == 1


def test_the_operator_s_word_holds_until_it_is_carried_out() -> None:
    schedule = at_rest(scenarios.guarded())
    simulation = schedule.simulation
    for nth in (0, 4, 6):
        simulation.source.delete(entry_in(schedule, nth))
    for _ in range(3):
        sweep(schedule)
    assert not rows(simulation, "deleted")
    simulation.api.knows_nobody = True
    schedule.command({"command": "confirm-deletions"})
    for _ in range(2):
        sweep(schedule)
    simulation.api.knows_nobody = False
    sweep(schedule)
    assert len(rows(simulation, "deleted")) == 3


def test_what_is_confirmed_is_published_without_another_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    schedule = at_rest(scenarios.guarded())
    simulation = schedule.simulation
    for nth in (0, 4, 6):
        simulation.source.delete(entry_in(schedule, nth))
    for _ in range(3):
        sweep(schedule)
    monkeypatch.setattr(deletions, "MAX_LOOK_UPS", 2)
    schedule.command({"command": "confirm-deletions"})
    assert len(rows(simulation, "deleted")) == 3


def test_who_cannot_be_looked_up_holds_up_nobody_else() -> None:
    schedule = at_rest(scenarios.anchored())
    simulation = schedule.simulation
    simulation.source.delete(entry_in(schedule, 0))
    sweep(schedule)
    simulation.api.finds_by_id = False
    simulation.source.change(SourceChange.BACK_DATE, exported(simulation))
    sweep(schedule)
    assert len(rows(simulation, "created")) == 4
    assert not rows(simulation, "deleted")


@pytest.mark.parametrize("sort", FAULTY_SORTS)
def test_an_entry_that_turns_faulty_is_kept_and_not_deleted(sort: FaultySort) -> None:
    schedule = at_rest(scenarios.anchored())
    simulation = schedule.simulation
    entry_id = entry_in(schedule, 0)
    simulation.source.spoil(entry_id, sort)
    for _ in range(4):
        sweep(schedule)
    assert not rows(simulation, "deleted")
    if sort in ("missing-field", "wrong-type", "bad-date"):  # its ID can be read
        assert all(
            entry_id not in page.missing for page in simulation.timeline.stored_pages.values()
        )
