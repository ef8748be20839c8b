"""Where an overflowing window is split: few calls if the API is sound, and always a tiling."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from random import Random
from typing import Any

import pytest

from cpd_exporter.errors import PermanentError, TransientError
from cpd_exporter.model.entry import Listing
from cpd_exporter.model.timestamps import SECOND
from cpd_exporter.model.window import Window
from cpd_exporter.source.response import MAX_PER_PAGE
from cpd_exporter.source.window_reader import Overflow, read_window
from cpd_exporter.source.window_splitter import MAX_SPLIT_PARTS, split_window
from simulator.behaviour import Behaviour, Order
from simulator.simulator import Simulator
from simulator.source import EntryStore
from tests.support.checkpoints import MemoryCheckpoint
from tests.support.fakes import FakeApi

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
DAY = timedelta(days=1)
WEEK = Window(MONDAY, MONDAY + 7 * DAY)


def office_hours(rng: Random) -> datetime:
    start = MONDAY + rng.randrange(5) * DAY + timedelta(hours=8)
    return start + rng.random() * timedelta(hours=10)


def imports(rng: Random) -> datetime:
    start = MONDAY + rng.choice([1.1, 4.7]) * DAY
    return start + rng.random() * timedelta(hours=1)


def evenly(rng: Random) -> datetime:
    return MONDAY + rng.random() * 7 * DAY


@cache
def _filled(count: int, date: Callable[[Random], datetime]) -> tuple[EntryStore, list[datetime]]:
    """A store with so many entries, and their dates; nobody changes it."""
    store = EntryStore()
    simulator = Simulator(store, clock=lambda: WEEK.end + DAY)
    rng = Random(7)
    dates = sorted(date(rng) for _ in range(count))
    for one in dates:
        simulator.insert(one)
    return store, dates


class CrowdedApi(FakeApi):
    """So many entries in a week; ``refused`` are offset pages that raise an error."""

    def __init__(
        self, count: int, date: Callable[[Random], datetime] = evenly, **switches: object
    ) -> None:
        store, self.dates = _filled(count, date)
        simulator = Simulator(store, clock=lambda: WEEK.end + DAY)
        simulator.behaviour = Behaviour.model_validate(switches)
        self.refused: dict[int, Exception] = {}
        super().__init__(simulator)

    def query(self, window: Window | None, *, page: int = 1, per_page: int = 1000) -> Listing:
        if page in self.refused:
            raise self.refused[page]
        return super().query(window, page=page, per_page=per_page)

    def rows(self, window: Window) -> int:
        """The rows of a window's query, with the slack."""
        return sum(one in window.widened(SECOND) for one in self.dates)


def split(api: CrowdedApi, window: Window = WEEK, **worker: Any) -> list[Window]:
    overflow = read_window(api, window, may_split=True)
    assert isinstance(overflow, Overflow)
    checkpoint = MemoryCheckpoint(**({"pages": 1000} | worker))
    parts = split_window(api, window, overflow, checkpoint)
    assert (parts[0].start, parts[-1].end) == (window.start, window.end)
    assert all(one.end == other.start for one, other in pairwise(parts))
    assert 2 <= len(parts) <= MAX_SPLIT_PARTS
    return parts


@pytest.mark.parametrize("order", ["ascending", "descending"])
@pytest.mark.parametrize(
    ("date", "most_parts", "most_calls"),
    [(evenly, 12, 1), (office_hours, 11, 6), (imports, 11, 6)],
)
def test_the_parts_of_a_sorted_listing_fit_and_cost_half_a_call_each(
    date: Callable[[Random], datetime], most_parts: int, most_calls: int, order: Order
) -> None:
    api = CrowdedApi(10_000, date, order=order)
    parts = split(api)
    assert max(map(api.rows, parts)) < MAX_PER_PAGE
    assert len(parts) <= most_parts
    assert api.calls <= most_calls


@pytest.mark.parametrize("date", [evenly, office_hours, imports])
def test_the_rows_of_a_listing_in_no_order_are_a_sample(
    date: Callable[[Random], datetime],
) -> None:
    api = CrowdedApi(10_000, date, shuffle="all")
    parts = split(api)
    assert sum(api.rows(part) >= MAX_PER_PAGE for part in parts) <= 1
    assert len(parts) <= 12
    assert api.calls == 1


def test_two_responses_are_split_at_a_row_that_was_seen() -> None:
    api = CrowdedApi(1_800, office_hours)
    assert [api.rows(part) for part in split(api)] == pytest.approx([900, 900], abs=5)
    assert api.calls == 1


def test_a_dense_second_is_a_part_of_its_own() -> None:
    instant = MONDAY + 3 * DAY
    api = CrowdedApi(3_000, lambda _: instant)
    assert Window(instant, instant + SECOND) in split(api)


def test_many_entries_a_second_leave_room_for_the_slack() -> None:
    api = CrowdedApi(4_000, lambda rng: MONDAY + DAY + rng.random() * timedelta(seconds=60))
    assert max(map(api.rows, split(api))) < MAX_PER_PAGE


@pytest.mark.parametrize("error", [PermanentError("400"), TransientError("503")])
def test_an_offset_page_that_fails_ends_the_survey_and_not_the_split(error: Exception) -> None:
    api = CrowdedApi(10_000, office_hours)
    api.refused = dict.fromkeys(range(2, 20), error)
    assert len(split(api)) > 2


@pytest.mark.parametrize("worker", [{"pages": 1}, {"is_due": True}])
def test_a_survey_ends_with_the_workers_time(worker: dict[str, Any]) -> None:
    """It saves nothing, so the split itself is its progress."""
    api = CrowdedApi(10_000, office_hours)
    split(api, **worker)
    assert api.calls == 1


@pytest.mark.parametrize(
    "switches",
    [
        {"totals_extra": 10**12},
        {"totals_factor": 30.0},
        {"per_page_cap": 50},
        {"per_page_cap": 1},
        {"shuffle": "all", "shuffle_by": "page"},
    ],
    ids=str,
)
def test_an_api_that_lies_costs_few_calls(switches: dict[str, object]) -> None:
    api = CrowdedApi(3_000, office_hours, **switches)
    split(api)
    assert api.calls <= 1 + 2 * MAX_SPLIT_PARTS


def test_rows_outside_the_window_leave_even_parts() -> None:
    """The second before a window is dense, and every query of the window holds it."""
    api = CrowdedApi(3_000, lambda _: MONDAY - SECOND / 2)
    parts = split(api)
    assert {part.length for part in parts} == {WEEK.length / len(parts)}
