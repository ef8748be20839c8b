"""What an operator sees of each stop: the first line of the status names its cause."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError

from simulator import InjectedFault
from tests.support.deployment import BASIC, REFLECTION, Deployment, sample
from tests.support.watched import Watched

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
TICK = 5 * MINUTE
READS = ("GetItem", "Query", "Scan")
WRITES = ("PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems")


@pytest.fixture
def watched(stack: Deployment) -> Watched:
    """A stack that has exported everything."""
    stack.say(WORKER_TIMEOUT_SECONDS="300")
    watched = Watched(stack)
    for _ in range(2):
        watched.planner(sample("planner-schedule"))
        watched.work_off()
    watched.wait(TICK)
    watched.planner(sample("planner-schedule"))
    watched.wait(TICK)
    assert look(watched)["summary"].startswith("up to date: ")
    return watched


def look(watched: Watched) -> dict[str, Any]:
    """The answer to a look, which raises no alarm and is no error."""
    watched.stack.metrics()
    before, errors = watched.stack.output.count('"_aws"'), watched.stack.logged("ERROR")
    answer = watched.stack.planner(sample("planner-status"))
    assert watched.stack.logged("ERROR") == errors
    assert watched.stack.output.count('"_aws"') == before
    assert next(iter(answer)) == "summary"
    assert "\n" not in answer["summary"]
    return dict(answer)


def after_two_ticks(watched: Watched, *, workers: bool = True) -> str:
    """The summary five minutes after the second tick from now."""
    for _ in range(2):
        watched.planner(sample("planner-schedule"))
        if workers:
            watched.work_off()
        watched.wait(TICK)
    return str(look(watched)["summary"])


@contextmanager
def throttled(*operations: str) -> Iterator[None]:
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


def test_a_disabled_worker(watched: Watched) -> None:
    watched.stack.simulator.insert(watched.now - 3 * MINUTE)
    summary = after_two_ticks(watched, workers=False)
    assert summary.startswith("attention: no worker takes messages: ")
    assert "event source mapping" in summary
    [state] = look(watched)["tenants"]
    assert state["queue"]["waiting"] >= 1
    assert state["oldestPage"]["seconds"] >= 600
    assert state["lastWorkAt"] < state["oldestPage"]["since"]
    watched.work_off()
    watched.planner(sample("planner-schedule"))
    [state] = look(watched)["tenants"]
    assert (state["oldestPage"], state["untouched"]) == (None, 0)


def test_an_api_that_is_down(watched: Watched) -> None:
    watched.stack.simulator.behave(faults=(InjectedFault(status=503),))
    assert "attention: the last tick failed: " in (summary := after_two_ticks(watched))
    assert "503" in summary


def test_a_secret_that_the_api_refuses(watched: Watched) -> None:
    watched.stack.keep_secret(json.dumps(BASIC | {"apiSecret": "canary-of-somebody-else"}))
    watched.stack.is_warm = False
    summary = after_two_ticks(watched)
    assert summary.startswith("attention: the last tick failed: ")
    assert "secret" in summary


def test_a_secret_that_is_no_json(watched: Watched) -> None:
    watched.stack.keep_secret("no JSON")
    watched.stack.is_warm = False
    summary = after_two_ticks(watched)
    assert summary.startswith("attention: ")
    assert "secret" in summary


def test_a_topic_that_refuses(watched: Watched) -> None:
    watched.stack.simulator.insert(watched.now - 3 * MINUTE)
    watched.stack.account.sns.delete_topic(TopicArn=watched.stack.account.topic_arn)
    summary = after_two_ticks(watched)
    assert summary.startswith("attention: 1 piece of work failed and will be tried again: sns:")
    assert watched.stack.account.topic_arn in summary


def test_a_queue_that_was_purged(watched: Watched) -> None:
    watched.stack.simulator.insert(watched.now - 3 * MINUTE)
    watched.planner(sample("planner-schedule"))
    watched.stack.account.sqs.purge_queue(QueueUrl=watched.stack.account.queue_url)
    watched.wait(TICK)
    watched.planner(sample("planner-schedule"))
    summary = look(watched)["summary"]
    assert summary.startswith("attention: the work queue lost 1 messages: was it purged")
    watched.wait(TICK)
    watched.planner(sample("planner-schedule"))
    watched.work_off()
    watched.planner(sample("planner-schedule"))
    assert look(watched)["summary"].startswith("up to date: ")


@pytest.mark.parametrize("operations", [READS + WRITES, WRITES])
def test_a_throttled_table(watched: Watched, operations: tuple[str, ...]) -> None:
    with throttled(*operations):
        summary = after_two_ticks(watched)
    assert summary.startswith("attention: ")
    assert "dynamodb:" in summary
    assert "ProvisionedThroughputExceededException" in summary
    watched.planner(sample("planner-schedule"))
    watched.work_off()
    watched.planner(sample("planner-schedule"))
    assert look(watched)["summary"].startswith("up to date: ")


def test_a_quarantined_record_and_a_refused_event_name_their_keys(watched: Watched) -> None:
    spoilt = list(watched.stack.simulator.store)[10]
    watched.stack.simulator.store.edit(spoilt.log_entry_id, isVerified=REFLECTION)
    watched.planner({"command": "sweep", "lookback": "P5D"})
    watched.work_off()
    answer = look(watched)
    [record] = answer["tenants"][0]["quarantinedRecords"]
    stored = watched.stack.account.s3.get_object(Bucket="the-lake", Key=record["key"])
    assert json.loads(stored["Body"].read().splitlines()[0])["fault"] == record["fault"]
    assert "isVerified" in record["fault"]
    assert "1 record in quarantine" in answer["summary"]


def test_a_job_that_ended_leaves_what_became_of_it(watched: Watched) -> None:
    edited = next(iter(watched.stack.simulator.store)).log_entry_id
    day = f"{datetime.now(UTC) - timedelta(days=2):%Y-%m-%dT00:00:00Z}"
    until = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%dT00:00:00Z}"
    watched.planner({"command": "refresh", "logEntryIds": ["6" * 24, edited]})
    watched.planner({"command": "verify", "from": day, "to": until})
    watched.work_off()
    watched.planner({"command": "backfill", "from": "2015-01-01T00:00:00Z"})
    watched.planner({"command": "cancel", "name": "backfill"})
    backfill, verify, refresh, *_ = look(watched)["tenants"][0]["endedJobs"]
    assert (backfill["name"], backfill["outcome"]) == ("backfill", "cancelled")
    assert verify["outcome"] == "done"
    assert verify["report"].startswith("reports/")
    assert verify["counts"]["differences"] == 0
    assert refresh["counts"] == {"requested": 1, "unknown": 1}
    assert refresh["entries"] == {
        "6" * 24: "the API has no such entry",
        edited: "its page is swept next",
    }


def test_a_job_under_way_says_how_far_it_is(watched: Watched) -> None:
    watched.stack.simulator.insert(datetime(2014, 6, 1, tzinfo=UTC))
    watched.planner({"command": "backfill", "from": "2010-01-01T00:00:00Z"})
    watched.wait(HOUR)
    watched.planner(sample("planner-schedule"))
    [state] = look(watched)["tenants"]
    [job] = state["jobs"]
    assert job["cursor"] == state["exportedFrom"]
    assert 0 <= job["percent"] <= 100
    assert job["secondsLeft"] is None or job["secondsLeft"] >= 0
