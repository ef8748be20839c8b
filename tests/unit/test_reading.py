"""Reading one window exactly, whatever the API answers."""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from cpd_exporter.errors import FilterError, InconsistentListingError
from cpd_exporter.model.entry import Entry, FaultyEntry, Listing, read_entry, read_listing
from cpd_exporter.model.minutes import Summaries
from cpd_exporter.model.timestamps import SECOND
from cpd_exporter.model.window import Window
from cpd_exporter.source.counter import Count, count
from cpd_exporter.source.filter_check import check_filter
from cpd_exporter.source.window_reader import Overflow, Reading, read_window
from simulator.behaviour import Behaviour, Change, Fault
from simulator.simulator import Simulator
from simulator.source import EntryStore
from tests.support.fakes import FakeApi
from tests.support.samples import START, content, listing, numbered, text, window

MS = timedelta(milliseconds=1)
NOW = START + timedelta(days=1)
HOUR = window(3600)


class ScriptedApi:
    """Gives the answers in turn, the last one for ever; ``asked`` is what it was asked.

    ``held`` is what it answers for an entry by its ID.
    """

    def __init__(self, *answers: bytes, held: Iterable[str] = ()) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[Window | None, int, int]] = []
        self.held = list(held)

    @property
    def calls(self) -> int:
        return len(self.asked)

    def query(self, window: Window | None, *, page: int = 1, per_page: int = 1000) -> Listing:
        self.asked.append((window, page, per_page))
        return read_listing(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])

    def entry(self, entry_id: str) -> Entry | FaultyEntry | None:
        found = (read_entry(content(logEntryId=entry_id), one) for one in self.held)
        return next((one for one in found if one.id == entry_id), None)

    def entries(self, entry_ids: Sequence[str]) -> dict[str, Entry | FaultyEntry | None]:
        return {entry_id: self.entry(entry_id) for entry_id in entry_ids}

    def summaries(self, window: Window, *, page: int = 1, per_page: int = 1000) -> Summaries:
        raise AssertionError("no listing is read from sums")


def read(api: ScriptedApi, *, may_split: bool = True) -> Reading | Overflow:
    return read_window(api, HOUR, may_split=may_split)


def numbers(reading: Reading | Overflow) -> list[int]:
    assert isinstance(reading, Reading)
    return [int(entry.id, 16) for entry in reading.entries]


def test_it_asks_a_second_wider_and_keeps_the_half_open_interval() -> None:
    dates = {1: HOUR.start - MS, 2: HOUR.start, 3: HOUR.end - MS, 4: HOUR.end}
    api = ScriptedApi(listing(*(numbered(number, at) for number, at in dates.items())))
    assert numbers(read(api)) == [2, 3]
    assert api.asked == [(HOUR.widened(SECOND), 1, 1000)]


def test_entries_come_by_date_and_then_by_id_whatever_the_order() -> None:
    same = START + SECOND
    api = ScriptedApi(listing(numbered(9), numbered(7, same), numbered(5, same), numbered(3)))
    assert numbers(read(api)) == [5, 7, 3, 9]


@pytest.mark.parametrize("total", [0, 2, 3, 10**12])
def test_a_full_response_is_an_overflow_whatever_the_total(total: int) -> None:
    api = ScriptedApi(listing(*map(numbered, (1, 2, 3)), total=total, per_page=3))
    assert read(api) == Overflow(total=max(total, 3), per_page=3)
    assert api.calls == 1


@pytest.mark.parametrize("total", [0, 2, 3])
def test_a_short_response_is_believed_at_once_if_the_total_is_no_larger(total: int) -> None:
    api = ScriptedApi(listing(*map(numbered, (1, 2, 3)), total=total))
    assert numbers(read(api)) == [1, 2, 3]
    assert api.calls == 1


def test_a_short_response_with_a_larger_total_is_believed_twice_without_a_second_page() -> None:
    short, nothing = listing(numbered(1), total=5), listing(total=5)
    api = ScriptedApi(short, nothing, short, nothing)
    assert numbers(read(api)) == [1]
    assert [page for _, page, _ in api.asked] == [1, 2, 1]


def test_a_second_page_that_only_repeats_the_first_is_one() -> None:
    """In no order, it may do so by chance."""
    assert read(ScriptedApi(listing(numbered(1), total=5))) == Overflow(total=5, per_page=1)


def test_a_short_response_with_a_second_page_is_an_overflow() -> None:
    """A service that gives fewer rows than asked for, and does not say so."""
    api = ScriptedApi(listing(*map(numbered, (1, 2)), total=5), listing(numbered(3), total=5))
    assert read(api) == Overflow(total=5, per_page=2)


def test_readings_that_disagree_are_read_until_two_agree() -> None:
    nothing = listing(total=5)
    one, other = listing(numbered(1), total=5), listing(*map(numbered, (1, 2)), total=5)
    assert numbers(read(ScriptedApi(one, nothing, other, nothing, other))) == [1, 2]


def test_readings_that_never_agree_are_refused() -> None:
    nothing = listing(total=9)
    answers = [listing(numbered(number), total=9) for number in (1, 2, 3)]
    api = ScriptedApi(*(body for answer in answers for body in (answer, nothing)))
    with pytest.raises(InconsistentListingError, match="contradict"):
        read(api)


