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

SNIPPETS = re.findall(r"```python\n(.*?)```", (ROOT / "docs/lake.md").read_text(), re.DOTALL)
SHOWN = """
import json
import pyarrow as pa

for method in ("to_arrow", "to_arrow_table"):
    entries = getattr(entries, method)() if hasattr(entries, method) else entries
if not isinstance(entries, pa.Table):
    entries = pa.Table.from_pandas(entries, preserve_index=False)
types = {name: str(entries.schema.field(name).type) for name in entries.column_names}
print(json.dumps({"types": types, "rows": entries.to_pylist()}))
"""
TYPES = {
    "VARCHAR": "string",
    "BIGINT": "int64",
    "BOOLEAN": "bool",
    'STRUCT("type" VARCHAR, "name" VARCHAR)': "struct<type: string, name: string>",
    'STRUCT("categoryId" VARCHAR, "name" VARCHAR)': "struct<categoryId: string, name: string>",
    "VARCHAR[]": "list<string>",
}


def name_of(snippet: str) -> str:
    return next(name for name in ("polars", "pyarrow", "pandas", "duckdb") if name in snippet)


def read(snippet: str, history: History, folder: Path) -> dict[str, Any]:
    """What a snippet reads from the lake: its types, in Arrow's words, and its rows."""
    (folder / "lake").symlink_to(history.folder)
    done = subprocess.run(
        [READER, "-c", snippet + SHOWN],
        cwd=folder,
        env=os.environ | {"HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not done.returncode, done.stderr
    shown: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return shown


def plain(kind: str) -> str:
    """A type without the names that each library gives to a list's items and to long texts."""
    return re.sub(r"list<\w+: ", "list<", kind.replace("large_", ""))


def test_there_is_a_snippet_of_each_reader() -> None:
    assert [name_of(snippet) for snippet in SNIPPETS] == READERS


READERS = ["duckdb", "polars", "pyarrow", "pandas"]
DECLARED = {column["name"]: TYPES[column["physicalType"]] for column in columns()}


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
    return sorted(rows, key=lambda row: (row["logEntryId"], row["exportedAt"]))


@pytest.mark.parametrize("place", range(4), ids=READERS)
def test_readers_give_equal_rows_and_types(history: History, tmp_path: Path, place: int) -> None:
    shown = read(SNIPPETS[place], history, tmp_path)
    types = {name: plain(kind) for name, kind in shown["types"].items()}
    if READERS[place] == "pandas":  # objects have the type of their values, and here are none
        types["fingerprintExclude"] = DECLARED["fingerprintExclude"]
    assert types == DECLARED
    assert ordered(shown["rows"]) == lines(history)
