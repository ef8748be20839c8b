"""Within two ticks the first line of the status names a stop's cause; later an alarm goes off."""

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from simulator import InjectedFault
from tests.support.deployment import BASIC, sample
from tests.support.watched import Watched

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
TICK = 5 * MINUTE
READS = ("GetItem", "Query", "Scan")
WRITES = ("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems")


@contextmanager
def worker_disabled(watched: Watched) -> Iterator[None]:
    """The worker's event source mapping is off: messages wait."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watched, "work_off", lambda: None)
        yield


@contextmanager
def queue_purged(watched: Watched) -> Iterator[None]:
    """Whatever is sent is purged before a worker takes it."""
    account = watched.stack.account

    def purge() -> None:
        while message := watched.stack.receive():
            account.sqs.delete_message(
                QueueUrl=account.queue_url, ReceiptHandle=message["ReceiptHandle"]
            )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(watched, "work_off", purge)
        yield


@contextmanager
def api_down(watched: Watched) -> Iterator[None]:
    # So long a wait is left to the next tick, not sat out within this one.
    watched.stack.simulator.behave(faults=(InjectedFault(status=503, retry_after=120),))
    yield
    watched.stack.simulator.behave(faults=())


@contextmanager
def secret(watched: Watched, *, text: str) -> Iterator[None]:
    """The secret was replaced, and new environments read it."""
    watched.stack.keep_secret(text)
    watched.stack.is_warm = False
    yield
    watched.stack.keep_secret(json.dumps(BASIC))
    watched.stack.is_warm = True


@contextmanager
def topic_gone(watched: Watched) -> Iterator[None]:
    """The topic refuses everything, as it does where the role may not publish."""
    account = watched.stack.account
    account.sns.delete_topic(TopicArn=account.topic_arn)
    yield
    account.sns.create_topic(Name=account.topic_arn.rpartition(":")[2])


@contextmanager
def table_throttled(_: Watched, *, operations: tuple[str, ...]) -> Iterator[None]:
    """DynamoDB refuses these operations, as it does where a partition is too busy."""
    call = BaseClient._make_api_call  # type: ignore[attr-defined]  # noqa: SLF001  # what all calls go through

    def refuse(client: Any, operation: str, parameters: Any) -> Any:
        if client.meta.service_model.service_name == "dynamodb" and operation in operations:
            code = "ProvisionedThroughputExceededException"
            raise ClientError({"Error": {"Code": code, "Message": "too busy"}}, operation)
        return call(client, operation, parameters)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BaseClient, "_make_api_call", refuse)
        yield


FAILED = "attention: the last tick failed: "
WRONG = json.dumps(BASIC | {"apiSecret": "canary-of-somebody-else"})


@pytest.mark.parametrize(
    ("stop", "line", "cause", "alarms"),
    [
        (
            worker_disabled,
            "attention: no worker takes messages: ",
            "Enable the worker's event source mapping",
            {"LagAlarm"},
        ),
        (queue_purged, "attention: the work queue lost 1 message", "was it purged", {"LagAlarm"}),
        (api_down, FAILED, "503", {"LagAlarm", "TickFailedAlarm"}),
        (partial(secret, text=WRONG), FAILED, "secret", {"LagAlarm", "TickFailedAlarm"}),
        (
            partial(secret, text="no JSON"),
            "attention: ",
            "secret",
            {"LagAlarm", "TickFailedAlarm"},
        ),
        (
            topic_gone,
            "attention: 1 piece of work failed and will be tried again: sns:",
            ":notifications",
            {"LagAlarm"},
        ),
        (
            partial(table_throttled, operations=READS + WRITES),
            "attention: dynamodb:",
            "ProvisionedThroughputExceededException",
            {"LagAlarm", "TickFailedAlarm"},
        ),
        (
            partial(table_throttled, operations=WRITES),
            f"{FAILED}dynamodb:",
            "ProvisionedThroughputExceededException",
            {"LagAlarm", "TickFailedAlarm"},
        ),
    ],
    ids=[
        "worker disabled",
        "queue purged",
        "API down",
        "secret wrong",
        "secret no JSON",
        "topic refuses",
        "table throttled",
        "table refuses writes",
    ],
)
def test_a_stop_is_named_within_two_ticks_and_then_heard(
    up_to_date: Watched,
    stop: Callable[[Watched], AbstractContextManager[None]],
    line: str,
    cause: str,
    alarms: set[str],
) -> None:
    up_to_date.stack.simulator.insert(up_to_date.now - 3 * MINUTE)
    with stop(up_to_date):
        for _ in range(2):
            up_to_date.planner(sample("planner-schedule"))
            up_to_date.work_off()
            up_to_date.wait(TICK)
        summary = up_to_date.look()["summary"]
        up_to_date.run(90 * MINUTE)
        assert alarms <= up_to_date.in_alarm
    assert summary.startswith(line)
    assert cause in summary
    up_to_date.run(30 * MINUTE)
    assert up_to_date.look()["summary"].startswith("up to date: ")
    assert "LagAlarm" not in up_to_date.in_alarm


def test_a_disabled_worker_shows_what_waits(up_to_date: Watched) -> None:
    up_to_date.stack.simulator.insert(up_to_date.now - 3 * MINUTE)
    with worker_disabled(up_to_date):
        for _ in range(2):
            up_to_date.planner(sample("planner-schedule"))
            up_to_date.wait(TICK)
    [state] = up_to_date.look()["tenants"]
    assert state["queue"]["waiting"] >= 1
    assert state["oldestPage"]["seconds"] >= 600
    assert state["lastWorkAt"] < state["oldestPage"]["since"]
    up_to_date.work_off()
    up_to_date.planner(sample("planner-schedule"))
    [state] = up_to_date.look()["tenants"]
    assert (state["oldestPage"], state["untouched"]) == (None, 0)


def test_a_queue_that_was_purged_once_mends_itself_within_minutes(up_to_date: Watched) -> None:
    up_to_date.stack.simulator.insert(up_to_date.now - 3 * MINUTE)
    with queue_purged(up_to_date):
        up_to_date.planner(sample("planner-schedule"))
        up_to_date.work_off()
    up_to_date.run(HOUR)
    assert up_to_date.in_alarm == set()
    assert up_to_date.look()["summary"].startswith("up to date: ")
