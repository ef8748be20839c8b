"""The lake's table as its contract declares it, and Athena's queries in an engine."""

import json
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from local.places import ROOT, TOOLS

QUERIES = ROOT / "lake/queries"
READER = TOOLS / "lake/bin/python"
ENGINE = Path(__file__).with_name("engine.py")

type Step = tuple[str, Sequence[Any]] | tuple[str, Sequence[Any], str]
"""A statement, its parameters and, if it is to see no later row, an instant."""

type Rows = list[dict[str, Any]]


@cache
def columns() -> list[dict[str, Any]]:
    """The columns of the table in the lake's contract."""
    contract = yaml.safe_load((ROOT / "lake/contract.yaml").read_text())
    (table,) = contract["schema"]
    properties: list[dict[str, Any]] = table["properties"]
    return properties


def query(name: str) -> str:
    """The text of a query's file."""
    return (QUERIES / f"{name}.sql").read_text()


def run(folder: Path, *steps: Step) -> list[Rows]:
    """Run queries with their parameters over a lake, in one connection of DuckDB."""
    request = {
        "folder": str(folder),
        "columns": {column["name"]: column["physicalType"] for column in columns()},
        "steps": [
            dict(zip(("sql", "parameters", "through"), step, strict=False)) for step in steps
        ],
    }
    engine = _engine()
    assert engine.stdin
    assert engine.stdout
    engine.stdin.write(json.dumps(request) + "\n")
    engine.stdin.flush()
    line = engine.stdout.readline()
    assert line, "the engine ended; its error is above"
    answers: list[Rows] = json.loads(line)
    return answers


@cache
def _engine() -> subprocess.Popen[str]:
    """The engine, which ends with this process. Most of its time goes into imports."""
    return subprocess.Popen(
        [READER, ENGINE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def ask(folder: Path, name: str, *parameters: Any) -> Rows:
    """The rows that one query gives."""
    (rows,) = run(folder, (query(name), parameters))
    return rows


def entries(rows: Rows) -> dict[str, dict[str, Any]]:
    """The documented members of rows of the table, by ID, with the API's names."""
    documented = [column["name"] for column in columns() if "From the API" in column["description"]]
    found = {row["logentryid"]: {name: row[name.lower()] for name in documented} for row in rows}
    assert len(found) == len(rows), "an entry has two rows"
    return found
