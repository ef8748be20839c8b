"""What SAM's own code makes of the project's files: it runs in SAM's environment."""

import json
import subprocess
from functools import cache
from typing import Any

from local.places import ROOT
from tools.rules import expanded

_SAM_PYTHON = ROOT / ".tools/sam/bin/python"

_OVERRIDES = """
import json, sys
from pathlib import Path
import click
from samcli.cli.cli_config_file import ConfigProvider
from samcli.cli.types import CfnParameterOverridesType, CfnTags
answers = {}
for stage in sys.argv[2:]:
    with click.Context(click.Command("deploy")):
        config = ConfigProvider(section="parameters")(Path(sys.argv[1]), stage, ["deploy"])
    given = config.get("parameter_overrides", [])
    config["parameter_overrides"] = CfnParameterOverridesType().convert(given, None, None)
    config["tags"] = CfnTags().convert(config.get("tags", []), None, None)
    answers[stage] = config
print(json.dumps(answers))
"""


def deploy_settings(*stages: str) -> dict[str, dict[str, Any]]:
    """The settings of ``sam deploy`` for each stage, with the parameters as SAM splits them."""
    return _run(_OVERRIDES, str(ROOT / "samconfig.toml"), *stages)


@cache
def transformed() -> dict[str, Any]:
    """The template that CloudFormation gets: SAM's translator has expanded it."""
    return expanded()


def _run(program: str, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(  # noqa: S603  # SAM's interpreter and a program of this module
        [_SAM_PYTHON, "-c", program, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
