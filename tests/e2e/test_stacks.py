"""Two stacks in one account, deployed as the stages of samconfig.toml; one is set up again."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.driver import export_all, invoke
from local.stack.deploy import DeployedStack, EmulatedPlace, emulated
from local.subscriber import subscribe
from simulator import Credentials, Profile, Simulator, running, seeded
from tests.e2e.conftest import MAX_IDLE_SECONDS
from tests.e2e.test_export import read_rows, receive
from tools.adoption import change_set

STAGES = {"dev": 60, "prod": 30}
"""Two of the three stages, and how many entries the API of each one's tenant has."""
UNASKED = "--no-confirm-changeset"


@dataclass(frozen=True)
class Tenant:
    """One tenant's API, the stack that exports it, and a subscriber's queue."""

    simulator: Simulator
    parameters: dict[str, str]
    stack: DeployedStack
    queue_url: str

    @property
    def secret(self) -> dict[str, str]:
        accepted = self.simulator.credentials
        return {"tenantId": accepted.tenant_id, "apiSecret": accepted.api_secret}

    @property
    def entry_ids(self) -> set[str]:
        return {entry.log_entry_id for entry in self.simulator.store}

    def export(self, stack: DeployedStack) -> None:
        export_all(stack, show=lambda _: None, max_idle_seconds=MAX_IDLE_SECONDS)


@pytest.fixture(scope="module")
def place() -> Iterator[EmulatedPlace]:
    with emulated(say=print) as place:
        yield place


@pytest.fixture(scope="module")
def as_configured(place: EmulatedPlace) -> DeployedStack:
    """The stage for developers, with what samconfig.toml says and nothing else."""
    return place.deploy({}, "dev")


@pytest.fixture(scope="module")
def tenants(place: EmulatedPlace, as_configured: DeployedStack) -> Iterator[dict[str, Tenant]]:
    with ExitStack() as servers:
        found = {}
        for seed, (stage, entries) in enumerate(STAGES.items()):
            end = datetime.now(UTC) - timedelta(days=1)
            first = end - timedelta(days=30)
            store = seeded(Profile(first=first, end=end, entries=entries, seed=seed))
            accepted = Credentials(f"eu-west-2_{stage}", f"secret-of-{stage}")
            simulator = Simulator(store, credentials=accepted)
            url = servers.enter_context(running(simulator))
            parameters = {
                "ApiUrl": url,
                "FirstDate": f"{first:%Y-%m-%d}",
                "ScheduleState": "DISABLED",
            }
            stack = place.deploy(parameters, stage, UNASKED)
            found[stage] = Tenant(simulator, parameters, stack, subscribe(stack, stage))
        for tenant in found.values():
            tenant.stack.put_secret(tenant.secret)
        for tenant in found.values():
            tenant.export(tenant.stack)
        yield found


@pytest.fixture(scope="module")
def events(tenants: dict[str, Tenant]) -> dict[str, list[dict[str, Any]]]:
    return {
        stage: receive(tenant.stack, tenant.queue_url, expected=len(tenant.entry_ids))
        for stage, tenant in tenants.items()
    }


def test_a_stage_deploys_as_samconfig_says(
    place: EmulatedPlace, as_configured: DeployedStack
) -> None:
    (stack,) = place.account.cloudformation.describe_stacks(StackName="cpd-exporter-dev")["Stacks"]
    assert {"Key": "stage", "Value": "dev"} in stack["Tags"]
    given = {one["ParameterKey"]: one.get("ParameterValue") for one in stack["Parameters"]}
    assert (given["Environment"], given["Schedule"]) == ("staging", "rate(15 minutes)")


def test_a_stack_without_a_secret_says_what_to_type(as_configured: DeployedStack) -> None:
    error = invoke(as_configured, {"command": "export"})["error"]
    assert error["type"] == "ConfigurationError"
    assert "put-secret-value" in error["message"]
    assert as_configured.outputs["CredentialsSecretArn"] in error["message"]
    log = "".join(log_lines(as_configured))
    assert "Traceback" not in log
    assert '"TickFailed":[1.0]' in log


def log_lines(stack: DeployedStack) -> Iterator[str]:
    logs = stack.account.logs
    for group in logs.describe_log_groups()["logGroups"]:
        for event in logs.filter_log_events(logGroupName=group["logGroupName"])["events"]:
            yield event["message"]


def test_each_stack_exports_its_own_tenant(
    tenants: dict[str, Tenant], events: dict[str, list[dict[str, Any]]]
) -> None:
    for stage, tenant in tenants.items():
        rows = [row for lines in read_rows(tenant.stack).values() for row in lines]
        assert {row["tenantId"] for row in rows} == {tenant.secret["tenantId"]}
        assert sorted(row["logEntryId"] for row in rows) == sorted(tenant.entry_ids)
        assert sorted(event["subject"] for event in events[stage]) == sorted(tenant.entry_ids)
    outputs = [set(tenant.stack.outputs.values()) for tenant in tenants.values()]
    assert len(set().union(*outputs)) == sum(map(len, outputs))


def test_a_stack_that_was_deleted_goes_on_where_it_was(
    place: EmulatedPlace,
    tenants: dict[str, Tenant],
    events: dict[str, list[dict[str, Any]]],
) -> None:
    """The steps of docs/operations.md."""
    tenant, account = tenants["dev"], place.account
    old, cloudformation = tenant.stack.outputs, account.cloudformation
    before = read_rows(tenant.stack)
    bucket, table = old["LakeBucketName"], old["TimelineTableName"]
    cloudformation.delete_stack(StackName="cpd-exporter-dev")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="cpd-exporter-dev")

    request = change_set("cpd-exporter-dev", table, bucket, old["NotificationsTopicArn"])
    cloudformation.create_change_set(**request)
    created = cloudformation.get_waiter("change_set_create_complete")
    created.wait(StackName="cpd-exporter-dev", ChangeSetName="adopt")
    cloudformation.execute_change_set(StackName="cpd-exporter-dev", ChangeSetName="adopt")
    cloudformation.get_waiter("stack_import_complete").wait(StackName="cpd-exporter-dev")
    account.s3.delete_bucket_policy(Bucket=bucket)

    stack = place.deploy(tenant.parameters, "dev")
    stack.put_secret(tenant.secret)
    for output in ("LakeBucketName", "TimelineTableName", "NotificationsTopicArn"):
        assert stack.outputs[output] == old[output]
    tenant.simulator.insert(datetime.now(UTC) - timedelta(hours=1))
    tenant.export(stack)
    after = read_rows(stack)
    assert before.items() <= after.items()
    assert [row["logEntryId"] for key in after.keys() - before.keys() for row in after[key]] == [
        event["subject"] for event in receive(stack, tenant.queue_url, expected=1)
    ]
    table_now = account.dynamodb.describe_table(TableName=table)["Table"]
    assert table_now["DeletionProtectionEnabled"] is True
