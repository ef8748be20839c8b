"""The template keeps what is stored: from strangers, from mistakes, and with the stack's end."""

import copy
import re
from typing import Any

import pytest
import yaml

from local.places import ROOT
from local.stack.template import for_emulator, template
from tools.branches import Branches

KEY = "arn:aws:kms:eu-west-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
BOUNDARY = "arn:aws:iam::123456789012:policy/boundary"
TEMPLATE = template()
ROLES = ("PlannerRole", "SchedulerRole", "WorkerRole")
CLEAR_TEXT = {"Bool": {"aws:SecureTransport": "false"}}


def resources(**parameters: str) -> dict[str, Any]:
    found: dict[str, Any] = Branches(TEMPLATE, parameters).chosen()["Resources"]
    return found


def of_type(kind: str, **parameters: str) -> list[dict[str, Any]]:
    every = resources(**parameters).values()
    return [resource["Properties"] for resource in every if resource["Type"] == kind]


def statement(policy: str, sid: str) -> dict[str, Any]:
    document = resources()[policy]["Properties"]["PolicyDocument"]
    (found,) = (one for one in document["Statement"] if one["Sid"] == sid)
    return dict(found)


def test_the_template_has_no_anchors() -> None:
    """CloudFormation refuses them, though SAM's own copy of the template has none left."""
    tokens = yaml.scan((ROOT / "template.yaml").read_text())
    assert not [one for one in tokens if isinstance(one, yaml.AnchorToken | yaml.AliasToken)]


# ---- Transport


@pytest.mark.parametrize(
    ("policy", "action"),
    [("LakeBucketPolicy", "s3:*"), ("NotificationsTopicPolicy", "sns:Publish")],
)
def test_bucket_and_topic_take_nothing_in_clear_text(policy: str, action: str) -> None:
    deny = statement(policy, "TlsOnly")
    assert (deny["Effect"], deny["Principal"], deny["Action"]) == ("Deny", "*", action)
    assert deny["Condition"] == CLEAR_TEXT


def test_only_the_emulators_copy_excepts_this_machine() -> None:
    text = (ROOT / "template.yaml").read_text()
    assert "127.0.0." not in re.sub(r"AllowedPattern: .*", "", text)
    patched = for_emulator(copy.deepcopy(TEMPLATE))["Resources"]
    for policy in ("LakeBucketPolicy", "NotificationsTopicPolicy"):
        statements = patched[policy]["Properties"]["PolicyDocument"]["Statement"]
        (deny,) = (one for one in statements if one.get("Sid") == "TlsOnly")
        loopback = {"NotIpAddress": {"aws:SourceIp": "127.0.0.0/8"}}
        assert deny["Condition"] == CLEAR_TEXT | loopback


# ---- Keys


def test_without_a_key_of_the_customer_aws_encrypts_with_its_own() -> None:
    for queue in of_type("AWS::SQS::Queue"):
        assert queue["SqsManagedSseEnabled"] is True
        assert "KmsMasterKeyId" not in queue
    (bucket,) = of_type("AWS::S3::Bucket")
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    entries, alarms = of_type("AWS::SNS::Topic")
    assert entries["KmsMasterKeyId"] == "alias/aws/sns"
    # CloudWatch cannot publish to a topic under that key.
    assert "KmsMasterKeyId" not in alarms
    (table,) = of_type("AWS::DynamoDB::Table")
    assert "SSESpecification" not in table
    assert "kms:" not in str(resources())


ENCRYPTED: dict[str, dict[str, Any]] = {
    "AWS::SQS::Queue": {"KmsMasterKeyId": KEY},
    "AWS::SNS::Topic": {"KmsMasterKeyId": KEY},
    "AWS::Logs::LogGroup": {"KmsKeyId": KEY},
    "AWS::SecretsManager::Secret": {"KmsKeyId": KEY},
    "AWS::DynamoDB::Table": {
        "SSESpecification": {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": KEY}
    },
    "AWS::S3::Bucket": {
        "BucketEncryption": {
            "ServerSideEncryptionConfiguration": [
                {
                    "ServerSideEncryptionByDefault": {
                        "SSEAlgorithm": "aws:kms",
                        "KMSMasterKeyID": KEY,
                    },
                    "BucketKeyEnabled": True,
                }
            ]
        }
    },
}


@pytest.mark.parametrize("kind", ENCRYPTED)
def test_the_customers_key_encrypts_all_that_is_stored(kind: str) -> None:
    found = of_type(kind, KmsKeyArn=KEY)
    assert found
    for properties in found:
        assert ENCRYPTED[kind].items() <= properties.items()
        # SQS takes one of the two only.
        assert "SqsManagedSseEnabled" not in properties


def test_the_functions_may_use_the_customers_key_and_no_other() -> None:
    for role in ("PlannerRole", "WorkerRole"):
        (policy,) = resources(KmsKeyArn=KEY)[role]["Properties"]["Policies"]
        (use,) = (s for s in policy["PolicyDocument"]["Statement"] if s["Sid"] == "UseKey")
        assert use["Action"] == ["kms:Decrypt", "kms:GenerateDataKey"]
        assert use["Resource"] == KEY
    assert TEMPLATE["Globals"]["Function"]["KmsKeyArn"]["Fn::If"][0] == "HasKey"


# ---- Roles


@pytest.mark.parametrize("role", ROLES)
def test_a_boundary_bounds_every_role(role: str) -> None:
    assert "PermissionsBoundary" not in resources()[role]["Properties"]
    bounded = resources(PermissionsBoundaryArn=BOUNDARY)[role]["Properties"]
    assert bounded["PermissionsBoundary"] == BOUNDARY


def test_only_schedules_of_this_account_run_the_planner() -> None:
    role = resources()["SchedulerRole"]["Properties"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "scheduler.amazonaws.com"}
    assert trust["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    (group,) = trust["Condition"]["ArnEquals"].values()
    # A schedule's own ARN would never match: Scheduler names the group.
    assert group["Fn::Sub"].endswith(":schedule-group/default")
    (policy,) = role["Policies"]
    (run,) = policy["PolicyDocument"]["Statement"]
    assert run["Action"] == "lambda:InvokeFunction"
    assert run["Resource"] == {"Fn::GetAtt": ["PlannerFunction", "Arn"]}


# ---- Mistakes


def test_stores_outlive_the_stack() -> None:
    kept = {
        name: (resource["DeletionPolicy"], resource["UpdateReplacePolicy"])
        for name, resource in resources().items()
        if resource.get("DeletionPolicy", "Delete") != "Delete"
    }
    emptied = ("RetainExceptOnCreate", "Retain")
    assert kept == {
        "CredentialsSecret": emptied,
        "LakeBucket": emptied,
        "LakeBucketPolicy": emptied,
        "NotificationsTopic": emptied,
        # A protected table cannot be deleted, not even by a rollback.
        "TimelineTable": ("Retain", "Retain"),
    }
    (table,) = of_type("AWS::DynamoDB::Table")
    assert table["DeletionProtectionEnabled"] is True


def test_a_deleted_object_can_be_restored_for_thirty_days() -> None:
    (bucket,) = of_type("AWS::S3::Bucket")
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    rules = {rule["Id"]: rule for rule in bucket["LifecycleConfiguration"]["Rules"]}
    deleted = rules["DeletedObjects"]
    assert "Prefix" not in deleted
    assert deleted["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    assert deleted["ExpiredObjectDeleteMarker"] is True
    # S3 refuses a rule with both.
    assert all(
        "ExpirationInDays" not in r for r in rules.values() if "ExpiredObjectDeleteMarker" in r
    )
