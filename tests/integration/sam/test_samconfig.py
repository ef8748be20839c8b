"""Every stage of samconfig.toml, read by SAM's own parsers."""

import tomllib
from typing import Any

import pytest

from local.places import ROOT
from local.stack.template import check
from tests.support.sam import deploy_settings

STAGES = ("dev", "staging", "prod")


@pytest.fixture(scope="module")
def settings() -> dict[str, dict[str, Any]]:
    return deploy_settings(*STAGES, "local")


def test_the_stages_are_those_of_the_file() -> None:
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    assert config.keys() - {"version", "default"} == {*STAGES, "local"}


@pytest.mark.parametrize("stage", STAGES)
def test_sam_gives_a_stage_only_values_that_the_template_takes(
    settings: dict[str, dict[str, Any]], stage: str
) -> None:
    overrides = settings[stage]["parameter_overrides"]
    assert overrides
    for name, value in overrides.items():
        check({name: value})


def test_a_value_with_a_blank_reaches_the_template_whole(
    settings: dict[str, dict[str, Any]],
) -> None:
    assert settings["dev"]["parameter_overrides"]["Schedule"] == "rate(15 minutes)"


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_says_all_that_a_deployment_needs(
    settings: dict[str, dict[str, Any]], stage: str
) -> None:
    deploy = settings[stage]
    assert deploy["stack_name"] == f"cpd-exporter-{stage}"
    assert deploy["capabilities"] == "CAPABILITY_IAM"
    assert deploy["s3_prefix"] == deploy["stack_name"]
    assert deploy["resolve_s3"] is True
    # CloudFormation puts these on every resource that takes tags.
    assert deploy["tags"] == {"application": "cpd-exporter", "stage": stage}
