"""Writes the pydantic models of the example subscriber from the events' schemas.

`make contract` runs it. Any consumer can run the same command on the same files.
"""

import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SCHEMAS = ROOT / "events/schemas"
MODELS = ROOT / "examples/subscriber/subscriber/models"
TYPES = {
    "created": "cpd.entry.created",
    "updated": "cpd.entry.updated",
    "deleted": "cpd.entry.deleted",
    "ping": "cpd.exporter.ping",
}
"""The module of each event type."""

OPTIONS = shlex.split("""
    --input-file-type jsonschema --output-model-type pydantic_v2.BaseModel
    --target-python-version 3.13 --formatters builtin --snake-case-field --use-annotated
    --use-union-operator --enum-field-as-literal all --disable-timestamp --use-double-quotes
    --disable-warnings
""")


def write_models(folder: Path) -> None:
    """Write one module for each type into a folder."""
    generator = Path(sys.executable).with_name("datamodel-codegen")
    for module, event_type in TYPES.items():
        files = ["--input", f"{event_type}.json", "--output", str(folder / f"{module}.py")]
        subprocess.run([generator, *files, *OPTIONS], cwd=SCHEMAS, check=True)  # noqa: S603 - made here


if __name__ == "__main__":
    write_models(MODELS)
