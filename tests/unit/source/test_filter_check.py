"""The filter check: a sampled entry must be found by its second."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from cpd_exporter.errors import TransientError
from cpd_exporter.source.filter_check import FilterCheck, check_filter
from simulator.behaviour import InjectedFault
from simulator.source import EntryStore
from tests.support.fakes import FakeApi
from tests.support.samples import START
from tests.support.scripted_api import NOW, ScriptedApi, simulated


def check(api: FakeApi | ScriptedApi) -> FilterCheck:
    return check_filter(api, [[None]], until=NOW)


def test_an_entry_that_is_found_by_its_second_passes_the_check() -> None:
    api = FakeApi(simulated(1))
    assert check(api).is_complete
    assert api.calls == 2


@pytest.mark.parametrize(
    "at", [None, datetime.fromisoformat("1969-12-31T00:00:00Z"), NOW, NOW + timedelta(days=9)]
)
def test_without_an_entry_of_the_time_nothing_is_checked(at: datetime | None) -> None:
    simulator = simulated(0)
    if at is not None:
        simulator.insert(at)
    assert check(FakeApi(simulator)) == FilterCheck(is_complete=False)


@pytest.mark.parametrize(
    "switches",
    [
        {"faults": (InjectedFault(kind="nothing", after=1),)},
        {"filter_offset_seconds": 3600},
        {"filter_offset_seconds": -7200},
    ],
)
def test_a_filter_that_does_not_find_it_is_broken(switches: dict[str, object]) -> None:
    result = check(FakeApi(simulated(3, **switches)))
    assert not result.is_complete
    assert "does not list it" in result.contradiction


def test_a_filter_that_is_ignored_is_broken() -> None:
    simulator = simulated(1, faults=(InjectedFault(kind="ignore-filter"),))
    simulator.insert(START + timedelta(hours=3))
    assert "lists others" in check(FakeApi(simulator)).contradiction


def test_a_full_response_may_leave_out_any_entry() -> None:
    """With a small page cap, the second of an entry need not fit one response."""
    assert check(FakeApi(simulated(40, per_page_cap=3, order="descending"))).is_complete


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
    result = check(FakeApi(simulator))
    assert not result.contradicting
    assert result.is_complete is (spoil == "move")


def checked_before_an_outage(answers: int) -> FilterCheck:
    outage = InjectedFault(kind="status", status=503, after=answers)
    return check_filter(FakeApi(simulated(1, faults=(outage,))), [[None, None]], until=NOW)


def test_an_outage_after_an_answer_is_a_warning() -> None:
    result = checked_before_an_outage(answers=1)
    assert not result.is_complete
    assert "503" in str(result.warning)


def test_an_outage_from_the_start_is_an_error() -> None:
    with pytest.raises(TransientError, match="503"):
        checked_before_an_outage(answers=0)
