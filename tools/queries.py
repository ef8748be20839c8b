"""Writes the queries under ``lake/queries`` into the template, as named queries of Athena.

``python -m tools.queries`` rewrites the part of the template between two marks. A template can hold
the text of a query only itself, and a file can be run, tested and read.
"""

from pathlib import Path

from local.places import ROOT

QUERIES = ROOT / "lake/queries"
TEMPLATE = ROOT / "template.yaml"
BEGIN = "  # ---- Queries of the lake: `python -m tools.queries` writes them from lake/queries\n"
END = "  # ---- End of the queries\n"


def rewritten(template: str) -> str:
    """The template's text with the queries as their files are."""
    head, _, rest = template.partition(BEGIN)
    _, _, tail = rest.partition(END)
    parts = [_resource(path) for path in sorted(QUERIES.glob("*.sql"))]
    return "".join([head, BEGIN, *(f"\n{part}" for part in parts), "\n", END, tail])


def _resource(path: Path) -> str:
    name = "".join(word.capitalize() for word in path.stem.split("-"))
    sql = path.read_text()
    first = sql.splitlines()[0].removeprefix("-- ")
    lines = "".join(f"        {line}\n" if line else "\n" for line in sql.splitlines())
    return (
        f"  {name}Query:\n"
        "    Type: AWS::Athena::NamedQuery\n"
        "    Properties:\n"
        f"      Name: {path.stem}\n"
        "      Description: >-\n"
        f"        {first}\n"
        "      Database: !Ref LakeDatabase\n"
        "      WorkGroup: !Ref LakeWorkgroup\n"
        "      QueryString: |\n"
        f"{lines}"
    )


if __name__ == "__main__":
    TEMPLATE.write_text(rewritten(TEMPLATE.read_text()))
