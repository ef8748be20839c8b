"""A second with more entries than one response holds is the union of its readings."""

import pytest

from cpd_exporter.errors import InconsistentListingError
from cpd_exporter.model.entry import read_entry
from cpd_exporter.source.window_reader import Overflow, Reading, read_window
from simulator.behaviour import ScheduledChange
from simulator.simulator import Simulator
from tests.support.fakes import FakeApi
from tests.support.samples import window
from tests.support.scripted_api import simulated


def dense(simulator: Simulator) -> set[str]:
    reading = read_window(FakeApi(simulator), window(1), may_split=False)
    assert isinstance(reading, Reading)
    assert len({entry.id for entry in reading.entries}) == len(reading.entries)
    return {entry.id for entry in reading.entries}


@pytest.mark.parametrize(
    "switches",
    [
        {"per_page_cap": 7},
        {"per_page_cap": 1},
        {"per_page_cap": 10},  # the last page is full
        {"per_page_cap": 7, "shuffle": "all"},
        {"per_page_cap": 7, "shuffle": "all", "shuffle_by": "per-page"},
        {"per_page_cap": 20, "shuffle": "all", "shuffle_by": "page"},
    ],
)
def test_a_dense_second_is_the_union_of_its_readings(switches: dict[str, object]) -> None:
    simulator = simulated(50, **switches)
    assert dense(simulator) == {entry.log_entry_id for entry in simulator.store}


@pytest.mark.parametrize("kind", ["delete", "edit", "back-date"])
def test_a_dense_second_that_changes_meanwhile_is_read_as_it_ends(kind: str) -> None:
    changes = (ScheduledChange.model_validate({"kind": kind, "every": 2, "times": 5}),)
    simulator = simulated(60, per_page_cap=13, shuffle="all", changes=changes)
    found = dense(simulator)
    assert found == {
        entry.log_entry_id
        for entry in simulator.store
        if window(1).start <= read_entry(entry.text.encode()).date < window(1).end  # type: ignore[operator]
    }
    assert len(simulator.store.history) >= 65


@pytest.mark.parametrize("order", [{}, {"shuffle": "all"}])
@pytest.mark.parametrize(
    "total",
    [
        {"totals_factor": 1.5},
        {"totals_factor": 0.5},
        {"totals_factor": 0},
        {"totals_extra": -2},  # as many as four full pages hold
        {"totals_extra": -1},
        {"totals_extra": 1},
    ],
)
def test_a_dense_second_whose_total_is_wrong_is_refused(
    order: dict[str, str], total: dict[str, float]
) -> None:
    with pytest.raises(InconsistentListingError, match="total"):
        dense(simulated(30, per_page_cap=7, **order, **total))


def test_what_may_be_split_is_not_read_as_dense() -> None:
    api = FakeApi(simulated(50, per_page_cap=7))
    answer = read_window(api, window(1), may_split=True)
    assert answer == Overflow(total=50, per_page=7)
    assert api.calls == 1
