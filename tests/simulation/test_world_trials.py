"""The world around the interleavings: ties, lies, limits, settings, old work, and alarms."""

from collections.abc import Mapping
from datetime import datetime

import pytest

from cpd_exporter.planner.report import TickReport
from cpd_exporter.planner.status import tick_metrics
from tests.simulation import alarms, world_trials
from tests.simulation.invariants import Invariant, Violation
from tests.simulation.trials import Trial, read_trial


@pytest.mark.parametrize("trial", list(world_trials.tied_trials()), ids=str)
def test_two_rows_of_one_instant_are_settled_by_a_sweep(trial: Trial) -> None:
    assert trial.run().ticks > 0


@pytest.mark.parametrize("trial", list(world_trials.costly_trials()), ids=str)
def test_calls_take_time_and_services_have_limits(trial: Trial) -> None:
    assert trial.run().ticks > 0


@pytest.mark.parametrize("trial", list(world_trials.misled_trials())[::5], ids=str)
def test_an_api_that_lies_while_exporting_is_found_out(trial: Trial) -> None:
    assert trial.run().ticks > 0


@pytest.mark.parametrize("trial", list(world_trials.resettled_trials(6)), ids=str)
def test_settings_change_in_mid_run(trial: Trial) -> None:
    assert trial.run().ticks > 0


@pytest.mark.parametrize("trial", list(world_trials.self_changing_trials(2)), ids=str)
def test_a_member_that_changes_by_itself_makes_no_events(trial: Trial) -> None:
    assert trial.run().ticks > 0


@pytest.mark.parametrize("trial", list(world_trials.fresh_trials()), ids=str)
def test_new_entries_never_wait_behind_old_work(trial: Trial) -> None:
    assert trial.run().ticks > 0


@pytest.mark.parametrize("trial", list(world_trials.breaker_trials()), ids=str)
def test_deletions_count_once_and_unnamed_indexes_go(trial: Trial) -> None:
    assert trial.run().ticks > 0


# ── alarms ───────────────────────────────────────────────────────────────────────────────────────


def test_a_hole_without_a_metric_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarms, "tick_metrics", lambda *_: {"HoleAgeSeconds": 0})
    with pytest.raises(Violation) as caught:
        read_trial("loud poisoned").run()
    assert caught.value.invariant is Invariant.LOUD


def test_held_deletions_without_a_metric_are_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    def without_held(report: TickReport, now: datetime) -> Mapping[str, int]:
        return {name: n for name, n in tick_metrics(report, now).items() if name != "DeletionsHeld"}

    monkeypatch.setattr(alarms, "tick_metrics", without_held)
    with pytest.raises(Violation) as caught:
        read_trial("held 0").run()
    assert caught.value.invariant is Invariant.LOUD


def test_the_template_watches_the_metrics_of_losses() -> None:
    losses = {"HoleAgeSeconds", "TickFailed", "DeletionsHeld", "EntriesQuarantined", "WorkGivenUp"}
    assert losses <= alarms.watched_metrics()


def test_a_refusal_without_a_metric_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarms, "tick_metrics", lambda *_: {"HoleAgeSeconds": 0})
    with pytest.raises(Violation) as caught:
        read_trial("loud refused").run()
    assert caught.value.invariant is Invariant.LOUD
