"""Both functions as Lambda calls them: the operator's commands."""

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import simplejson

from cpd_exporter.model.timestamps import format_instant
from simulator import Behaviour, EntryStore, InjectedFault
from tests.contracts.account import BUCKET
from tests.support.deployment import (
    REFLECTION,
    ROOT,
    Deployment,
    _loads,
    export,
    sample,
    source,
    the_error,
)

COMMANDS = sorted(
    path.stem
    for path in (ROOT / "events").glob("planner-*.json")
    if path.stem not in ("planner-export", "planner-ping", "planner-schedule", "planner-status")
)


@pytest.mark.parametrize("event", COMMANDS)
def test_a_command_before_the_first_export_finds_nothing_and_the_tick_runs(
    stack: Deployment, event: str
) -> None:
    [answer] = stack.planner(sample(event))["tenants"]
    assert answer["requested"] is None
    assert "nothing is exported yet" in answer["note"]
    assert answer["sent"] > 0
    assert "TickFailed" not in stack.metrics()


def january(stack: Deployment) -> None:
    """The month that the samples are about."""
    first, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    stack.simulator.store = source(first, end)
    stack.say(FIRST_DATE=f"{first:%Y-%m-%d}")


@pytest.mark.parametrize(
    ("prepare", "event"),
    [(january, "planner-sweep"), (lambda _: None, "planner-sweep-lookback")],
    ids=["range", "lookback"],
)
def test_a_sweep_publishes_what_was_edited_back_dated_and_deleted(
    stack: Deployment, prepare: Callable[[Deployment], None], event: str
) -> None:
    prepare(stack)
    export(stack)
    store = stack.simulator.store
    beside, *some = list(store)[20:23]
    edited, deleted = (entry.log_entry_id for entry in some)
    store.edit(edited, durationMinutes=7)
    store.delete(deleted)
    late = stack.simulator.insert(datetime.fromisoformat(beside.value["entryDate"])).log_entry_id
    assert stack.run(sample(event))["requested"].startswith("sweep:")
    assert stack.published() == [("created", late), ("updated", edited)]
    stack.later(minutes=50)
    stack.run(sample(event))
    assert stack.published() == []
    stack.later(minutes=70)
    stack.run(sample(event))
    assert stack.published() == [("deleted", deleted)]
    stack.later(minutes=140)
    stack.run(sample(event))
    assert stack.published() == []
    assert stack.planner(sample("planner-status"))["tenants"][0]["jobs"] == []


def test_the_sample_message_of_a_sweep_is_what_the_planner_sends(stack: Deployment) -> None:
    january(stack)
    export(stack)
    edited = next(iter(stack.simulator.store)).log_entry_id
    stack.simulator.store.edit(edited, durationMinutes=7)
    stack.planner(sample("planner-sweep"))
    sent = stack.receive()
    event = sample("worker-sweep")
    assert sent is not None
    assert json.loads(sent["Body"]) == json.loads(event["Records"][0]["body"])
    stack.invoke_worker(event)
    assert stack.published() == [("updated", edited)]
    assert stack.outcomes()[-1]["changes"] == {"updated": 1}


def test_a_backfill_extends_the_export_into_the_past(stack: Deployment) -> None:
    export(stack)
    old = [
        stack.simulator.insert(datetime(year, 6, 1, tzinfo=UTC)).log_entry_id
        for year in (2014, 2015, 2024)
    ]
    assert stack.run(sample("planner-backfill"))["requested"] == "backfill"
    stack.run(sample("planner-export"))
    assert stack.published() == [("created", old[1]), ("created", old[2])]
    [status] = stack.planner(sample("planner-status"))["tenants"]
    assert status["exportedFrom"] == "2015-01-01T00:00:00Z"
    assert status["exportedThrough"] == status["plannedThrough"]
    stack.run(sample("planner-export"))
    [status] = stack.planner(sample("planner-status"))["tenants"]
    assert status["jobs"] == []


def test_a_refresh_publishes_edits_and_names_unknown_ids(stack: Deployment) -> None:
    export(stack)
    edited = next(iter(stack.simulator.store)).log_entry_id
    stack.simulator.store.edit(edited, durationMinutes=7)
    unknown = sample("planner-refresh")["logEntryIds"]
    answer = stack.run(sample("planner-refresh") | {"logEntryIds": [edited, *unknown]})
    assert answer["requested"].startswith("refresh:")
    stack.run(sample("planner-export"))
    assert stack.published() == [("updated", edited)]


@pytest.mark.parametrize("alone", [True, False])
def test_a_replay_repeats_equal_events_to_all_or_to_one(stack: Deployment, alone: bool) -> None:
    account, event = stack.account, sample("planner-replay")
    queue_arn = event["queueArn"]
    if not alone:
        del event["queueArn"]
        event["subscribers"] = "all"
    theirs = account.sqs.create_queue(QueueName=queue_arn.rpartition(":")[2])["QueueUrl"]

    def received(queue_url: str) -> dict[str, Any]:
        return {
            _loads(message["Body"])["id"]: (message["Body"], message["MessageAttributes"])
            for message in account.received(queue_url)
        }

    january(stack)
    stack.run(sample("planner-export"))
    first = received(account.subscriber_url)
    assert len(first) == len(stack.simulator.store)
    stack.run(event)
    assert received(theirs) == (first if alone else {})
    assert received(account.subscriber_url) == ({} if alone else first)
    assert stack.outcomes()[-1]["replayed"] == len(first)


