"""Both functions as Lambda calls them: the way of the data, and what the API does on it."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cpd_exporter.errors import (
    ExporterError,
    FilterError,
    MalformedResponseError,
)
from cpd_exporter.model.row import Change
from simulator import Behaviour, InjectedFault
from tests.contracts.account import BUCKET
from tests.support.deployment import CLIENT, REFLECTION, TENANT, Deployment, sample, the_error
from tests.support.resolved import ResolvedTemplate


@pytest.mark.parametrize("event", ["planner-export", "planner-schedule"])
def test_every_entry_arrives_in_the_lake_and_at_the_subscriber(
    stack: Deployment, event: str
) -> None:
    [first] = stack.planner(sample(event))["tenants"]
    assert first["tenantId"] == TENANT
    assert first["sent"] >= 1
    stack.work_off()
    [second] = stack.planner(sample(event))["tenants"]
    assert second["exportedThrough"] == second["plannedThrough"]
    assert second["sent"] == second["holes"] == 0
    stack.assert_exact()
    assert stack.metrics().keys() == {"LagSeconds"}
    created = sum(line["changes"].get("created", 0) for line in stack.outcomes())
    assert created == len(stack.simulator.store)
    assert not stack.logged("ERROR")


def test_client_credentials_will_do_as_well(stack: Deployment) -> None:
    stack.keep_secret(json.dumps(CLIENT))
    stack.say(AUTHENTICATION="oauth2")
    stack.planner(sample("planner-export"))
    stack.work_off()
    stack.assert_exact()


def test_the_status_reports_how_far_the_export_is(stack: Deployment) -> None:
    stack.planner(sample("planner-export"))
    stack.work_off()
    stack.planner(sample("planner-export"))
    answer = stack.planner(sample("planner-status"))
    assert json.loads(json.dumps(answer)) == answer
    [tenant] = answer["tenants"]
    assert tenant["tenantId"] == TENANT
    assert tenant["exportedThrough"] == tenant["plannedThrough"]
    assert 120 <= tenant["lagSeconds"] < 600
    assert tenant["pages"] == {"open": 0, "writing": 0, "stored": 0}
    assert set(tenant["sweeps"]) == {"open", "writing", "stored"}
    assert tenant["holes"] == []
    assert tenant["lastTick"]["error"] is None


def test_the_sample_message_is_of_a_page_that_is_not_there(stack: Deployment) -> None:
    stack.planner(sample("planner-export"))
    [record] = sample("worker-page")["Records"]
    stack.worker(stack.send(record["body"]) | {"Body": record["body"]})
    assert [line["outcome"] for line in stack.outcomes()] == ["gone"]


def test_totals_that_are_absurd_do_no_harm(stack: Deployment) -> None:
    stack.simulator.behave(totals_extra=10**15)
    stack.planner(sample("planner-export"))
    stack.work_off()
    stack.planner(sample("planner-export"))
    stack.assert_exact()


FAULTS: dict[str, tuple[InjectedFault, type[ExporterError], str]] = {
    "html": (InjectedFault(kind="html"), MalformedResponseError, "Is the API URL right"),
    "truncated": (InjectedFault(kind="truncated"), MalformedResponseError, "not the JSON"),
    "something else": (InjectedFault(kind="raw", body='{"ok": 1}'), MalformedResponseError, "JSON"),
    "outside": (InjectedFault(kind="ignore-filter"), FilterError, "FilterTimeZone"),
    "redirect": (
        InjectedFault(status=302, location="https://example.org"),
        MalformedResponseError,
        "redirects",
    ),
}


@pytest.mark.parametrize(("fault", "kind", "remedy"), FAULTS.values(), ids=FAULTS.keys())
def test_an_answer_that_cannot_be_used_is_tried_again_and_loses_nothing(
    stack: Deployment, fault: InjectedFault, kind: type[ExporterError], remedy: str
) -> None:
    stack.planner(sample("planner-export"))
    stack.simulator.behave(faults=(fault,))
    if kind is FilterError:
        far = stack.simulator.insert(datetime.now(UTC) - timedelta(days=300))
    message = stack.receive()
    assert message is not None
    with pytest.raises(kind, match=remedy):
        stack.worker(message)
    assert remedy in the_error(stack)["message"]
    hidden = stack.hidden_seconds(message)
    assert hidden is not None
    assert 0 < hidden <= 10
    assert not stack.lake
    stack.simulator.behaviour = Behaviour()
    if kind is FilterError:
        stack.simulator.store.delete(far.log_entry_id)
    stack.worker(message)
    stack.work_off()
    stack.assert_exact()


@pytest.mark.parametrize("name", ["html", "truncated", "something else"])
def test_a_tick_that_gets_no_listing_says_so(stack: Deployment, name: str) -> None:
    fault, kind, remedy = FAULTS[name]
    stack.simulator.behave(faults=(fault,))
    answer = stack.planner(sample("planner-export"))
    assert answer["error"]["type"] == kind.__name__
    assert remedy in the_error(stack)["message"]


@pytest.mark.parametrize("as_date", [False, True])
def test_too_many_requests_let_the_page_rest_as_long_as_the_api_asks(
    stack: Deployment, as_date: bool
) -> None:
    stack.planner(sample("planner-export"))
    fault = InjectedFault(status=429, retry_after=300, retry_after_as_date=as_date)
    stack.simulator.behave(faults=(fault,))
    stack.work_off()
    assert "429" in the_error(stack)["message"]
    stack.simulator.behaviour = Behaviour()
    stack.later(seconds=295)
    stack.run(sample("planner-export"))
    assert not stack.lake
    stack.later(seconds=315)
    stack.run(sample("planner-export"))
    stack.assert_exact()


def test_faulty_entries_are_quarantined_and_counted(stack: Deployment) -> None:
    store = stack.simulator.store
    spoilt = list(store)[10]
    store.edit(spoilt.log_entry_id, isVerified=REFLECTION)
    stack.planner(sample("planner-export"))
    stack.work_off()
    assert len(stack.lake) == len(store) - 1
    [kept] = stack.account.s3.list_objects_v2(Bucket=BUCKET, Prefix="quarantine/")["Contents"]
    body = stack.account.s3.get_object(Bucket=BUCKET, Key=kept["Key"])["Body"].read()
    held = store.get(spoilt.log_entry_id)
    assert held is not None
    assert body.split(b"\n", 1)[1] == held.text.encode()
    assert stack.metrics()["EntriesQuarantined"] == 1


def fields_of(query: str) -> set[str]:
    """The log fields that a query of Logs Insights names."""
    listed = re.findall(r"display ([^|]+)", query)
    names = {name.strip() for fields in listed for name in fields.split(",")}
    return (names | set(re.findall(r"(?:sum|ispresent)\(([\w.]+)\)", query))) - {"@timestamp"}


def flat(line: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in line.items():
        yield prefix + name
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{name}.")


def test_saved_queries_ask_for_fields_that_are_logged(stack: Deployment) -> None:
    stack.planner(sample("planner-export"))
    stack.simulator.behave(faults=(InjectedFault(kind="html"),))
    message = stack.receive()
    assert message is not None
    with pytest.raises(MalformedResponseError):
        stack.worker(message)
    stack.simulator.behave(faults=())
    stack.worker(message)
    stack.planner(sample("planner-export"))
    stack.planner({"command": "explode"})
    lines = stack.logged("INFO") + stack.logged("ERROR")
    logged = {name for line in lines for name in flat(line)}
    # Of changes, a line counts those that happened; of ages, it gives those that there are.
    logged |= {f"changes.{change}" for change in Change} | {
        "holeAgeSeconds",
        "oldestReadingSeconds",
    }
    queries = ResolvedTemplate().of_type("AWS::Logs::QueryDefinition").values()
    asked = {name: fields_of(query["QueryString"]) for query in queries for name in [query["Name"]]}
    assert len(asked) == 4
    assert all(asked.values())
    assert not [name for name, fields in asked.items() if fields - logged]
    # A second tick within one second has nothing to ask.
    assert max(line["apiCalls"] for line in lines if "apiCalls" in line) >= 1
