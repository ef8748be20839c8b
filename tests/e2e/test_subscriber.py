"""The example subscriber beside the exporter: its table ends with the API's exact state."""

import random
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import simplejson

from local.driver import export_all, invoke
from local.places import ROOT, TOOLS
from local.stack.build import architecture, sam_environment
from local.stack.deploy import DeployedStack, EmulatedPlace, emulated
from local.stack.processes import run
from local.subscriber import subscribe
from simulator import Profile, Simulator, running, seeded
from tests.e2e.conftest import MAX_IDLE_SECONDS
from tests.e2e.test_export import receive
from tests.e2e.test_sweeps import command
from tests.support.pace import patience

START = datetime.now(UTC).replace(microsecond=0) - timedelta(days=60)
EVERYTHING = {
    "from": f"{START:%Y-%m-01T00:00:00Z}",
    "to": f"{datetime.now(UTC):%Y-%m-%dT00:00:00Z}",
}
ENTRIES = 80
MAX_APPLY_SECONDS = 60


@pytest.fixture(scope="module")
def simulator() -> Simulator:
    end = datetime.now(UTC) - timedelta(days=2)
    return Simulator(seeded(Profile(first=START, end=end, entries=ENTRIES, seed=7, extras=0.5)))


@pytest.fixture(scope="module")
def place() -> Iterator[EmulatedPlace]:
    with emulated(say=print) as place:
        yield place


@pytest.fixture(scope="module")
def exporter(place: EmulatedPlace, simulator: Simulator) -> Iterator[DeployedStack]:
    with running(simulator) as url:
        stack = place.deploy(
            {
                "ApiUrl": url,
                "ScheduleState": "DISABLED",
                "FirstDate": f"{START:%Y-%m-01}",
                "DeletionDelaySeconds": "0",
            }
        )
        accepted = simulator.credentials
        stack.put_secret({"tenantId": accepted.tenant_id, "apiSecret": accepted.api_secret})
        yield stack


@pytest.fixture(scope="module")
def subscriber(
    place: EmulatedPlace, exporter: DeployedStack, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The outputs of the example's stack, built and deployed as its own page says."""
    folder = tmp_path_factory.mktemp("subscriber")
    account = place.account
    # `sam build` takes the functions' Python, with its pip, from the path.
    python = Path(sys.base_prefix) / "bin"
    environment = sam_environment()
    environment |= {
        "PATH": f"{python}:{environment['PATH']}",
        "AWS_ENDPOINT_URL": account.endpoint,
        "AWS_DEFAULT_REGION": account.region,
        "AWS_ACCESS_KEY_ID": account.access_key_id,
        "AWS_SECRET_ACCESS_KEY": account.secret_access_key,
    }
    parameters = {
        "NotificationsTopicArn": exporter.outputs["NotificationsTopicArn"],
        "LakeBucketName": exporter.outputs["LakeBucketName"],
        "Architecture": architecture(),
    }
    sam = TOOLS / "sam/bin/sam"
    template = ROOT / "examples/subscriber/template.yaml"
    overrides = [f'{name}="{value}"' for name, value in parameters.items()]
    run(
        [
            *(sam, "build", "--template", template, "--build-dir", folder / "built"),
            *("--parameter-overrides", *overrides),
        ],
        environment,
        folder / "sam-build.log",
        "sam build",
    )
    run(
        [
            *(sam, "deploy", "--template-file", folder / "built/template.yaml"),
            *("--stack-name", "cpd-subscriber", "--capabilities", "CAPABILITY_IAM"),
            *("--no-confirm-changeset", "--no-resolve-s3", "--s3-bucket", "sam-artifacts"),
            *("--parameter-overrides", *overrides),
        ],
        environment,
        folder / "sam-deploy.log",
        "sam deploy",
    )
    (stack,) = account.cloudformation.describe_stacks(StackName="cpd-subscriber")["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def kept(exporter: DeployedStack, subscriber: dict[str, str]) -> dict[str, Any]:
    """The entries in the subscriber's table that are not marked as deleted, by ID."""
    pages = exporter.account.dynamodb.get_paginator("scan").paginate(
        TableName=subscriber["RecordsTableName"]
    )
    records = [record for page in pages for record in page["Items"]]
    return {
        record["subject"]["S"]: simplejson.loads(record["entry"]["S"], use_decimal=True)
        for record in records
        if not record["deleted"]["BOOL"]
    }


def await_state(read: Callable[[], dict[str, Any]], expected: dict[str, Any]) -> None:
    deadline = time.monotonic() + patience(MAX_APPLY_SECONDS)
    while read() != expected and time.monotonic() < deadline:
        time.sleep(1)
    assert read() == expected


def test_the_table_ends_with_the_state_of_the_api(
    exporter: DeployedStack, subscriber: dict[str, str], simulator: Simulator
) -> None:
    def expected() -> dict[str, Any]:
        return {entry.log_entry_id: entry.value for entry in simulator.store}

    def read() -> dict[str, Any]:
        return kept(exporter, subscriber)

    copies = subscribe(exporter, "copies")
    invoke(exporter, {"command": "ping"})
    large = next(iter(simulator.store)).log_entry_id
    simulator.store.edit(large, description="too large for SNS " * 15_000)
    export_all(exporter, show=lambda _: None, max_idle_seconds=MAX_IDLE_SECONDS)
    await_state(read, expected())

    stored = list(simulator.store)
    for entry in stored[10:60:5]:
        simulator.store.edit(entry.log_entry_id, durationMinutes=61)
    for entry in stored[12:60:5]:
        simulator.store.delete(entry.log_entry_id)
    last_month = datetime.now(UTC).replace(day=1, hour=12) - timedelta(days=10)
    for n in range(10):
        simulator.insert(last_month + timedelta(minutes=n))
    for _ in range(2):
        command(exporter, "sweep", **EVERYTHING)
    command(exporter, "replay", subscribers="all", **EVERYTHING)
    await_state(read, expected())

    # All of it again, in another order: nothing changes.
    sqs = exporter.account.sqs
    events = receive(exporter, copies, expected=1 + ENTRIES + 30 + len(expected()))
    assert {event["type"].rpartition(".")[2] for event in events} == {
        "created",
        "updated",
        "deleted",
        "ping",
    }
    random.Random(7).shuffle(events)
    for event in events:
        body = simplejson.dumps(event, use_decimal=True)
        sqs.send_message(QueueUrl=subscriber["QueueUrl"], MessageBody=body)
    await_empty(exporter, subscriber["QueueUrl"])
    assert read() == expected()
    assert waiting(exporter, subscriber["DeadLetterQueueUrl"]) == 0


def waiting(stack: DeployedStack, queue_url: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    answer = stack.account.sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)  # type: ignore[arg-type]
    return sum(int(count) for count in answer["Attributes"].values())


def await_empty(stack: DeployedStack, queue_url: str) -> None:
    deadline = time.monotonic() + patience(MAX_APPLY_SECONDS)
    while waiting(stack, queue_url) and time.monotonic() < deadline:
        time.sleep(1)
    assert waiting(stack, queue_url) == 0
