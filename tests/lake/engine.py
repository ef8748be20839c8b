"""Athena's queries in DuckDB. A program of its own, in the environment of the lake's readers.

Each line of standard input is a JSON object: the lake's ``folder``, its table's ``columns`` and
``steps``, each with its ``sql`` in Athena's dialect and its ``parameters``. A step that names an
instant, ``through``, sees no row that was stored later. It answers each with a line: the rows of
each step, as a list of JSON objects.
"""

import json
import sys
from typing import Any

import duckdb
import sqlglot


def translated(sql: str) -> str:
    """The statement in DuckDB's dialect. Raises what sqlglot cannot translate."""
    statement: str
    (statement,) = sqlglot.transpile(
        sql, read="athena", write="duckdb", unsupported_level=sqlglot.ErrorLevel.RAISE
    )
    return statement


def open_lake(folder: str, columns: dict[str, str]) -> duckdb.DuckDBPyConnection:
    """A connection with the table ``entries`` over the lake's objects."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    declared = ", ".join(f"'{name}': '{kind}'" for name, kind in columns.items())
    connection.execute(
        f"CREATE VIEW all_rows AS SELECT * FROM read_json("
        f"'{folder}/entries/*/*.jsonl.gz', format = 'newline_delimited', "
        f"columns = {{{declared}}}, hive_partitioning = true, "
        f"hive_types = {{'entry_month': 'VARCHAR'}})"
    )
    return connection


def show(connection: duckdb.DuckDBPyConnection, through: str | None) -> None:
    """Let ``entries`` hold what was stored through an instant; without one, all."""
    past = f" WHERE exportedAt <= '{through}'" if through else ""
    connection.execute(f"CREATE OR REPLACE VIEW entries AS SELECT * FROM all_rows{past}")


def rows(connection: duckdb.DuckDBPyConnection, step: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of one step; none for a statement that gives no rows."""
    show(connection, step.get("through"))
    result = connection.execute(translated(step["sql"]), step.get("parameters", []))
    # Athena folds names to lower case, and DuckDB does not.
    names = [column[0].lower() for column in result.description or ()]
    return [dict(zip(names, values, strict=True)) for values in result.fetchall()]


def main() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        with open_lake(request["folder"], request["columns"]) as connection:
            answers = [rows(connection, step) for step in request["steps"]]
        print(json.dumps(answers, default=str), flush=True)


if __name__ == "__main__":
    main()
