"""The filter check: a sampled entry must be found by its second."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from cpd_exporter.errors import FilterError
from cpd_exporter.model.timestamps import SECOND
from cpd_exporter.source.filter_check import check_filter
from simulator.behaviour import InjectedFault
from simulator.source import EntryStore
from tests.support.fakes import FakeApi
from tests.support.samples import START
from tests.support.scripted_api import NOW, ScriptedApi, simulated


def check(api: FakeApi | ScriptedApi, slack: timedelta = SECOND) -> bool:
    return check_filter(api, slack, until=NOW)


def test_an_entry_that_is_found_by_its_second_passes_the_check() -> None:
    api = FakeApi(simulated(1))
    assert check(api)
    assert api.calls == 2


@pytest.mark.parametrize(
    "at", [None, datetime.fromisoformat("1969-12-31T00:00:00Z"), NOW, NOW + timedelta(days=9)]
)
def test_without_an_entry_of_the_time_nothing_is_checked(at: datetime | None) -> None:
    simulator = simulated(0)
    if at is not None:
        simulator.insert(at)
    assert not check(FakeApi(simulator))


@pytest.mark.parametrize(
    "switches",
    [
        {"faults": (InjectedFault(kind="nothing", after=1),)},
        {"filter_offset_seconds": 3600},
        {"filter_offset_seconds": -7200},
    ],
)
def test_a_filter_that_does_not_find_it_is_broken(switches: dict[str, object]) -> None:
    simulator = simulated(3, **switches)
    with pytest.raises(FilterError, match="FilterSlackSeconds"):
        check(FakeApi(simulator))


def test_a_filter_that_is_ignored_is_broken() -> None:
    simulator = simulated(1, faults=(InjectedFault(kind="ignore-filter"),))
    simulator.insert(START + timedelta(hours=3))
    with pytest.raises(FilterError):
        check(FakeApi(simulator))


def test_enough_slack_bridges_another_time_zone() -> None:
    assert check(FakeApi(simulated(3, filter_offset_seconds=7200)), timedelta(hours=2))


def test_a_full_response_may_leave_out_any_entry() -> None:
    """With much slack, or a small page cap, the second of an entry need not fit one response."""
    simulator = simulated(40, per_page_cap=3, order="descending")
    for minute in range(40):
        simulator.insert(START + minute * timedelta(minutes=1))
    assert check(FakeApi(simulator), timedelta(hours=14))


@pytest.mark.parametrize("spoil", ["delete", "move"])
def test_an_entry_that_went_meanwhile_says_nothing_against_the_filter(spoil: str) -> None:
    simulator = simulated(1)
    entry = next(iter(simulator.store))

    def change(store: EntryStore) -> Callable[[object], None]:
        def once(_: object) -> None:
            simulator.after_call = lambda _: None
            if spoil == "delete":
                store.delete(entry.log_entry_id)
            else:
                store.move(entry.log_entry_id, START + timedelta(hours=5))

        return once

    simulator.after_call = change(simulator.store)
    assert check(FakeApi(simulator)) is (spoil == "move")
