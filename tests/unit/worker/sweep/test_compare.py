"""What a sweep begins with: joined indexes, missing entries, and another attempt's rows."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import permutations

import pytest

from cpd_exporter.model import page_index
from cpd_exporter.model.entry import FaultyEntry
from cpd_exporter.model.page import MissingEntry, Page, PageState
from cpd_exporter.model.page_index import IndexEntry
from cpd_exporter.model.row import Change, RowWriter, StoredRows
from cpd_exporter.model.window import Window
from cpd_exporter.source.window_reader import Reading
from cpd_exporter.worker.sweep.compare import (
    SweepInput,
    SweepResult,
    adopt_stored_rows,
    load_input,
    missing_ids,
)
from tests.support.fakes.lake import FakeLake
from tests.support.samples import START, TENANT, entry

HOUR = timedelta(hours=1)
STORED_AT = START + timedelta(days=1)
INDEXED = IndexEntry(START, "f", "key", STORED_AT)
EARLIER, LATER = replace(INDEXED, stored_at=START), replace(INDEXED, stored_at=STORED_AT + HOUR)


def test_the_rows_of_another_attempt_are_the_result() -> None:
    writer = RowWriter(TENANT, STORED_AT, frozenset())
    rows = StoredRows([writer.write(entry(), Change.UPDATED)])
    row = rows[0]
    missing = {row.entry_id: MissingEntry(START), "another": MissingEntry(START)}
    before = SweepInput([], {}, missing)
    adopted = adopt_stored_rows(rows, before, 3, {"a": "no date"})
    assert adopted == SweepResult(
        rows,
        {"another": MissingEntry(START)},
        quarantined=3,
        faults={"a": "no date"},
        read_at=STORED_AT,
        sweep_again=True,
    )


def test_an_entry_whose_record_is_faulty_now_is_not_missing() -> None:
    listed, faulty = entry(logEntryId="a" * 24), FaultyEntry(b"{}", "no date", "b" * 24, None)
    index = dict.fromkeys(("a" * 24, "b" * 24, "c" * 24), INDEXED)
    before = SweepInput([], index, {})
    assert missing_ids(before, Reading((listed,), (faulty,), is_blank=False)) == ["c" * 24]


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_different_rows_of_one_instant_are_tied_in_whatever_order_pages_are(
    order: tuple[int, ...],
) -> None:
    tie = replace(INDEXED, is_tied=True)
    assert joined([(tie, INDEXED, EARLIER)[place] for place in order]).is_tied
    other = replace(INDEXED, fingerprint="g", object="other")
    assert joined([(other, INDEXED, EARLIER)[place] for place in order]).is_tied
    assert not joined([(LATER, tie, other)[place] for place in order]).is_tied
    equal = replace(INDEXED, object="other")
    assert not joined([(equal, INDEXED, EARLIER)[place] for place in order]).is_tied


def joined(entries: Sequence[IndexEntry]) -> IndexEntry:
    """What a sweep has of an entry that is in the indexes of several pages, after a merge too."""
    lake = FakeLake()
    pages = []
    for number, indexed in enumerate(entries):
        lake.put_new(key := f"index/{number}", page_index.encode({"a": indexed}))
        window = Window(START + number * HOUR, START + (number + 1) * HOUR)
        page = Page(window, 1, "t", "r", state=PageState.DONE, index_key=key)
        pages.append(page)
    return load_input(lake, pages).index["a"]
