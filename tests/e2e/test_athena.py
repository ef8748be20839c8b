"""The saved queries that MiniStack's Athena can run: plain ones, in the stack's own workgroup."""

import time
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from local.stack.deploy import DeployedStack
from tests.e2e.conftest import Api
from tools.queries import QUERIES, SCHEDULED

MAX_QUERY_SECONDS = 120


@pytest.fixture(scope="module")
def athena(stack: DeployedStack) -> Any:
    account = stack.account
    return boto3.client(
        "athena",
        endpoint_url=account.endpoint,
        region_name=account.region,
        aws_access_key_id=account.access_key_id,
        aws_secret_access_key=account.secret_access_key,
    )


@pytest.fixture(scope="module")
def saved(stack: DeployedStack, athena: Any) -> dict[str, dict[str, Any]]:
    """The queries of the stack's workgroup, by name."""
    workgroup = stack.outputs["LakeWorkgroupName"]
    listed = athena.list_named_queries(WorkGroup=workgroup)["NamedQueryIds"]
    answers = [athena.get_named_query(NamedQueryId=one)["NamedQuery"] for one in listed]
    return {answer["Name"]: answer for answer in answers}


def ask(stack: DeployedStack, athena: Any, sql: str) -> Iterator[dict[str, str]]:
    """The rows of a query in the stack's database, whose result the workgroup stores."""
    started = athena.start_query_execution(
        QueryString=sql,
        WorkGroup=stack.outputs["LakeWorkgroupName"],
        QueryExecutionContext={"Database": stack.outputs["LakeDatabaseName"]},
    )
    deadline = time.monotonic() + MAX_QUERY_SECONDS
    while True:
        found = athena.get_query_execution(QueryExecutionId=started["QueryExecutionId"])
        status = found["QueryExecution"]["Status"]
        if status["State"] not in ("QUEUED", "RUNNING") or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    assert status["State"] == "SUCCEEDED", status
    bucket = stack.outputs["LakeBucketName"]
    location = found["QueryExecution"]["ResultConfiguration"]["OutputLocation"]
    assert location.startswith(f"s3://{bucket}/query-results/")
    pages = athena.get_paginator("get_query_results").paginate(
        QueryExecutionId=started["QueryExecutionId"]
    )
    rows = [row["Data"] for page in pages for row in page["ResultSet"]["Rows"]]
    names, *values = [[datum.get("VarCharValue", "") for datum in row] for row in rows]
    for row in values:
        yield dict(zip([name.lower() for name in names], row, strict=True))


def test_the_workgroup_holds_the_queries(saved: dict[str, dict[str, Any]]) -> None:
    assert {name: query["QueryString"] for name, query in saved.items()} == {
        path.stem: path.read_text()
        for path in QUERIES.glob("*.sql")
        if path.stem != SCHEDULED  # a stack without its schedule lacks it
    }


@pytest.mark.usefixtures("exported")
def test_the_current_state_is_that_of_the_api(
    stack: DeployedStack, athena: Any, saved: dict[str, dict[str, Any]], api: Api
) -> None:
    query = saved["current-state"]
    assert query["Database"] == stack.outputs["LakeDatabaseName"]
    rows = list(ask(stack, athena, query["QueryString"]))
    assert sorted((row["logentryid"], int(row["durationminutes"])) for row in rows) == sorted(
        (entry.log_entry_id, entry.value["durationMinutes"]) for entry in api.valid
    )


@pytest.mark.usefixtures("exported")
def test_lines_and_months_are_those_of_the_lake(
    stack: DeployedStack, athena: Any, saved: dict[str, dict[str, Any]]
) -> None:
    fresh = list(ask(stack, athena, saved["freshness"]["QueryString"]))
    months = [row["entry_month"] for row in fresh]
    assert months == sorted(months, reverse=True)
    lines = list(
        ask(stack, athena, "SELECT entry_month, count(*) AS n FROM entry_lines GROUP BY 1")
    )
    assert {row["entry_month"]: row["n"] for row in lines} == {
        row["entry_month"]: row["number_of_rows"] for row in fresh
    }