def test_one_id_twice_and_equal_is_one_entry() -> None:
    twice = listing(numbered(1), numbered(2), numbered(1))
    assert numbers(read(ScriptedApi(twice, listing(total=3), twice))) == [1, 2]


def test_one_id_in_two_versions_is_read_again() -> None:
    twice = listing(numbered(1), numbered(1, START + 5 * SECOND))
    once = listing(numbered(1, START + 5 * SECOND))
    [entry] = read_listing(once).records
    reading = read(ScriptedApi(twice, once))
    assert isinstance(reading, Reading)
    assert reading.entries == (entry,)
    with pytest.raises(InconsistentListingError):
        read(ScriptedApi(twice))


@pytest.mark.parametrize(
    ("at", "believable"),
    [
        (HOUR.start - 2 * SECOND, True),
        (HOUR.start - 2 * SECOND - MS, False),
        (HOUR.end + 2 * SECOND - MS, True),
        (HOUR.end + 2 * SECOND, False),
        (START.replace(year=1), False),
        (START.replace(year=9999), False),
    ],
)
def test_rows_beyond_even_the_wider_interval_are_a_broken_filter(
    at: datetime, believable: bool
) -> None:
    api = ScriptedApi(listing(numbered(1), numbered(2, at)))
    if believable:
        assert numbers(read(api)) == [1]
        return
    with pytest.raises(FilterError, match="FilterTimeZone") as caught:
        read(api)
    assert "confidential" not in str(caught.value)


def test_a_faulty_row_beyond_the_interval_is_a_broken_filter_too() -> None:
    astray = text(entryDate="2020-01-01T00:00:00Z", isVerified=None)
    with pytest.raises(FilterError):
        read(ScriptedApi(listing(astray)))


def test_faulty_records_are_told_where_they_belong_or_may_belong() -> None:
    within = text(isVerified="no")
    beside = text(isVerified="no", entryDate="2026-03-01T11:59:59.500Z")
    undated = text(entryDate="soon")
    answer = listing(within, numbered(1), beside, undated, undated)
    reading = read(ScriptedApi(answer, listing(total=5), answer))
    assert isinstance(reading, Reading)
    assert [fault.source for fault in reading.faulty] == [within.encode(), undated.encode()]
    assert numbers(reading) == [1]


def test_a_count_is_never_less_than_the_rows() -> None:
    assert count(ScriptedApi(listing(numbered(1), total=0)), HOUR) == Count(1, None)
    assert count(ScriptedApi(listing(numbered(1), total=77)), HOUR).total == 77
    api = ScriptedApi(listing())
    assert count(api, HOUR).total == 0
    assert api.asked == [(HOUR.widened(SECOND), 1, 1)]


# ── dense pages ──────────────────────────────────────────────────────────────────────────────


def simulated(entries: int, **switches: object) -> Simulator:
    """Many entries within one second."""
    simulator = Simulator(EntryStore(), clock=lambda: NOW)
    for _ in range(entries):
        simulator.insert(START + 250 * MS)
    simulator.behaviour = Behaviour.model_validate(switches)
    return simulator


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
    changes = (Change.model_validate({"kind": kind, "every": 2, "times": 5}),)
    simulator = simulated(60, per_page_cap=13, shuffle="all", changes=changes)
    found = dense(simulator)
    assert found == {
        entry.log_entry_id
        for entry in simulator.store
        if window(1).start <= read_entry(entry.value, entry.text).date < window(1).end  # type: ignore[operator]
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


# ── the filter's proof ───────────────────────────────────────────────────────────────────────


def prove(api: FakeApi | ScriptedApi) -> bool:
    return check_filter(api, [[None]], until=NOW, zone=UTC).found


def test_an_entry_that_is_found_by_its_second_proves_the_filter() -> None:
    api = FakeApi(simulated(1))
    assert prove(api)
    assert api.calls == 2


@pytest.mark.parametrize(
    "at", [None, datetime.fromisoformat("1969-12-31T00:00:00Z"), NOW, NOW + timedelta(days=9)]
)
def test_without_an_entry_of_the_time_there_is_no_proof(at: datetime | None) -> None:
    simulator = simulated(0)
    if at is not None:
        simulator.insert(at)
    assert not prove(FakeApi(simulator))


@pytest.mark.parametrize(
    "switches",
    [
        {"faults": (Fault(kind="nothing", after=1),)},
        {"filter_offset_seconds": 3600},
        {"filter_offset_seconds": -7200},
    ],
)
def test_a_filter_that_does_not_find_it_is_broken(switches: dict[str, object]) -> None:
    simulator = simulated(3, **switches)
    with pytest.raises(FilterError, match="FilterTimeZone|time zone"):
        prove(FakeApi(simulator))


def test_a_filter_that_is_ignored_is_broken() -> None:
    simulator = simulated(1, faults=(Fault(kind="ignore-filter"),))
    simulator.insert(START + timedelta(hours=3))
    with pytest.raises(FilterError):
        prove(FakeApi(simulator))


def test_a_full_response_may_leave_out_any_entry() -> None:
    """With a small page cap, the second of an entry need not fit one response."""
    assert prove(FakeApi(simulated(40, per_page_cap=3, order="descending")))


@pytest.mark.parametrize("spoil", ["delete", "move"])
def test_an_entry_that_went_meanwhile_proves_nothing_against_the_filter(spoil: str) -> None:
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
    assert prove(FakeApi(simulator)) is (spoil == "move")
