"""The template under AWS Control Tower's rules, as `make lint` checks it."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.sam import transformed
from tools.branches import Branches
from tools.rules import PARAMETERS, Finding, control_tower


def broken(template: dict[str, Any], folder: Path) -> set[Finding]:
    path = folder / "template.json"
    path.write_text(json.dumps(template))
    return set(control_tower(path))


@pytest.fixture
def strict() -> dict[str, Any]:
    """The template as an account with Control Tower deploys it, to be changed by a test."""
    copy: dict[str, Any] = json.loads(json.dumps(Branches(transformed(), PARAMETERS).chosen()))
    return copy


def test_a_policy_that_says_more_than_tls_only_breaks_a_rule(
    strict: dict[str, Any], tmp_path: Path
) -> None:
    finding = ("CT.S3.PR.8", "LakeBucketPolicy")
    assert finding not in broken(strict, tmp_path)
    for statement in strict["Resources"]["LakeBucketPolicy"]["Properties"]["PolicyDocument"][
        "Statement"
    ]:
        statement["Condition"]["NotIpAddress"] = {"aws:SourceIp": "127.0.0.0/8"}
    assert finding in broken(strict, tmp_path)


def test_without_a_key_of_the_customer_the_rules_about_keys_are_broken(tmp_path: Path) -> None:
    findings = broken(Branches(transformed(), {}).chosen(), tmp_path)
    assert ("CT.CLOUDWATCH.PR.3", "WorkerLogGroup") in findings
    assert ("CT.S3.PR.10", "LakeBucket") in findings
