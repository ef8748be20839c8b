"""The snippets of docs/lake.md read one export, with equal rows and types."""

import gzip
import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local.places import ROOT
from tests.lake.athena import READER, columns
from tests.lake.history import History, Known

READERS = ["duckdb", "polars", "pyarrow", "pandas", "dlt"]
INSTANT, *SNIPPETS = re.findall(
    r"```python\n(.*?)```", (ROOT / "docs/lake.md").read_text(), re.DOTALL
)
READ = """
import json
import os
import sys
import pyarrow as pa

def shown(found):
    for method in ("to_arrow", "to_arrow_table"):
        found = getattr(found, method)() if hasattr(found, method) else found
    if not isinstance(found, pa.Table):
        found = pa.Table.from_pandas(found, preserve_index=False)
    types = {name: str(found.schema.field(name).type) for name in found.column_names}
    return {"types": types, "rows": found.to_pylist()}

snippet, *looks = sys.argv[1:]
for look in looks:
    folder, instant = look.split("@")
    os.chdir(folder)
    os.environ["DLT_DATA_DIR"] = f"{folder}/dlt"
    read = {"instant": instant}
    exec(snippet, read)
    print(json.dumps([shown(read["entries"]), shown(read["state"])]))
"""
"""Runs a snippet in each folder at its instant; prints what it reads, in Arrow's words, in a line
each. Most of its time goes into imports, so one process looks at all of them.
"""

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


type Shown = dict[str, Any]
"""Types and rows of a table."""


@pytest.fixture(scope="module", params=range(len(READERS)), ids=READERS)
def looks(
    request: pytest.FixtureRequest, history: History, tmp_path_factory: pytest.TempPathFactory
) -> "Looks":
    """What one snippet reads: of the history at its instants and now, and of rows with one time."""
    place = request.param
    known = {**history.known, LATEST: history.now}
    if READERS[place] == "dlt":  # it takes seconds for each
        known = {LATEST: history.now}
    here, tied = (tmp_path_factory.mktemp(name) for name in ("history", "tied"))
    (here / "lake").symlink_to(history.folder)
    write_tied_rows(tied / "lake", lines(history)[0])
    done = subprocess.run(
        [
            READER,
            "-c",
            READ,
            SNIPPETS[place],
            *(f"{here}@{at}" for at in known),
            f"{tied}@{LATEST}",
        ],
        env=os.environ | {"HOME": str(here), **DLT},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.returncode, done.stderr
    *read, of_tied = (json.loads(line) for line in done.stdout.splitlines())
    return Looks(READERS[place], dict(zip(known, read, strict=True)), known, of_tied)


@dataclass(frozen=True)
class Looks:
    """What one reader shows as ``entries`` and ``state``."""

    reader: str
    at: dict[str, tuple[Shown, Shown]]
    known: dict[str, Known]
    of_tied: tuple[Shown, Shown]


def plain(kind: str) -> str:
    """A type without the names that each library gives to a list's items and to long texts."""
    return re.sub(r"list<\w+: ", "list<", kind.replace("large_", ""))


def test_there_is_a_snippet_of_each_reader() -> None:
    assert INSTANT.startswith("instant = ")
    assert [name_of(snippet) for snippet in SNIPPETS] == READERS


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


def write_tied_rows(lake: Path, row: dict[str, Any]) -> None:
    row |= {"exportedAt": "2026-03-01T00:00:00.000Z", "fingerprint": "f", "change": "updated"}
    tied = [
        *(row | {"logEntryId": "a", "fingerprint": mark} for mark in "bac"),
        *(row | {"logEntryId": "b", "change": change} for change in ("updated", "created")),
        *(row | {"logEntryId": "c", "change": change} for change in ("updated", "deleted")),
    ]
    path = lake / "entries/entry_month=2026-03/one.jsonl.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress("".join(f"{json.dumps(one)}\n" for one in tied).encode()))


def test_readers_give_equal_rows_and_types(history: History, looks: Looks) -> None:
    shown, _ = looks.at[LATEST]
    types = {name: plain(kind) for name, kind in shown["types"].items()}
    if looks.reader == "pandas":  # objects have the type of their values, and here are none
        types["fingerprintExclude"] = DECLARED["fingerprintExclude"]
    assert types == DECLARED
    assert ordered(shown["rows"]) == lines(history)


def test_readers_give_the_state_of_the_api_at_each_instant(looks: Looks) -> None:
    for instant, (_, state) in looks.at.items():
        found = {row["logEntryId"]: row for row in state["rows"]}
        assert len(found) == len(state["rows"])
        assert {
            entry_id: {name: row[name] for name in DOCUMENTED} for entry_id, row in found.items()
        } == looks.known[instant]


def test_of_rows_stored_at_one_instant_all_readers_take_the_same(looks: Looks) -> None:
    _, state = looks.of_tied
    found = {(one["logEntryId"], one["fingerprint"], one["change"]) for one in state["rows"]}
    assert found == {("a", "a", "updated"), ("b", "f", "created")}
