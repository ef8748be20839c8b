"""The example's models are those of the schemas."""

from pathlib import Path

from tools.models import MODELS, TYPES, write_models


def test_the_models_are_of_the_present_schemas(tmp_path: Path) -> None:
    write_models(tmp_path)
    for module in TYPES:
        generated = (tmp_path / f"{module}.py").read_text()
        assert (MODELS / f"{module}.py").read_text() == generated, "run `make contract`"
