"""The merge into the table of the current state, in DuckDB, over the history of a lake."""

from datetime import UTC, datetime
from typing import Any

from local.stack.template import template
from tests.lake.athena import Rows, Step, query, run
from tests.lake.history import History, Known

TABLE = template()["Resources"]["CurrentEntriesTable"]["Properties"]["TableInput"]
COLUMNS = {one["Name"]: one["Type"] for one in TABLE["StorageDescriptor"]["Columns"]}
CREATED = ", ".join(f"{name} {kind.replace('string', 'varchar')}" for name, kind in COLUMNS.items())
CREATE: Step = (f"CREATE TABLE current_entries ({CREATED})", ())
MERGE = query("merge-current-table")
READ: Step = ("SELECT * FROM current_entries ORDER BY log_entry_id", ())


def expected(known: Known) -> list[tuple[Any, ...]]:
    """The API's entries as rows of the table, without what the exporter adds."""
    return sorted(
        (
            entry_id,
            entry["userId"],
            entry["activity"]["type"],
            entry["activity"]["name"],
            entry["category"]["categoryId"],
            entry["category"]["name"],
            datetime.fromisoformat(entry["entryDate"]).astimezone(UTC).replace(tzinfo=None),
            entry["durationMinutes"],
            entry["description"],
            entry["isVerified"],
        )
        for entry_id, entry in known.items()
    )


def stored(rows: Rows) -> list[tuple[Any, ...]]:
    """The same columns of the table's rows."""
    names = list(COLUMNS)[:10]
    dates = [row | {"entry_date": datetime.fromisoformat(row["entry_date"])} for row in rows]
    return [tuple(row[name] for name in names) for row in dates]


def test_a_merge_at_each_instant_gives_the_state_of_the_api(history: History) -> None:
    merges: list[Step] = [(MERGE, (), instant) for instant in history.known]
    steps = [step for merge in merges for step in (merge, READ)]
    _, *answers = run(history.folder, CREATE, *steps)
    for rows, known in zip(answers[1::2], history.known.values(), strict=True):
        assert stored(rows) == expected(known)
        assert {row["tenant_id"] for row in rows} == {rows[0]["tenant_id"]}


def test_a_second_merge_changes_nothing(history: History) -> None:
    _, [first], _, once, [second], twice = run(
        history.folder, CREATE, (MERGE, ()), READ, READ, (MERGE, ()), READ
    )
    assert first == {"count": len(history.now)}
    assert second == {"count": 0}
    assert twice == once


def test_merges_that_were_missed_do_no_harm(history: History) -> None:
    first, *_ = history.known
    *_, rows = run(history.folder, CREATE, (MERGE, (), first), (MERGE, ()), READ)
    assert stored(rows) == expected(history.now)
