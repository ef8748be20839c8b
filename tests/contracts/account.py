"""An AWS account for the adapters: moto, with the timeline table as the template declares it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import boto3
import pytest
import yaml
from botocore.exceptions import ReadTimeoutError
from moto import mock_aws
from moto.core.models import botocore_stubber

from cpd_exporter.adapters.aws.client import CLIENT_CONFIG
from tests.support.quick_moto import hasten

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_s3 import S3Client
    from types_boto3_secretsmanager import SecretsManagerClient
    from types_boto3_sns import SNSClient
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import MessageTypeDef

REGION: Literal["eu-west-2"] = "eu-west-2"
TABLE = "state"
BUCKET = "the-lake"
_TEMPLATE = Path(__file__).parents[2] / "template.yaml"

hasten()


@dataclass(frozen=True)
class MotoAccount:
    """Clients, and the places that the adapters are given."""

    dynamodb: "DynamoDBClient"
    s3: "S3Client"
    sns: "SNSClient"
    sqs: "SQSClient"
    secretsmanager: "SecretsManagerClient"
    topic_arn: str
    queue_url: str
    subscriber_url: str

    def received(self, queue_url: str) -> "list[MessageTypeDef]":
        """All messages of a queue, taken out of it."""
        received: list[MessageTypeDef] = []
        while messages := self.sqs.receive_message(
            QueueUrl=queue_url,
            MaxNumberOfMessages=10,
            MessageAttributeNames=["All"],
        ).get("Messages"):
            for message in messages:
                received.append(message)
                self.sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
        return received


@contextmanager
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[MotoAccount]:
    """A new account, without waits between botocore's own attempts."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    with mock_aws():
        dynamodb, s3, sns, sqs, secretsmanager = _clients()
        dynamodb.create_table(TableName=TABLE, **timeline_table())
        s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        queue_url, subscriber_url = (
            sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("pages", "subscriber")
        )
        topic_arn = sns.create_topic(Name="notifications")["TopicArn"]
        subscriber = sqs.get_queue_attributes(QueueUrl=subscriber_url, AttributeNames=["QueueArn"])[
            "Attributes"
        ]["QueueArn"]
        sns.subscribe(
            TopicArn=topic_arn,
            Protocol="sqs",
            Endpoint=subscriber,
            Attributes={"RawMessageDelivery": "true"},
        )
        yield MotoAccount(
            dynamodb, s3, sns, sqs, secretsmanager, topic_arn, queue_url, subscriber_url
        )


@cache
def _clients() -> "tuple[DynamoDBClient, S3Client, SNSClient, SQSClient, SecretsManagerClient]":
    """Made once, since making one takes longer than a test; the accounts behind them are new."""
    session = boto3.Session(region_name=REGION)
    return (
        session.client("dynamodb", config=CLIENT_CONFIG),
        session.client("s3", config=CLIENT_CONFIG),
        session.client("sns", config=CLIENT_CONFIG),
        session.client("sqs", config=CLIENT_CONFIG),
        session.client("secretsmanager", config=CLIENT_CONFIG),
    )


@contextmanager
def lost_answers(client: Any, operation: str, times: int = 1) -> Iterator[None]:
    """Carry out the next calls of an operation, and let their answers time out.

    Four in a row exhaust botocore's own attempts: then the caller never learns of it.
    """
    event = f"before-send.{client.meta.service_model.service_id.hyphenize()}.{operation}"
    left = [None] * times

    def lose(request: Any, event_name: str, **_: Any) -> None:
        if left:
            left.pop()
            botocore_stubber(event_name, request)
            raise ReadTimeoutError(endpoint_url=request.url)

    client.meta.events.register_first(event, lose)
    try:
        yield
    finally:
        client.meta.events.unregister(event, lose)
    assert not left, "not every answer was lost: the operation was called too seldom"


class PlainTemplate(yaml.CSafeLoader):
    """Reads a template's plain values; what CloudFormation computes is left out."""


PlainTemplate.add_multi_constructor("!", lambda *_: None)


@cache
def timeline_table() -> dict[str, Any]:
    template = yaml.load(_TEMPLATE.read_text(), Loader=PlainTemplate)  # noqa: S506  # a SafeLoader
    table = template["Resources"]["TimelineTable"]["Properties"]
    wanted = ("AttributeDefinitions", "BillingMode", "KeySchema", "LocalSecondaryIndexes")
    return {name: table[name] for name in wanted}
