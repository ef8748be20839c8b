"""The page for operators says what the template needs."""

import json
import re
from typing import Any

from local.places import ROOT
from local.stack.template import template

PAGE = (ROOT / "docs/operations.md").read_text()
SERVICES = {
    "AWS::DynamoDB::Table": "dynamodb",
    "AWS::Lambda::Function": "lambda",
    "AWS::S3::Bucket": "s3",
    "AWS::SNS::Topic": "sns",
    "AWS::SQS::Queue": "sqs",
    "AWS::SecretsManager::Secret": "secretsmanager",
    "AWS::Serverless::Function": "lambda",
}


def key_policy() -> dict[str, dict[str, Any]]:
    (block,) = re.findall(r"```json\n(\[.*?)```", PAGE, re.DOTALL)
    return {statement["Sid"]: statement for statement in json.loads(block)}


def test_the_key_policy_serves_every_service_that_encrypts_with_it() -> None:
    statements = key_policy()
    via = statements["StoresOfThisAccount"]["Condition"]["StringEquals"]["kms:ViaService"]
    kinds = {resource["Type"] for resource in template()["Resources"].values()}
    needed = {SERVICES[kind] for kind in kinds & SERVICES.keys()}
    assert set(via) == {f"{service}.REGION.amazonaws.com" for service in needed}
    assert "AWS::Logs::LogGroup" in kinds
    assert statements["LogsOfThisAccount"]["Principal"] == {"Service": "logs.REGION.amazonaws.com"}


def test_operations_have_a_row_for_each_alarm() -> None:
    rows = re.findall(r"^\| `(\w+Alarm)` \| (.+) \| (.+) \| (.+) \|$", PAGE, re.MULTILINE)
    alarms = [
        name
        for name, one in template()["Resources"].items()
        if one["Type"] == "AWS::CloudWatch::Alarm"
    ]
    assert [name for name, *_ in rows] == alarms
    assert all(cell.strip() for row in rows for cell in row)


def test_what_an_alarm_says_to_type_is_in_its_row_too() -> None:
    for name, one in template()["Resources"].items():
        if one["Type"] != "AWS::CloudWatch::Alarm":
            continue
        [row] = re.findall(rf"^\| `{name}` .*$", PAGE, re.MULTILINE)
        description = one["Properties"]["AlarmDescription"]["Fn::Sub"]
        for words in ("confirm-deletions", "purge-queue", "FingerprintExclude", "account-settings"):
            assert (words in row) == (words in description), (name, words)
