"""What the stored rows of another attempt say of a sweep."""

from datetime import timedelta

from cpd_exporter.model.entry import FaultyEntry
from cpd_exporter.model.page import MissingEntry
from cpd_exporter.model.page_index import IndexEntry
from cpd_exporter.model.row import Change, RowWriter, StoredRows
from cpd_exporter.source.window_reader import Reading
from cpd_exporter.worker.sweep.compare import (
    SweepInput,
    SweepResult,
    adopt_stored_rows,
    missing_ids,
)
from tests.support.samples import START, TENANT, entry

STORED_AT = START + timedelta(days=1)


def test_the_rows_of_another_attempt_are_the_result() -> None:
    writer = RowWriter(TENANT, STORED_AT, frozenset())
    rows = StoredRows([writer.write(entry(), Change.UPDATED)])
    row = rows[0]
    missing = {row.entry_id: MissingEntry(START), "another": MissingEntry(START)}
    before = SweepInput([], {}, missing, frozenset())
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
    indexed = IndexEntry(START, "f", "key", STORED_AT)
    index = dict.fromkeys(("a" * 24, "b" * 24, "c" * 24), indexed)
    before = SweepInput([], index, {})
    assert missing_ids(before, Reading((listed,), (faulty,), is_blank=False)) == ["c" * 24]
