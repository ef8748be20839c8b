"""The quick version of the proof: every kind of trial, each judged by the oracle."""

import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice

import pytest

from tests.simulation import trials
from tests.simulation.scenario import SCENARIOS
from tests.simulation.trials import Trial


def run_all(some: Iterator[Trial]) -> int:
    """How many there were; raises where one fails, and says how to see it again."""
    return sum(trial.run().ticks > 0 for trial in some)


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_undisturbed_the_export_is_exact(scenario: str) -> None:
    assert trials.undisturbed(scenario).run().repeated_events == 0


def test_a_broken_filter_stops_everything_loudly() -> None:
    assert run_all(trials.blind_trials()) == 4


def test_a_lost_timeline_is_made_anew_beside_the_old_one() -> None:
    assert run_all(trials.reborn_trials(10)) == 10


@pytest.mark.parametrize("change", ["none", "edit", "move", "back-date"])
def test_every_third_fault_of_one_page(change: str) -> None:
    assert run_all(islice(trials.single_faults("one-page", change), 0, None, 3)) > 33


def test_every_single_fault_while_the_only_entry_is_deleted() -> None:
    assert run_all(trials.single_faults("lone", "delete")) > 100


def test_every_single_fault_of_a_split() -> None:
    assert run_all(islice(trials.single_faults("small", "replace"), 0, None, 4)) > 75


def test_every_single_fault_of_a_poisoned_stretch_sampled() -> None:
    assert run_all(islice(trials.single_faults("poisoned"), 0, None, 48)) > 12


def test_pairs_of_faults_sampled() -> None:
    assert run_all(trials.pairs_of_faults("one-page", "edit", one_in=480)) > 12


def test_a_worker_wakes_anywhere_in_what_others_do() -> None:
    assert run_all(trials.late_wakers("lone", "delete", call="lake.")) > 20


@pytest.mark.parametrize("scenario", ["dense", "unstable"])
def test_a_dense_second_that_changes_while_it_is_read(scenario: str) -> None:
    assert run_all(islice(trials.source_changes(scenario, "replace", 1), 0, None, 4)) > 7


def test_what_kills_its_workers_over_and_over_gets_well() -> None:
    assert run_all(trials.doomed_trials()) == 66


def test_every_sixth_fault_while_a_page_outgrows_its_response() -> None:
    assert run_all(islice(trials.single_faults("nearly-full", "back-date"), 0, None, 6)) > 16


def test_what_is_logged_by_a_clock_that_is_behind() -> None:
    assert run_all(trials.source_changes("behind", "insert", 0)) >= 3


def test_anything_at_random() -> None:
    assert run_all(trials.random_trials(0, 40)) == 40


def test_a_seed_decides_everything_in_any_process() -> None:
    traces = [
        subprocess.run(
            [sys.executable, "-m", "tests.simulation.replay", "random", "20262037"],
            env=os.environ
            | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("0", "1")
    ]
    assert len(set(traces)) == 1
    assert "at rest" in traces[0]
