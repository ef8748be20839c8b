"""The quick version of the proof for sweeps and commands."""

from itertools import islice

import pytest

from tests.simulation import trials
from tests.simulation.source import SourceChange
from tests.simulation.test_trials import run_all
from tests.simulation.trials import Trial


@pytest.mark.parametrize("change", ["none", *SourceChange])
@pytest.mark.parametrize("scenario", ["anchored", "parted", "brimful"])
def test_sweeps_find_what_others_changed_and_then_find_nothing(scenario: str, change: str) -> None:
    assert Trial("swept", (scenario, change, "1", "-")).run().ticks > 0


def test_every_single_fault_of_a_sweep_sampled() -> None:
    assert run_all(islice(trials.swept_faults("anchored", "edit", 1), 0, None, 32)) > 10


def test_every_third_fault_of_a_sweep_s_put_while_it_outgrows_its_response() -> None:
    faults = trials.swept_faults("brimful", "back-date", call="lake.put_new")
    assert run_all(islice(faults, 0, None, 3)) > 3


def test_every_single_fault_of_a_backfill_sampled() -> None:
    assert run_all(islice(trials.backfill_faults("edit"), 0, None, 6)) > 25


def test_a_sweep_amid_a_sweep() -> None:
    assert Trial("overlapping", ()).run().ticks > 0


def test_nonsense_for_hours_is_no_deletion() -> None:
    assert run_all(trials.lied_to_trials()) == 10


def test_a_mass_deletion_waits_for_the_operator_s_word() -> None:
    assert run_all(trials.held_trials(3)) == 3


def test_an_entry_that_goes_away_and_comes_back() -> None:
    assert run_all(islice(trials.wandering_trials(), 0, None, 10)) == 7


def test_what_kills_a_sweep_s_workers_over_and_over() -> None:
    assert run_all(islice(trials.doomed_sweep_trials(), 0, None, 3)) == 7


def test_anything_at_random_with_commands() -> None:
    assert run_all(trials.operated_trials(0, 5)) == 5
