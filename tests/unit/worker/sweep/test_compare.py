"""What the stored rows of another attempt say of a sweep."""

from datetime import timedelta

from cpd_exporter.model.page import MissingEntry
from cpd_exporter.model.row import Change, RowWriter, StoredRows
from cpd_exporter.worker.sweep.compare import SweepInput, SweepResult, adopt_stored_rows
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
