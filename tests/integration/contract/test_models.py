"""The example's models are those of the schemas."""

from pathlib import Path
from tempfile import TemporaryDirectory

from tools.models import MODELS, TYPES, write_models


def test_the_models_are_of_the_present_schemas() -> None:
    # The generator takes the length of lines from the project that its output lies in.
    with TemporaryDirectory(dir=MODELS.parent, prefix=".models-") as folder:
        write_models(Path(folder))
        generated = {module: (Path(folder) / f"{module}.py").read_text() for module in TYPES}
    kept = {module: (MODELS / f"{module}.py").read_text() for module in TYPES}
    assert kept == generated, "run `make contract`"
