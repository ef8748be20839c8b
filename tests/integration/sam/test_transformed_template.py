"""The template as CloudFormation gets it, expanded by SAM's translator."""

from collections.abc import Iterator
from typing import Any

from tests.support.sam import transformed

PHYSICAL_NAMES = {
    "AWS::Athena::NamedQuery": (),  # its name is one in the workgroup
    "AWS::Athena::WorkGroup": (),  # its name is that of the stack
    "AWS::CloudWatch::Alarm": ("AlarmName",),
    "AWS::CloudWatch::Dashboard": ("DashboardName",),
    "AWS::DynamoDB::Table": ("TableName",),
    "AWS::Glue::Database": (),  # its name is that of the stack
    "AWS::Glue::Table": (),  # its name is one in the database
    "AWS::IAM::Role": ("RoleName",),
    "AWS::Lambda::EventInvokeConfig": (),
    "AWS::Lambda::EventSourceMapping": (),
    "AWS::Lambda::Function": ("FunctionName",),
    "AWS::Lambda::LayerVersion": (),  # each deployment adds a version under the one name
    "AWS::Logs::LogGroup": ("LogGroupName",),
    "AWS::Logs::QueryDefinition": (),  # its name begins with that of the stack
    "AWS::S3::Bucket": ("BucketName",),
    "AWS::S3::BucketPolicy": (),
    "AWS::Scheduler::Schedule": ("Name",),
    "AWS::SecretsManager::Secret": ("Name",),
    "AWS::SNS::Subscription": (),
    "AWS::SNS::Topic": ("TopicName",),
    "AWS::SNS::TopicPolicy": (),
    "AWS::SQS::Queue": ("QueueName",),
}
"""The properties that name a resource within an account and region, by type."""


def resources() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for name, resource in transformed()["Resources"].items():
        yield name, resource["Type"], resource.get("Properties", {})


def test_every_type_is_known_here() -> None:
    """A new type must say which of its properties is a physical name."""
    assert {kind for _, kind, _ in resources()} <= PHYSICAL_NAMES.keys()


def test_no_resource_has_a_physical_name() -> None:
    """So two stacks can stand in one account and region."""
    named = [
        f"{name}: {kind}.{property_}"
        for name, kind, properties in resources()
        for property_ in PHYSICAL_NAMES[kind]
        if property_ in properties
    ]
    assert not named
