"""The deploying person's policies grant what CloudFormation's own schemas ask for, and fit IAM."""

import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from local.places import ROOT, TOOLS
from tests.support.sam import transformed

POLICIES = [
    json.loads((ROOT / f"docs/{name}.json").read_text())
    for name in ("deploy-policy", "deploy-policy-data")
]
STATEMENTS = [statement for policy in POLICIES for statement in policy["Statement"]]
MAX_MANAGED_POLICY = 6144
"""IAM's quota, without blanks, of what has the names filled in."""

LONG_NAMES = {
    "STACK": "cpd-exporter-of-a-tenant-with-a-long-name",
    "REGION": "ap-southeast-2",
    "ACCOUNT": "123456789012",
    "DATABASE": "cpd_exporter_of_a_tenant_with_a_long_name",
}

UNUSED = {
    "networks, file systems and signing of code": (
        "ec2:*",
        "elasticfilesystem:*",
        "lambda:*CodeSigningConfig",
        "lambda:PassCapacityProvider",
        "lambda:AssociateRuntimeAlias",
        "s3files:*",
    ),
    "streams, replicas and imports of a table": (
        "dynamodb:*Item",
        "dynamodb:*Replica",
        "dynamodb:[!D]*KinesisStreamingDestination",
        "dynamodb:DisableKinesisStreamingDestination",
        "dynamodb:ImportTable",
        "dynamodb:Query",
        "dynamodb:Scan",
        "dynamodb:*[te]ResourcePolicy",
        "iam:CreateServiceLinkedRole",
        "kinesis:*",
        "s3:GetObject",
    ),
    "delivery, indexes and protection of logs": (
        "firehose:*",
        "logs:CreateLogDelivery",
        "logs:CreateLogStream",
        "logs:*BearerToken*",
        "logs:[!G]*DataProtectionPolicy",
        "logs:[!D]*IndexPolicy",
        "logs:DeleteIndexPolicy",
        "logs:[!D]*ResourcePolicy",
        "logs:DeleteResourcePolicy",
        "logs:DescribeLogStreams",
        "logs:PutLogEvents",
        "logs:PutLogGroupDeletionProtection",
        "s3:REST.PUT.OBJECT",
    ),
    "features of a bucket": (
        "s3:*Acceler*",
        "s3:*Metadata*",
        "s3:*Replication*",
        "s3:*Website",
        "s3:DeleteObject",
        "s3:Put*Acl",
        "s3:PutAnalytics*",
        "s3:PutIntelligent*",
        "s3:PutInventory*",
        "s3:PutMetrics*",
        "s3:PutObjectLock*",
        "s3tables:*",
    ),
    "replicas and generated secrets": (
        "secretsmanager:GetRandomPassword",
        "secretsmanager:GetSecretValue",
        "secretsmanager:*Replicat*",
    ),
    "protection of messages": ("sns:PutDataProtectionPolicy",),
    "a customer's key, whose own policy decides": ("kms:*",),
    "connections and Lake Formation": (
        "glue:*Connection",
        "glue:GetSchemaVersion",
        "lakeformation:*",
    ),
    "the results of queries, which whoever asks writes": ("s3:*Multipart*",),
}
"""What the schemas name for properties that the template leaves out."""


@cache
def schemas() -> Path:
    """The resource schemas of CloudFormation, as cfn-lint ships them."""
    [folder] = (TOOLS / "sam/lib").glob("python3*/site-packages/cfnlint/data/schemas")
    return folder


def asked_for(kind: str) -> set[str]:
    """The actions by which CloudFormation makes, reads, changes and removes such a resource."""
    names = json.loads((schemas() / "providers/us-east-1.json").read_text())
    schema: dict[str, Any] = json.loads((schemas() / f"resources/{names[kind]}.json").read_text())
    handlers = [schema["handlers"].get(one, {}) for one in ("create", "read", "update", "delete")]
    return {
        action
        for part in (*handlers, schema.get("tagging", {}))
        for action in part.get("permissions", [])
        if not is_unused(action)
    }


def is_unused(action: str) -> bool:
    return any(fnmatchcase(action, one) for patterns in UNUSED.values() for one in patterns)


def granted() -> Iterator[str]:
    for statement in STATEMENTS:
        assert statement["Effect"] == "Allow"
        yield from statement["Action"]


@pytest.mark.parametrize(
    "kind", sorted({one["Type"] for one in transformed()["Resources"].values()})
)
def test_every_resource_of_the_template_can_be_deployed(kind: str) -> None:
    patterns = set(granted())
    refused = {
        action
        for action in asked_for(kind)
        if not any(fnmatchcase(action, pattern) for pattern in patterns)
    }
    assert not refused, f"the policies in docs/ let nobody deploy a {kind}"


@pytest.mark.parametrize("policy", POLICIES)
def test_each_policy_fits_into_a_managed_policy(policy: dict[str, Any]) -> None:
    text = json.dumps(policy, separators=(",", ":"))
    for placeholder, name in LONG_NAMES.items():
        text = text.replace(placeholder, name)
    assert len(text) <= MAX_MANAGED_POLICY


def test_the_first_metadata_of_the_current_table_can_be_written() -> None:
    # Glue writes it with the rights of whoever deploys.
    [writing] = [
        statement for statement in STATEMENTS if "current-entries/" in str(statement["Resource"])
    ]
    assert set(writing["Action"]) == {"s3:GetObject", "s3:PutObject"}


def test_a_database_can_be_removed_with_the_functions_that_it_may_hold() -> None:
    [catalog] = [one for one in STATEMENTS if "glue:*Database" in one["Action"]]
    kinds = {resource.split(":")[5].partition("/")[0] for resource in catalog["Resource"]}
    assert kinds == {"catalog", "database", "table", "userDefinedFunction"}


def test_what_reaches_every_resource_neither_reads_data_nor_grants_rights() -> None:
    everywhere = {
        action
        for statement in STATEMENTS
        if statement["Resource"] == "*"
        for action in statement["Action"]
    }
    services = {action.partition(":")[0] for action in everywhere}
    assert services == {"cloudformation", "lambda", "logs"}
    assert not any("*" in action for action in everywhere)
    assert "logs:GetLogEvents" not in everywhere


def test_roles_are_given_to_the_two_services_only() -> None:
    [passing] = [one for one in STATEMENTS if "iam:PassRole" in one["Action"]]
    assert passing["Action"] == ["iam:PassRole"]
    assert passing["Condition"]["StringEquals"]["iam:PassedToService"] == [
        "lambda.amazonaws.com",
        "scheduler.amazonaws.com",
    ]
