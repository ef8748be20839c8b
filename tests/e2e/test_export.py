"""The whole way: API, planner, queue, workers, lake, topic, a subscriber's queue."""

import gzip
import time
from operator import itemgetter
from typing import Any

import pytest
import simplejson

from local.driver import Progress, export_all, invoke, read_progress
from local.lake import keys
from local.sources import sum_logged
from local.stack.deploy import DeployedStack
from tests.e2e.conftest import ENTRIES, MAX_IDLE_SECONDS, Api
from tests.support.pace import patience

OWN = {"change", "fingerprint", "tenantId", "exportedAt", "schemaVersion"}


@pytest.fixture(scope="session")
def rows(stack: DeployedStack, exported: Progress) -> dict[str, list[dict[str, Any]]]:
    return read_rows(stack)


@pytest.fixture(scope="session")
def events(
    stack: DeployedStack, exported: Progress, queue_url: str, api: Api
) -> list[dict[str, Any]]:
    return receive(stack, queue_url, expected=len(api.valid))


def read_rows(stack: DeployedStack) -> dict[str, list[dict[str, Any]]]:
    """The rows of every object with entries, by its key."""
    return {
        key: [parse(line) for line in gzip.decompress(read(stack, key)).splitlines()]
        for key in keys(stack)
        if key.startswith("entries/")
    }


def read(stack: DeployedStack, key: str) -> bytes:
    bucket = stack.outputs["LakeBucketName"]
    return stack.account.s3.get_object(Bucket=bucket, Key=key)["Body"].read()


def receive(stack: DeployedStack, queue_url: str, *, expected: int) -> list[dict[str, Any]]:
    """All messages there are, waiting for them while there are less than expected."""
    sqs, bodies = stack.account.sqs, list[str]()
    while True:
        wait = 5 if len(bodies) < expected else 0
        messages = sqs.receive_message(
            QueueUrl=queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=wait
        ).get("Messages", [])
        if not messages:
            return [parse(body) for body in bodies]
        bodies += [message["Body"] for message in messages]
        for message in messages:
            sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])


def parse(text: str | bytes) -> Any:
    return simplejson.loads(text, use_decimal=True)


def test_no_message_failed_on_the_way(stack: DeployedStack, exported: Progress) -> None:
    # The planner mends what a worker could not do, so the lake alone would not show it.
    assert exported.exported_percent > 0
    assert sum_logged(stack, "changes", "created") == ENTRIES
    # Only a message that failed logs how often it was received.
    assert sum_logged(stack, "receives") == 0


def test_every_entry_is_in_the_lake_exactly_as_it_is_in_the_api(
    rows: dict[str, list[dict[str, Any]]], api: Api
) -> None:
    stored = [row for lines in rows.values() for row in lines]
    contents = {
        row["logEntryId"]: {name: value for name, value in row.items() if name not in OWN}
        for row in stored
    }
    assert contents == {entry.log_entry_id: entry.value for entry in api.valid}
    assert len(stored) == len(api.valid)


def test_objects_are_partitioned_by_month(rows: dict[str, list[dict[str, Any]]], api: Api) -> None:
    tenant_id = api.secret["tenantId"]
    for key, lines in rows.items():
        months = {row["entryDate"][: len("2026-01")] for row in lines}
        assert len(months) == 1
        assert key.startswith(f"entries/entry_month={months.pop()}/")
        assert {row["tenantId"] for row in lines} == {tenant_id}
        assert {row["change"] for row in lines} == {"created"}


def test_every_entry_is_published_once_from_where_it_is_stored(
    events: list[dict[str, Any]],
    rows: dict[str, list[dict[str, Any]]],
    api: Api,
    stack: DeployedStack,
) -> None:
    published = {event["subject"]: event["data"]["entry"] for event in events}
    assert published == {entry.log_entry_id: entry.value for entry in api.valid}
    assert len(events) == len({event["id"] for event in events}) == len(api.valid)

    bucket = stack.outputs["LakeBucketName"]
    places = {
        row["logEntryId"]: (f"s3://{bucket}/{key}", row["fingerprint"], row["exportedAt"])
        for key, lines in rows.items()
        for row in lines
    }
    for event in events:
        data = event["data"]
        assert (data["lakeUri"], data["fingerprint"], event["time"]) == places[event["subject"]]
        assert event["type"] == "cpd.entry.created"
        assert event["source"] == f"urn:cpd-exporter:tenant:{api.secret['tenantId']}"


def test_faulty_records_are_kept_byte_for_byte(
    stack: DeployedStack, exported: Progress, api: Api
) -> None:
    kept = {read(stack, key).split(b"\n", 1)[1] for key in keys(stack) if "quarantine/" in key}
    assert kept == {entry.text.encode() for entry in api.faulty}
    assert exported.holes == ()


