"""The simulated sums: the documented rules, and the switches for what is not."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from simulator import Behaviour, Query, Refused, Simulator
from simulator.behaviour import InjectedFault
from simulator.minutes import SummaryQuery
from simulator.source import EntryStore

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def simulator(behaviour: Behaviour | None = None) -> Simulator:
    made = Simulator(EntryStore(), behaviour, clock=lambda: START)
    for user, minutes, offset in (
        ("a", 1, timedelta(0)),
        ("a", 2, timedelta(hours=1)),
        ("b", 4, timedelta(hours=2)),
        ("c", 8, DAY),
        ("a", 16, DAY + timedelta(milliseconds=500)),
    ):
        made.insert(START + offset, userId=user, durationMinutes=minutes)
    return made


def asked(**more: Any) -> SummaryQuery:
    return SummaryQuery(
        Query(
            more.get("page", 1),
            more.get("per_page", 1000),
            more.get("start", START),
            more.get("end", START + DAY),
        ),
        more.get("user_ids", frozenset()),
    )


@pytest.mark.parametrize(
    ("switches", "sums"),
    [
        ({}, {"a": 2, "b": 4}),
        ({"from_inclusive": True}, {"a": 3, "b": 4}),
        ({"to_inclusive": True}, {"a": 2, "b": 4, "c": 8}),
        ({"to_inclusive": True, "precision": "second"}, {"a": 18, "b": 4, "c": 8}),
        ({"from_inclusive": True, "filter_offset_seconds": -86_400}, {"c": 8, "a": 16}),
    ],
)
def test_bounds_are_those_of_listings(switches: dict[str, Any], sums: dict[str, int]) -> None:
    assert dict(simulator(Behaviour(**switches)).summarise(asked()).records) == sums


def test_pages_and_totals() -> None:
    service = simulator(Behaviour(to_inclusive=True, totals_extra=2))
    first, second = (service.summarise(asked(page=page, per_page=2)) for page in (1, 2))
    assert [user for user, _ in first.records + second.records] == ["a", "b", "c"]
    assert (first.total_results, first.per_page) == (5, 2)


def test_some_users_only() -> None:
    assert simulator().summarise(asked(user_ids=frozenset("b"))).records == (("b", 4),)


def test_entries_that_cannot_be_summed_up_count_for_nobody() -> None:
    service = simulator()
    service.insert(START + timedelta(hours=3), userId=5)
    service.insert(START + timedelta(hours=3), userId="b", durationMinutes="many")
    assert dict(service.summarise(asked()).records) == {"a": 2, "b": 4}


def test_a_fault_that_finds_nothing() -> None:
    service = simulator(Behaviour(faults=(InjectedFault(kind="nothing", on="summaries"),)))
    assert service.summarise(asked()).records == ()
    assert service.count("summaries") == 1


DATES = {"entryDateFrom": "2026-01-01T00:00:00", "entryDateTo": "2026-01-02T00:00:00"}


def test_a_query_string_is_read() -> None:
    read = SummaryQuery.parse(DATES | {"page": "2", "perPage": "5", "userIds": "a,b"})
    assert read == asked(page=2, per_page=5, user_ids=frozenset("ab"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"entryDateFrom": None},
        {"entryDateTo": None},
        {"entryDateFrom": "2026-01-01 00:00:00"},
        {"entryDateTo": "2026-01-02"},
        {"perPage": "0"},
        {"page": "x"},
    ],
)
def test_what_is_not_documented_is_refused(wrong: dict[str, str | None]) -> None:
    parameters = {name: value for name, value in (DATES | wrong).items() if value is not None}
    with pytest.raises(Refused) as refused:
        SummaryQuery.parse(parameters)
    assert refused.value.status == 400
