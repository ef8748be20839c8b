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
