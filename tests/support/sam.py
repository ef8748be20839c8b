"""What SAM's own code makes of the project's files: it runs in SAM's environment."""

import json
import subprocess
from functools import cache
from typing import Any

from local.places import ROOT

_SAM_PYTHON = ROOT / ".tools/sam/bin/python"

_OVERRIDES = """
import json, sys
from pathlib import Path
import click
from samcli.cli.cli_config_file import ConfigProvider
from samcli.cli.types import CfnParameterOverridesType
answers = {}
for stage in sys.argv[2:]:
    with click.Context(click.Command("deploy")):
        config = ConfigProvider(section="parameters")(Path(sys.argv[1]), stage, ["deploy"])
    given = config.get("parameter_overrides", [])
    config["parameter_overrides"] = CfnParameterOverridesType().convert(given, None, None)
    answers[stage] = config
print(json.dumps(answers))
"""

_TRANSFORM = """
import json, os, sys
os.environ.setdefault("AWS_DEFAULT_REGION", "eu-west-2")
from samcli.yamlhelper import yaml_parse
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
template = yaml_parse(open(sys.argv[1]).read())
template["Resources"]["ExporterLayer"]["Properties"]["ContentUri"] = "s3://built/layer.zip"
for resource in template["Resources"].values():
    if resource["Type"] == "AWS::Serverless::Function":
        resource["Properties"]["CodeUri"] = "s3://built/function.zip"
print(json.dumps(Translator({}, Parser()).translate(template, {})))
"""


def deploy_settings(*stages: str) -> dict[str, dict[str, Any]]:
    """The settings of ``sam deploy`` for each stage, with the parameters as SAM splits them."""
    return _run(_OVERRIDES, str(ROOT / "samconfig.toml"), *stages)


@cache
def transformed() -> dict[str, Any]:
    """The template that CloudFormation gets: SAM's translator has expanded it."""
    return _run(_TRANSFORM, str(ROOT / "template.yaml"))


def _run(program: str, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(  # noqa: S603  # SAM's interpreter and a program of this module
        [_SAM_PYTHON, "-c", program, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
