"""Reading one window exactly, whatever the API answers."""

from datetime import datetime

import pytest

from cpd_exporter.errors import FilterError, InconsistentListingError
from cpd_exporter.model.entry import read_listing
from cpd_exporter.model.timestamps import SECOND
from cpd_exporter.source.reading_progress import decode_progress
from cpd_exporter.source.window_reader import Overflow, Reading, Unfinished, read_window
from tests.support.checkpoints import MemoryCheckpoint
from tests.support.fakes import FakeApi
from tests.support.samples import START, listing, numbered, text
from tests.support.scripted_api import HOUR, MS, ScriptedApi, read, simulated


def numbers(reading: Reading | Overflow) -> list[int]:
    assert isinstance(reading, Reading)
    return [int(entry.id, 16) for entry in reading.entries]


def test_it_asks_a_second_wider_and_keeps_the_half_open_interval() -> None:
    dates = {1: HOUR.start - MS, 2: HOUR.start, 3: HOUR.end - MS, 4: HOUR.end}
    api = ScriptedApi(listing(*(numbered(number, at) for number, at in dates.items())))
    assert numbers(read(api)) == [2, 3]
    assert api.queries == [(HOUR.widened(SECOND), 1, 1000)]


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
    assert [page for _, page, _ in api.queries] == [1, 2, 1]


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


def test_a_row_in_the_place_of_another_is_found_out() -> None:
    twice = listing(numbered(1), numbered(1), numbered(2), total=3)
    api = ScriptedApi(twice, listing(numbered(3), total=3))
    assert read(api) == Overflow(total=3, per_page=2)
    assert [(page, size) for _, page, size in api.queries] == [(1, 1000), (2, 2)]


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


def test_faulty_records_are_reported_where_they_belong_or_may_belong() -> None:
    within = text(isVerified="no")
    beside = text(isVerified="no", entryDate="2026-03-01T11:59:59.500Z")
    undated = text(entryDate="soon")
    answer = listing(within, numbered(1), beside, undated, undated)
    reading = read(ScriptedApi(answer, listing(total=5), answer))
    assert isinstance(reading, Reading)
    assert [fault.source for fault in reading.faulty] == [within.encode(), undated.encode()]
    assert numbers(reading) == [1]


def test_a_reading_that_has_no_more_time_leaves_its_progress() -> None:
    api = FakeApi(simulated(50, per_page_cap=10))
    asked, checkpoint = HOUR.widened(SECOND), MemoryCheckpoint(pages=2)
    answer = read_window(api, HOUR, may_split=False, checkpoint=checkpoint)
    assert isinstance(answer, Unfinished)
    assert checkpoint.saved is not None
    progress = decode_progress(checkpoint.saved, asked)
    assert progress is not None
    assert 0 < len(progress.current) < 50
