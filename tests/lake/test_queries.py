"""The saved queries over a real export equal the API field by field; DuckDB runs them."""

from collections import defaultdict
from datetime import datetime
from typing import Any

import pytest

from tests.lake.athena import ask, entries, query, run
from tests.lake.history import History, Known

KINDS = """SELECT typeof(entry_date) AS date, typeof(exported_at) AS stored,
  typeof(duration_minutes) AS minutes FROM typed_entries LIMIT 1"""


def minutes(known: Known, period: Any) -> list[tuple[Any, ...]]:
    """User, period, verified, unverified and all minutes, and entries, by the API."""
    sums: defaultdict[tuple[str, Any], list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for entry in known.values():
        total = sums[entry["userId"], period(datetime.fromisoformat(entry["entryDate"]))]
        for place in (0 if entry["isVerified"] else 1, 2):
            total[place] += entry["durationMinutes"]
        total[3] += 1
    return sorted((*key, *total) for key, total in sums.items())


def months(known: Known) -> list[str]:
    return sorted({entry["entryDate"][:7] for entry in known.values()})


def test_the_history_has_all_sorts_of_changes(history: History) -> None:
    (rows,) = run(history.folder, ("SELECT change, count(*) AS n FROM entries GROUP BY 1", ()))
    assert {row["change"] for row in rows if row["n"] > 20} == {"created", "updated", "deleted"}
    assert len(history.known) == 6
    assert len({len(known) for known in history.known.values()}) > 3


def test_the_current_state_is_the_apis(history: History) -> None:
    assert entries(ask(history.folder, "current-state")) == history.now


def test_at_each_recorded_instant_it_is_what_the_api_held(history: History) -> None:
    answers = run(history.folder, *((query("as-of"), [instant]) for instant in history.known))
    for rows, known in zip(answers, history.known.values(), strict=True):
        assert entries(rows) == known


def test_before_the_first_export_nothing_was_known(history: History) -> None:
    assert ask(history.folder, "as-of", "2026-01-01T00:00:00+00:00") == []


def test_each_month_is_the_apis_by_its_own_objects_alone(history: History) -> None:
    every = months(history.now)
    answers = run(history.folder, *((query("month"), [month]) for month in every))
    for rows, month in zip(answers, every, strict=True):
        assert entries(rows) == {
            entry_id: entry
            for entry_id, entry in history.now.items()
            if entry["entryDate"].startswith(month)
        }


def test_minutes_by_month_are_the_apis(history: History) -> None:
    found = [tuple(row.values()) for row in ask(history.folder, "minutes-by-month")]
    assert found == minutes(history.now, lambda date: f"{date:%Y-%m}")


@pytest.mark.parametrize("start", [1, 2, 3, 4])
def test_minutes_by_cpd_year_are_the_apis(history: History, start: int) -> None:
    found = [tuple(row.values()) for row in ask(history.folder, "minutes-by-cpd-year", start)]
    assert found == minutes(history.now, lambda date: date.year - (date.month < start))


def test_deletions_are_the_entries_that_the_api_no_longer_has(history: History) -> None:
    deleted = ask(history.folder, "deletions")
    ever = {entry_id for known in history.known.values() for entry_id in known}
    assert {row["logentryid"] for row in deleted} == ever - history.now.keys()
    for row in deleted:
        held = [known[row["logentryid"]] for known in history.known.values()
                if row["logentryid"] in known]  # fmt: skip
        assert {name: row[name.lower()] for name in held[-1]} == held[-1]


def test_the_changes_of_an_entry_are_all_its_versions_in_order(history: History) -> None:
    (restored,) = run(
        history.folder,
        ("SELECT logentryid FROM entries GROUP BY 1 HAVING count(*) > 2 ORDER BY 1", ()),
    )
    for row in restored[:3]:
        changes = ask(history.folder, "changes-of-an-entry", row["logentryid"])
        assert [one["exportedat"] for one in changes] == sorted(
            one["exportedat"] for one in changes
        )
        assert changes[0]["change"] == "created"
        for instant, known in history.known.items():
            last = [one for one in changes if one["exportedat"] <= instant][-1:]
            entry = known.get(row["logentryid"])
            assert [one["durationminutes"] for one in last if one["change"] != "deleted"] == (
                [entry["durationMinutes"]] if entry else []
            )


def test_freshness_counts_each_month(history: History) -> None:
    fresh = ask(history.folder, "freshness")
    assert [row["entry_month"] for row in fresh] == months(history.now)[::-1]
    last = max(row["last_stored_at"] for row in fresh)
    assert list(history.known)[-2] < last <= list(history.known)[-1]


def test_the_view_types_dates_and_dissolves_structs(history: History) -> None:
    _, typed, plain, kinds = run(
        history.folder,
        (query("create-typed-view"), ()),
        ("SELECT * FROM typed_entries ORDER BY log_entry_id, exported_at, change", ()),
        ("SELECT * FROM entries ORDER BY logentryid, exportedat, change", ()),
        (KINDS, ()),
    )
    assert kinds == [{"date": "TIMESTAMP_MS", "stored": "TIMESTAMP_MS", "minutes": "BIGINT"}]
    for row, entry in zip(typed, plain, strict=True):
        for typed_name, name in (("entry_date", "entrydate"), ("exported_at", "exportedat")):
            date = datetime.fromisoformat(entry[name]).replace(tzinfo=None)
            assert datetime.fromisoformat(row[typed_name]) == date
        assert row["log_entry_id"] == entry["logentryid"]
        assert row["activity_name"] == entry["activity"]["name"]
        assert row["category_id"] == entry["category"]["categoryId"]
