"""A dense reading goes on where the last worker left it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from cpd_exporter.errors import InconsistentListingError, OversizedResponseError, TransientError
from cpd_exporter.model.entry import Listing
from cpd_exporter.model.timestamps import SECOND
from cpd_exporter.model.window import Window
from cpd_exporter.source.dense_reader import MAX_STALE_PAGES, DenseReading
from cpd_exporter.source.reading_progress import decode_progress, encode_progress
from cpd_exporter.source.window_reader import Overflow, Reading, Unfinished, read_window
from simulator.simulator import Simulator
from tests.support.checkpoints import MemoryCheckpoint
from tests.support.fakes import FakeApi
from tests.support.samples import listing, numbered, text, window
from tests.support.scripted_api import HOUR, MS, ScriptedApi, read, simulated

ASKED = window(1).widened(SECOND)


def attempt(api: FakeApi, checkpoint: MemoryCheckpoint) -> Reading | Overflow | Unfinished:
    checkpoint.read = 0
    return read_window(api, window(1), may_split=False, checkpoint=checkpoint)


def ids(simulator: Simulator) -> list[str]:
    return sorted(entry.log_entry_id for entry in simulator.store)


@pytest.mark.parametrize("pages", [1, 3, 8])
def test_a_reading_longer_than_a_worker_goes_on_in_the_next(pages: int) -> None:
    simulator = simulated(50, per_page_cap=7, shuffle="all")
    simulator.store.edit(ids(simulator)[0], isVerified="no")  # a faulty record
    api, checkpoint = FakeApi(simulator), MemoryCheckpoint(pages)
    lives = 1
    while isinstance(reading := attempt(api, checkpoint), Unfinished):
        lives += 1
    assert isinstance(reading, Reading)
    assert lives > 50 / 7 / pages
    found = [entry.id for entry in reading.entries]
    assert sorted([*found, *(fault.id or "" for fault in reading.faulty)]) == ids(simulator)
    assert found == sorted(found)
    assert len(reading.faulty) == 1


def test_an_outage_keeps_the_progress_of_its_attempt() -> None:
    api, checkpoint = FakeApi(simulated(50, per_page_cap=7)), MemoryCheckpoint(pages=10**6)
    query = api.query

    def fail_later(window: Window | None, *, page: int = 1, per_page: int = 1000) -> Listing:
        if api.calls == 5:
            raise TransientError("503")
        return query(window, page=page, per_page=per_page)

    api.query = fail_later  # type: ignore[method-assign]
    with pytest.raises(TransientError):
        attempt(api, checkpoint)
    assert checkpoint.saved is not None
    progress = decode_progress(checkpoint.saved, ASKED)
    assert progress is not None
    assert progress.page == 5


def test_progress_that_is_due_is_saved_on_the_way() -> None:
    checkpoint = MemoryCheckpoint(pages=10**6, is_due=True)
    assert isinstance(attempt(FakeApi(simulated(50, per_page_cap=7)), checkpoint), Reading)
    assert checkpoint.saves > 10


def test_a_reading_that_was_deleted_meanwhile_ends_blank() -> None:
    simulator = simulated(20, per_page_cap=7)
    checkpoint = MemoryCheckpoint(pages=2)
    assert isinstance(attempt(FakeApi(simulator), checkpoint), Unfinished)
    for id_ in ids(simulator):
        simulator.store.delete(id_)
    while isinstance(reading := attempt(FakeApi(simulator), checkpoint), Unfinished):
        pass
    assert isinstance(reading, Reading)
    assert (reading.is_blank, len(reading.entries)) == (True, 0)


def test_an_entry_that_moves_beside_the_window_amid_the_readings_is_not_in_it() -> None:
    simulator = simulated(20, per_page_cap=7)
    checkpoint = MemoryCheckpoint(pages=3)
    assert isinstance(attempt(FakeApi(simulator), checkpoint), Unfinished)
    mover, *others = ids(simulator)
    simulator.store.edit(mover, entryDate="2026-03-01T12:00:01.500Z")
    while isinstance(reading := attempt(FakeApi(simulator), checkpoint), Unfinished):
        pass
    assert isinstance(reading, Reading)
    assert [entry.id for entry in reading.entries] == others


def test_a_listing_without_end_is_refused_and_its_progress_dropped() -> None:
    api = ScriptedApi(listing(*map(numbered, (1, 2)), total=10**6, per_page=2))
    checkpoint = MemoryCheckpoint(pages=10**6, is_due=True)
    with pytest.raises(InconsistentListingError):
        read_window(api, HOUR, may_split=False, checkpoint=checkpoint)
    assert api.calls < MAX_STALE_PAGES + 5
    assert checkpoint.saves
    assert checkpoint.saved is None


@pytest.mark.parametrize("fits", [1, 2, 400])
def test_a_response_over_the_size_limit_is_asked_for_in_smaller_pages(fits: int) -> None:
    simulator = simulated(30)
    api = FakeApi(simulator)
    query = api.query

    def limited(window: Window | None, *, page: int = 1, per_page: int = 1000) -> Listing:
        answer = query(window, page=page, per_page=per_page)
        if len(answer.records) > fits:
            raise OversizedResponseError("too many bytes")
        return replace(answer, per_page=per_page)

    api.query = limited  # type: ignore[method-assign]
    reading = read_window(api, window(1), may_split=False)
    assert isinstance(reading, Reading)
    assert [entry.id for entry in reading.entries] == ids(simulator)


def test_one_record_over_the_size_limit_is_an_error() -> None:
    class Huge(ScriptedApi):
        def query(self, window: Window | None, *, page: int = 1, per_page: int = 1000) -> Listing:
            raise OversizedResponseError("too many bytes")

    with pytest.raises(OversizedResponseError):
        read(Huge(b""))


def progressed(*records: str) -> DenseReading:
    """A reading after one offset page, amid its second reading."""
    reading = DenseReading(largest=7, reading=2, page=4, stale=1, totals={3, 5})
    [answer] = [ScriptedApi(listing(*records)).query(None)]
    reading.add(answer, HOUR)
    reading.earlier = dict(reading.current)
    reading.union.members, reading.union.total = {"id:x": None}, 12
    return reading


def test_progress_comes_back_as_it_was() -> None:
    faulty = text(isVerified="no", description="\u2028 \x00 ü")
    undated = text(entryDate="soon")
    outside = numbered(2, HOUR.end + 500 * MS)
    reading = progressed(numbered(1), faulty, undated, outside)
    assert len(reading.records) == 3
    stored = encode_progress(reading, ASKED)
    assert decode_progress(stored, ASKED) == reading
    assert encode_progress(reading, ASKED) == stored


@pytest.mark.parametrize("damage", [b"", b"x", b"short", b"other"])
def test_progress_that_cannot_be_used_is_none(damage: bytes) -> None:
    stored = encode_progress(progressed(numbered(1)), ASKED)
    other = replace(ASKED, end=ASKED.end + timedelta(seconds=damage == b"other"))
    bad = stored[:-9] if damage == b"short" else stored if damage == b"other" else damage
    assert decode_progress(bad, other) is None
