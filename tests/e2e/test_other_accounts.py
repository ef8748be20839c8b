"""A second account: it subscribes its own queue and reads entries; a third may do neither."""

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.driver import Progress
from local.lake import keys
from local.stack.account import EmulatedAccount
from local.stack.deploy import DeployedStack
from local.subscriber import subscribe
from tests.e2e.conftest import READER
from tests.support.samples import TENANT

STRANGER = "333333333333"


def account_of(stack: DeployedStack, number: str) -> EmulatedAccount:
    """Another account in the same emulator: MiniStack takes its number for a key of its root."""
    return replace(stack.account, access_key_id=number, secret_access_key="any")


def code_of(call: Callable[..., Any], **arguments: Any) -> str:
    """The error that a call meets; empty if it meets none."""
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return ""


@pytest.fixture
def an_object(stack: DeployedStack, exported: Progress) -> dict[str, str]:
    key = next(key for key in keys(stack) if key.startswith("entries/"))
    return {"Bucket": stack.outputs["LakeBucketName"], "Key": key}


def test_a_named_account_reads_entries(stack: DeployedStack, an_object: dict[str, str]) -> None:
    s3 = account_of(stack, READER).s3
    body = s3.get_object(**an_object)["Body"].read()  # type: ignore[arg-type]
    assert json.loads(gzip.decompress(body).splitlines()[0])["change"] == "created"
    listed = s3.list_objects_v2(Bucket=an_object["Bucket"], Prefix="entries/")["Contents"]
    assert an_object["Key"] in [one["Key"] for one in listed]


def test_a_named_account_gets_nothing_else(stack: DeployedStack, an_object: dict[str, str]) -> None:
    theirs, bucket = account_of(stack, READER), an_object["Bucket"]
    quarantined = next(key for key in keys(stack) if key.startswith("quarantine/"))
    assert code_of(theirs.s3.get_object, Bucket=bucket, Key=quarantined) == "AccessDenied"
    assert code_of(theirs.s3.put_object, Body=b"", **an_object) == "AccessDenied"
    assert code_of(theirs.s3.delete_object, **an_object) == "AccessDenied"
    assert code_of(theirs.s3.list_objects_v2, Bucket=bucket) == "AccessDenied"
    topic = stack.outputs["NotificationsTopicArn"]
    refused = code_of(theirs.sns.publish, TopicArn=topic, Message="theirs")
    assert refused == "AuthorizationError"


def test_another_account_gets_nothing(stack: DeployedStack, an_object: dict[str, str]) -> None:
    theirs = account_of(stack, STRANGER)
    assert code_of(theirs.s3.get_object, **an_object) == "AccessDenied"
    bucket = an_object["Bucket"]
    refused = code_of(theirs.s3.list_objects_v2, Bucket=bucket, Prefix="entries/")
    assert refused == "AccessDenied"
    with pytest.raises(ClientError, match="AuthorizationError"):
        subscribe(replace(stack, account=theirs), "strangers")


def test_a_named_account_hears_of_new_entries_in_its_own_queue(
    stack: DeployedStack, an_object: dict[str, str]
) -> None:
    theirs = account_of(stack, READER)
    url = subscribe(replace(stack, account=theirs), "readers")
    assert READER in url
    topic = stack.outputs["NotificationsTopicArn"]
    stack.account.sns.publish(TopicArn=topic, Message=TENANT)
    [message] = theirs.sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
    assert message["Body"] == TENANT