def test_a_second_export_finds_nothing_new(
    stack: DeployedStack,
    events: list[dict[str, Any]],
    rows: dict[str, list[dict[str, Any]]],
    queue_url: str,
) -> None:
    export_all(stack, show=lambda _: None, max_idle_seconds=MAX_IDLE_SECONDS)
    assert read_rows(stack).keys() == rows.keys()
    assert receive(stack, queue_url, expected=0) == []


def page_with_rows(stack: DeployedStack) -> dict[str, Any]:
    """The item of a page that is done and has an object, as DynamoDB gives it."""
    items = stack.account.dynamodb.scan(TableName=stack.outputs["TimelineTableName"])["Items"]
    return next(item for item in items if "object" in item)


def die_in(stack: DeployedStack, page: dict[str, Any], state: str) -> None:
    """Put a page back to where a worker that died in this state would have left it."""
    stack.account.dynamodb.update_item(
        TableName=stack.outputs["TimelineTableName"],
        Key={"pk": page["pk"], "sk": page["sk"]},
        UpdateExpression="SET #state = :state, undone = :start REMOVE sentAt, leaseUntil",
        ExpressionAttributeNames={"#state": "state"},
        ExpressionAttributeValues={":state": {"S": state}, ":start": page["start"]},
    )


def export_until_nothing_waits(stack: DeployedStack) -> None:
    deadline = time.monotonic() + patience(MAX_IDLE_SECONDS)
    invoke(stack, {"command": "export"})
    while (progress := read_progress(stack)) and progress.waiting:
        assert time.monotonic() < deadline, "timed out: the page is not worked on again"
        time.sleep(0.3)


def test_after_a_worker_that_died_publishing_the_next_publishes_from_the_lake(
    stack: DeployedStack, events: list[dict[str, Any]], queue_url: str
) -> None:
    page = page_with_rows(stack)
    die_in(stack, page, "stored")
    export_until_nothing_waits(stack)
    again = receive(stack, queue_url, expected=int(page["entries"]["N"]))
    uri = f"s3://{stack.outputs['LakeBucketName']}/{page['object']['S']}"
    first = [event for event in events if event["data"]["lakeUri"] == uri]
    assert sorted(again, key=itemgetter("id")) == sorted(first, key=itemgetter("id"))


def test_after_a_worker_that_died_before_storing_the_next_stores(
    stack: DeployedStack, rows: dict[str, list[dict[str, Any]]], queue_url: str
) -> None:
    page = page_with_rows(stack)
    bucket, key = stack.outputs["LakeBucketName"], page["object"]["S"]
    stack.account.s3.delete_object(Bucket=bucket, Key=key)
    die_in(stack, page, "writing")
    export_until_nothing_waits(stack)
    stored = read_rows(stack)
    assert stored.keys() == rows.keys()
    assert {row["logEntryId"] for row in stored[key]} == {row["logEntryId"] for row in rows[key]}
    assert len(receive(stack, queue_url, expected=len(rows[key]))) == len(rows[key])


def test_a_message_that_cannot_be_understood_ends_in_the_dead_letter_queue(
    stack: DeployedStack, exported: Progress
) -> None:
    sqs, poison = stack.account.sqs, '{"kind": "page", "start": "yesterday"}'
    queue_url = stack.outputs["WorkQueueUrl"]
    settings = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["VisibilityTimeout"])
    # Ten workers fail one after the other, and nobody has to wait for the next.
    sqs.set_queue_attributes(QueueUrl=queue_url, Attributes={"VisibilityTimeout": "1"})
    sqs.send_message(QueueUrl=queue_url, MessageBody=poison)
    deadline, dead = time.monotonic() + patience(90), list[str]()
    while not dead and time.monotonic() < deadline:
        answer = sqs.receive_message(
            QueueUrl=stack.outputs["WorkDeadLetterQueueUrl"], WaitTimeSeconds=2
        )
        dead = [message["Body"] for message in answer.get("Messages", [])]
    sqs.set_queue_attributes(QueueUrl=queue_url, Attributes=settings["Attributes"])
    assert dead == [poison]


def test_status_shows_how_far_the_export_is(
    stack: DeployedStack, exported: Progress, api: Api
) -> None:
    (status,) = invoke(stack, {"command": "status"})["tenants"]
    assert status["tenantId"] == api.secret["tenantId"]
    assert status["holes"] == []
    assert status["pages"]["open"] == status["pages"]["writing"] == status["pages"]["stored"] == 0
    assert status["sweeps"] == {"open": 0, "writing": 0, "stored": 0}
    assert status["exportedThrough"] <= status["plannedThrough"]


def test_a_malformed_command_is_answered_by_what_is_allowed(stack: DeployedStack) -> None:
    error = invoke(stack, {"command": "explode"})["error"]
    assert error["type"] == "MalformedInputError"
    assert "status" in error["message"]
