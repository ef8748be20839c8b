"""The snippets of docs/lake.md read one export, with equal rows and types."""

import gzip
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from local.places import ROOT
from tests.lake.athena import READER, columns
from tests.lake.history import History

INSTANT, *SNIPPETS = re.findall(
    r"```python\n(.*?)```", (ROOT / "docs/lake.md").read_text(), re.DOTALL
)
READ = """
import json
import sys
import pyarrow as pa

def shown(found):
    for method in ("to_arrow", "to_arrow_table"):
        found = getattr(found, method)() if hasattr(found, method) else found
    if not isinstance(found, pa.Table):
        found = pa.Table.from_pandas(found, preserve_index=False)
    types = {name: str(found.schema.field(name).type) for name in found.column_names}
    return {"types": types, "rows": found.to_pylist()}

snippet, *instants = sys.argv[1:]
for instant in instants:
    read = {"instant": instant}
    exec(snippet, read)
    print(json.dumps([shown(read["entries"]), shown(read["state"])]))
"""
"""Runs a snippet at each instant; prints what it reads, in Arrow's words, in a line each."""

DLT = {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"}
TYPES = {
    "VARCHAR": "string",
    "BIGINT": "int64",
    "BOOLEAN": "bool",
    'STRUCT("type" VARCHAR, "name" VARCHAR)': "struct<type: string, name: string>",
    'STRUCT("categoryId" VARCHAR, "name" VARCHAR)': "struct<categoryId: string, name: string>",
    "VARCHAR[]": "list<string>",
}


def name_of(snippet: str) -> str:
    return next(
        name for name in ("dlt", "polars", "pyarrow", "pandas", "duckdb") if name in snippet
    )


def read(place: int, history: History, folder: Path, *instants: str) -> list[list[dict[str, Any]]]:
    """Types and rows of ``entries`` and ``state`` at each instant, as a snippet reads them."""
    (folder / "lake").symlink_to(history.folder)
    done = subprocess.run(
        [READER, "-c", READ, SNIPPETS[place], *instants],
        cwd=folder,
        env=os.environ | {"HOME": str(folder), **DLT, "DLT_DATA_DIR": str(folder / "dlt")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.returncode, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def plain(kind: str) -> str:
    """A type without the names that each library gives to a list's items and to long texts."""
    return re.sub(r"list<\w+: ", "list<", kind.replace("large_", ""))


def test_there_is_a_snippet_of_each_reader() -> None:
    assert INSTANT.startswith("instant = ")
    assert [name_of(snippet) for snippet in SNIPPETS] == READERS


READERS = ["duckdb", "polars", "pyarrow", "pandas", "dlt"]
DECLARED = {column["name"]: TYPES[column["physicalType"]] for column in columns()}
DOCUMENTED = [one["name"] for one in columns() if "From the API" in one["description"]]
LATEST = "9999-12-31T23:59:59.999Z"


def lines(history: History) -> list[dict[str, Any]]:
    """The rows of the lake by entry and time, each with all columns."""
    objects = (history.folder / "entries").glob("*/*.gz")
    rows = [
        dict.fromkeys(DECLARED) | json.loads(line)
        for path in objects
        for line in gzip.decompress(path.read_bytes()).splitlines()
    ]
    return ordered(rows)


def ordered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: (row["logEntryId"], row["exportedAt"], row["change"]))


@pytest.mark.parametrize("place", range(len(READERS)), ids=READERS)
def test_readers_give_equal_rows_and_types(history: History, tmp_path: Path, place: int) -> None:
    [[shown, _]] = read(place, history, tmp_path, LATEST)
    types = {name: plain(kind) for name, kind in shown["types"].items()}
    if READERS[place] == "pandas":  # objects have the type of their values, and here are none
        types["fingerprintExclude"] = DECLARED["fingerprintExclude"]
    assert types == DECLARED
    assert ordered(shown["rows"]) == lines(history)


@pytest.mark.parametrize("place", range(len(READERS)), ids=READERS)
def test_readers_give_the_state_of_the_api_at_each_instant(
    history: History, tmp_path: Path, place: int
) -> None:
    expected = {**history.known, LATEST: history.now}
    if READERS[place] == "dlt":  # it takes seconds for each
        expected = {LATEST: history.now}
    read_at = read(place, history, tmp_path, *expected)
    for (_, state), known in zip(read_at, expected.values(), strict=True):
        found = {row["logEntryId"]: row for row in state["rows"]}
        assert len(found) == len(state["rows"])
        assert {
            entry_id: {name: row[name] for name in DOCUMENTED} for entry_id, row in found.items()
        } == known


@pytest.mark.parametrize("place", range(len(READERS)), ids=READERS)
def test_of_rows_stored_at_one_instant_all_readers_take_the_same(
    history: History, tmp_path: Path, place: int
) -> None:
    row = lines(history)[0] | {"exportedAt": "2026-03-01T00:00:00.000Z"}
    tied = [
        *(row | {"logEntryId": "a", "fingerprint": mark} for mark in "bac"),
        *(row | {"logEntryId": "b", "change": change} for change in ("updated", "created")),
        *(row | {"logEntryId": "c", "change": change} for change in ("updated", "deleted")),
    ]
    path = tmp_path / "tied/entries/entry_month=2026-03/one.jsonl.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress("".join(f"{json.dumps(one)}\n" for one in tied).encode()))
    here = History(tmp_path / "tied", {}, "")
    [[_, state]] = read(place, here, tmp_path, LATEST)
    found = {(one["logEntryId"], one["fingerprint"], one["change"]) for one in state["rows"]}
    assert found == {("a", "a", row["change"]), ("b", row["fingerprint"], "created")}