def test_a_replay_of_a_span_repeats_what_was_stored_in_it(stack: Deployment) -> None:
    event = sample("planner-replay-stored") | {"subscribers": "all"}
    del event["queueArn"]
    january(stack)
    stack.run(sample("planner-export"))
    first = stack.published()
    assert first
    now = datetime.now(UTC).replace(microsecond=0)
    for days in (0, 400):
        start, end = (now + timedelta(days=days + by) for by in (-200, 200))
        span = {"storedFrom": format_instant(start), "storedTo": format_instant(end)}
        stack.run(event | span)
        assert sorted(stack.published()) == (sorted(first) if not days else [])


def the_report(stack: Deployment) -> dict[str, Any]:
    key = stack.outcomes()[-1]["report"]
    report = json.loads(stack.account.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    assert report["differences"] == stack.metrics().get("VerifyDifferences", 0)
    assert REFLECTION not in json.dumps(report, ensure_ascii=False)
    return dict(report)


def test_a_verification_is_clean_after_an_export_and_finds_what_was_tampered_with(
    stack: Deployment,
) -> None:
    january(stack)
    export(stack)
    stack.run(sample("planner-verify"))
    report = the_report(stack)
    assert (report["clean"], report["entries"]) == (True, len(stack.simulator.store))
    [key] = {
        item["Key"]
        for item in stack.account.s3.list_objects_v2(Bucket=BUCKET, Prefix="entries/")["Contents"]
    }
    stored = stack.account.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
    lines = gzip.decompress(stored).splitlines()
    row = _loads(lines[0])
    lines[0] = simplejson.dumps(row | {"durationMinutes": row["durationMinutes"] + 1}).encode()
    stack.account.s3.put_object(
        Bucket=BUCKET, Key=key, Body=gzip.compress(b"\n".join(lines) + b"\n")
    )
    stack.later(hours=1)
    stack.run(sample("planner-verify"))
    report = the_report(stack)
    assert not report["clean"]
    [damage] = report["damages"]
    assert (damage["object"], damage["logEntryIds"]) == (key, [row["logEntryId"]])
    [minutes] = report["minutes"]
    assert [user["userId"] for user in minutes["users"]] == [row["userId"]]
    assert [(some["from"], some["to"]) for some in minutes["sweep"]] == [
        ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z")
    ]


def test_the_sample_message_of_a_job_is_what_the_planner_sends(stack: Deployment) -> None:
    january(stack)
    export(stack)
    stack.planner(sample("planner-verify"))
    sent = stack.receive()
    event = sample("worker-job")
    assert sent is not None
    assert json.loads(sent["Body"]) == json.loads(event["Records"][0]["body"])
    stack.invoke_worker(event)
    assert the_report(stack)["clean"]


def test_deletions_beyond_a_days_number_wait_for_the_operator(stack: Deployment) -> None:
    january(stack)
    export(stack)
    stack.say(MAX_DELETIONS_PER_DAY="0", DELETION_DELAY_SECONDS="0")
    deleted = next(iter(stack.simulator.store)).log_entry_id
    stack.simulator.store.delete(deleted)
    for _ in range(2):
        stack.run(sample("planner-sweep"))
    assert stack.published() == []
    stack.planner(sample("planner-schedule"))
    assert stack.metrics()["DeletionsHeld"] == 1
    [status] = stack.planner(sample("planner-status"))["tenants"]
    [held] = status["heldDeletions"]
    assert held["deletions"] == status["deletionsHeld"] == 1
    assert json.dumps(sample("planner-confirm-deletions")) in held["reason"]
    assert stack.run(sample("planner-confirm-deletions"))["confirmed"] == 1
    assert stack.published() == [("deleted", deleted)]
    assert stack.planner(sample("planner-status"))["tenants"][0]["heldDeletions"] == []


def test_a_command_that_was_accepted_outlives_its_failed_tick(stack: Deployment) -> None:
    january(stack)
    export(stack)
    edited = next(iter(stack.simulator.store)).log_entry_id
    stack.simulator.store.edit(edited, durationMinutes=7)
    stack.later(hours=1)
    stack.simulator.behave(faults=(InjectedFault(kind="html"),))
    answer = stack.planner(sample("planner-sweep"))
    assert answer["error"]["type"] == "MalformedResponseError"
    assert answer["accepted"]["requested"].startswith("sweep:")
    assert the_error(stack)["accepted"] == answer["accepted"]
    assert stack.metrics()["TickFailed"] == 1
    stack.simulator.behaviour = Behaviour()
    stack.run(sample("planner-schedule"))
    assert stack.published() == [("updated", edited)]


def test_a_ping_reaches_the_subscriber_before_the_first_export(stack: Deployment) -> None:
    stack.simulator.store = EntryStore()
    answer = stack.run(sample("planner-ping"))
    [message] = stack.account.received(stack.account.subscriber_url)
    body = json.loads(message["Body"])
    assert (body["type"], body["data"]["requested"]) == ("cpd.exporter.ping", answer["requested"])
    sent = {name: one["StringValue"] for name, one in message["MessageAttributes"].items()}
    assert sent == sample("planner-ping")["attributes"]
