"""Both functions as Lambda calls them: AWS by moto, the API by the simulator over HTTP.

Whatever is logged must hold neither a secret nor anything that an entry says.
"""

import gzip
import importlib.util
import itertools
import json
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import simplejson
from moto.sqs.models import sqs_backends

from cpd_exporter import bootstrap
from cpd_exporter.adapters.thrive.http import new_client
from cpd_exporter.errors import (
    AccessError,
    ConfigurationError,
    ExporterError,
    FilterError,
    MalformedInputError,
    MalformedResponseError,
    TransientError,
)
from simulator import Behaviour, Credentials, EntryStore, Fault, Profile, Simulator, running, seeded
from tests.contracts.account import BUCKET, REGION, TABLE, Account, opened

ROOT = Path(__file__).parents[2]
TENANT = "eu-west-2_AbcdEfghI"
API_SECRET = "canary-api-secret"
CLIENT_SECRET = "canary-client-secret"
REFLECTION = "canary reflection of a person"
CANARIES = ("canary", "client-of-the-tenant")
CREDENTIALS = Credentials(TENANT, API_SECRET, "client-of-the-tenant", CLIENT_SECRET)
BASIC = {"tenantId": TENANT, "apiSecret": API_SECRET}
CLIENT = {
    "tenantId": TENANT,
    "clientId": "client-of-the-tenant",
    "clientSecret": CLIENT_SECRET,
}
_names = itertools.count()


def sample(name: str) -> Any:
    return json.loads((ROOT / "events" / f"{name}.json").read_text())


class Context:
    """What Lambda tells a function of its invocation."""

    function_name = "function"
    memory_limit_in_mb = 512
    invoked_function_arn = f"arn:aws:lambda:{REGION}:123456789012:function:function"
    aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e812345678"

    def get_remaining_time_in_millis(self) -> int:
        return 120_000


class Stack:
    """The deployed functions, the account they run in and the API that they read."""

    def __init__(
        self,
        account: Account,
        simulator: Simulator,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        self.account = account
        self.simulator = simulator
        self.monkeypatch = monkeypatch
        self._capsys = capsys
        self.output = ""

    def say(self, **variables: str) -> None:
        for name, value in variables.items():
            self.monkeypatch.setenv(f"CPD_{name}", value)

    def keep_secret(self, text: str) -> None:
        self.account.secretsmanager.put_secret_value(SecretId="credentials", SecretString=text)

    def planner(self, event: Any) -> Any:
        """Invoke the planner in a fresh environment."""
        return self._load("planner").handler(event, Context())

    def worker(self, message: dict[str, Any]) -> None:
        """Invoke the worker with one message of the queue, as its event source mapping does."""
        event = sample("worker-page")
        [record] = event["Records"]
        record |= {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "md5OfBody": message["MD5OfBody"],
        }
        record["attributes"]["ApproximateReceiveCount"] = message["Attributes"][
            "ApproximateReceiveCount"
        ]
        self.invoke_worker(event)

    def invoke_worker(self, event: dict[str, Any]) -> None:
        self._load("worker").handler(event, Context())

    def run(self, event: Any) -> dict[str, Any]:
        """Send a command and do all that its tick sends; returns what the tick answers."""
        [answer] = self.planner(event)["tenants"]
        self.work_off()
        return dict(answer)

    def later(self, **by: float) -> None:
        """From now on the functions' clock is ahead."""
        self.monkeypatch.setattr(bootstrap, "_now", lambda: datetime.now(UTC) + timedelta(**by))

    def told(self, queue_url: str | None = None) -> list[tuple[str, str]]:
        """Change and ID of each event that came since the last look, in order of these."""
        messages = self.account.received(queue_url or self.account.subscriber_url)
        return sorted(
            (
                message["MessageAttributes"]["change"]["StringValue"],
                _loads(message["Body"])["subject"],
            )
            for message in messages
        )

    def receive(self) -> dict[str, Any] | None:
        """The next message, hidden as long as the template says."""
        received = self.account.sqs.receive_message(
            QueueUrl=self.account.queue_url, VisibilityTimeout=720, AttributeNames=["All"]
        ).get("Messages", [])
        return dict(received[0]) if received else None

    def work_off(self) -> None:
        """What the event source mapping does: a message that was worked off is deleted."""
        while message := self.receive():
            self.worker(message)
            self.account.sqs.delete_message(
                QueueUrl=self.account.queue_url, ReceiptHandle=message["ReceiptHandle"]
            )

    def send(self, body: str) -> dict[str, Any]:
        self.account.sqs.send_message(QueueUrl=self.account.queue_url, MessageBody=body)
        message = self.receive()
        assert message is not None
        return message

    def hidden_seconds(self, message: dict[str, Any]) -> float | None:
        """How long the message still is out of sight; ``None`` if it is not in the queue."""
        queue = sqs_backends["123456789012"][REGION].get_queue("pages")
        for held in queue._messages:
            if held.id == message["MessageId"]:
                return float(held.visible_at) / 1000 - time.time()
        return None

    def logged(self, level: str) -> list[dict[str, Any]]:
        """The lines logged so far at a level."""
        self.output += self._capsys.readouterr().out
        lines = (json.loads(line) for line in self.output.splitlines() if line.startswith("{"))
        return [line for line in lines if line.get("level") == level]

    def outcomes(self) -> list[dict[str, Any]]:
        """What the worker logged of each message that it did."""
        return [line for line in self.logged("INFO") if line["message"] == "page"]

    def metrics(self) -> dict[str, float]:
        """The last value of each metric that was published so far."""
        self.output += self._capsys.readouterr().out
        lines = [json.loads(line) for line in self.output.splitlines() if '"_aws"' in line]
        return {
            metric["Name"]: line[metric["Name"]][-1]
            for line in lines
            for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]
        }

    @property
    def lake(self) -> dict[str, Any]:
        """All rows by ID, without what the exporter adds; each object is read once."""
        rows: list[dict[str, Any]] = []
        listed = self.account.s3.list_objects_v2(Bucket=BUCKET, Prefix="entries/")
        for item in listed.get("Contents", []):
            body = self.account.s3.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read()
            rows += [_loads(line) for line in gzip.decompress(body).splitlines()]
        added = ("change", "fingerprint", "tenantId", "exportedAt", "schemaVersion")
        assert len({row["logEntryId"] for row in rows}) == len(rows)
        return {
            row["logEntryId"]: {name: row[name] for name in row if name not in added}
            for row in rows
        }

    def assert_exact(self) -> None:
        """Lake and subscriber hold exactly what the API does."""
        expected = {entry.log_entry_id: entry.value for entry in self.simulator.store}
        assert self.lake == expected
        messages = self.account.received(self.account.subscriber_url)
        events = [_loads(message["Body"]) for message in messages]
        assert len(events) == len(expected)
        assert {event["subject"]: event["data"]["entry"] for event in events} == expected
        for message, event in zip(messages, events, strict=True):
            assert message["MessageAttributes"]["change"]["StringValue"] == "created"
            bucket, _, key = event["data"]["lakeUri"].removeprefix("s3://").partition("/")
            self.account.s3.head_object(Bucket=bucket, Key=key)

    def _load(self, name: str) -> ModuleType:
        """The function's module anew, as in a cold start."""
        for cached in (bootstrap.planner, bootstrap.worker, bootstrap.work_queue):
            cached.cache_clear()
        # Powertools keeps a logger, and where it writes to, by the name of its service.
        self.monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", f"{name}-{next(_names)}")
        path = ROOT / "functions" / name / "app.py"
        spec = importlib.util.spec_from_file_location(f"{name}_function", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module


def _loads(text: str | bytes) -> Any:
    return simplejson.loads(text, use_decimal=True)


def lately() -> EntryStore:
    """Entries of the last three days."""
    now = datetime.now(UTC)
    return source(now - timedelta(days=3), now - timedelta(hours=1))


def source(first: datetime, end: datetime) -> EntryStore:
    """Entries, each with a reflection that nobody may see in a log."""
    store = seeded(Profile(first=first, end=end, entries=60))
    for entry in list(store):
        store.edit(entry.log_entry_id, description=f"{REFLECTION}; größer 🧘🏽")
    return store


@pytest.fixture(scope="module")
def api() -> Iterator[tuple[Simulator, str]]:
    simulator = Simulator(EntryStore(), credentials=CREDENTIALS)
    with running(simulator) as url:
        yield simulator, url


@pytest.fixture
def stack(
    api: tuple[Simulator, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Stack]:
    simulator, url = api
    simulator.store, simulator.behaviour = lately(), Behaviour()
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("POWERTOOLS_TRACE_DISABLED", "true")
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "CpdExporter")
    with opened(monkeypatch) as account, ExitStack() as clients:
        # A function's client lives as long as its environment: here, as long as a test.
        monkeypatch.setattr(bootstrap, "new_client", lambda: clients.enter_context(new_client()))
        stack = Stack(account, simulator, monkeypatch, capsys)
        arn = account.secretsmanager.create_secret(Name="credentials")["ARN"]
        stack.keep_secret(json.dumps(BASIC))
        stack.say(
            ENVIRONMENT="production",
            API_URL=url,
            AUTHENTICATION="basic",
            SCOPE="api/read",
            TOKEN_AUDIENCE="public",
            FILTER_TIME_ZONE="UTC",
            FIRST_DATE=f"{datetime.now(UTC) - timedelta(days=4):%Y-%m-%d}",
            SETTLE_SECONDS="120",
            SECRET_ARN=arn,
            TIMELINE_TABLE=TABLE,
            LAKE_BUCKET=BUCKET,
            TOPIC_ARN=account.topic_arn,
            QUEUE_URL=account.queue_url,
            WORKER_TIMEOUT_SECONDS="120",
        )
        yield stack
        stack.logged("ERROR")
        assert not [canary for canary in CANARIES if canary in stack.output]


def the_error(stack: Stack) -> dict[str, Any]:
    """The one error that was logged, without a stack trace."""
    [error] = stack.logged("ERROR")
    assert "exception" not in error
    assert "stack_trace" not in error
    return error


# ── the way of the data ──────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("event", ["planner-export", "planner-schedule"])
def test_every_entry_arrives_in_the_lake_and_at_the_subscriber(stack: Stack, event: str) -> None:
    [first] = stack.planner(sample(event))["tenants"]
    assert first["tenantId"] == TENANT
    assert first["sent"] >= 1
    stack.work_off()
    [second] = stack.planner(sample(event))["tenants"]
    assert second["exportedThrough"] == second["plannedThrough"]
    assert second["sent"] == second["holes"] == 0
    stack.assert_exact()
    metrics = stack.metrics()
    assert metrics["TickFailed"] == 0
    assert metrics["EntriesCreated"] >= 1
    assert not stack.logged("ERROR")


def test_client_credentials_will_do_as_well(stack: Stack) -> None:
    stack.keep_secret(json.dumps(CLIENT))
    stack.say(AUTHENTICATION="oauth2")
    stack.planner(sample("planner-export"))
    stack.work_off()
    stack.assert_exact()


def test_the_status_tells_how_far_the_export_is(stack: Stack) -> None:
    stack.planner(sample("planner-export"))
    stack.work_off()
    stack.planner(sample("planner-export"))
    answer = stack.planner(sample("planner-status"))
    assert json.loads(json.dumps(answer)) == answer
    [tenant] = answer["tenants"]
    assert tenant["tenantId"] == TENANT
    assert tenant["exportedThrough"] == tenant["plannedThrough"]
    assert 120 <= tenant["lagSeconds"] < 600
    assert set(tenant["pages"]) == {"open", "writing", "stored", "done"}
    assert tenant["pages"]["done"] >= 1
    assert sum(tenant["pages"].values()) == tenant["pages"]["done"]
    assert set(tenant["sweeps"]) == {"open", "writing", "stored"}
    assert tenant["holes"] == []
    assert tenant["lastTick"]["error"] is None


def test_the_sample_message_is_of_a_page_that_is_not_there(stack: Stack) -> None:
    stack.planner(sample("planner-export"))
    [record] = sample("worker-page")["Records"]
    stack.worker(stack.send(record["body"]) | {"Body": record["body"]})
    assert [line["outcome"] for line in stack.outcomes()] == ["gone"]


def test_totals_that_are_absurd_do_no_harm(stack: Stack) -> None:
    stack.simulator.behave(totals_extra=10**15)
    stack.planner(sample("planner-export"))
    stack.work_off()
    stack.planner(sample("planner-export"))
    stack.assert_exact()


# ── the operator's commands ──────────────────────────────────────────────────────────────────


COMMANDS = sorted(
    path.stem
    for path in (ROOT / "events").glob("planner-*.json")
    if path.stem not in ("planner-export", "planner-schedule", "planner-status")
)


@pytest.mark.parametrize("event", COMMANDS)
def test_a_command_before_the_first_export_finds_nothing_and_the_tick_runs(
    stack: Stack, event: str
) -> None:
    answer = stack.run(sample(event))
    assert answer["requested"] is None
    assert "nothing is exported yet" in answer["note"]
    assert stack.metrics()["TickFailed"] == 0
    stack.assert_exact()


def january(stack: Stack) -> None:
    """The month that the samples are about."""
    first, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
    stack.simulator.store = source(first, end)
    stack.say(FIRST_DATE=f"{first:%Y-%m-%d}")


def export(stack: Stack) -> None:
    """Export everything, and take it from the subscriber."""
    stack.run(sample("planner-export"))
    stack.planner(sample("planner-export"))
    assert len(stack.told()) == len(stack.simulator.store)


@pytest.mark.parametrize(
    ("prepare", "event"),
    [(january, "planner-sweep"), (lambda _: None, "planner-sweep-lookback")],
    ids=["range", "lookback"],
)
def test_a_sweep_tells_what_was_edited_back_dated_and_deleted(
    stack: Stack, prepare: Callable[[Stack], None], event: str
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
    assert stack.told() == [("created", late), ("updated", edited)]
    stack.later(minutes=50)
    stack.run(sample(event))
    assert stack.told() == []
    stack.later(minutes=70)
    stack.run(sample(event))
    assert stack.told() == [("deleted", deleted)]
    stack.later(minutes=140)
    stack.run(sample(event))
    assert stack.told() == []
    assert stack.planner(sample("planner-status"))["tenants"][0]["requests"] == []


def test_the_sample_message_of_a_sweep_is_what_the_planner_sends(stack: Stack) -> None:
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
    assert stack.told() == [("updated", edited)]
    assert stack.outcomes()[-1]["changes"] == {"updated": 1}


def test_a_backfill_extends_the_export_into_the_past(stack: Stack) -> None:
    export(stack)
    old = [
        stack.simulator.insert(datetime(year, 6, 1, tzinfo=UTC)).log_entry_id
        for year in (2014, 2015, 2024)
    ]
    assert stack.run(sample("planner-backfill"))["requested"] == "backfill"
    stack.run(sample("planner-export"))
    assert stack.told() == [("created", old[1]), ("created", old[2])]
    [status] = stack.planner(sample("planner-status"))["tenants"]
    assert status["exportedFrom"] == "2015-01-01T00:00:00Z"
    assert status["exportedThrough"] == status["plannedThrough"]
    stack.run(sample("planner-export"))
    [status] = stack.planner(sample("planner-status"))["tenants"]
    assert status["requests"] == []


def test_a_refresh_tells_what_was_edited_and_names_what_is_unknown(stack: Stack) -> None:
    export(stack)
    edited = next(iter(stack.simulator.store)).log_entry_id
    stack.simulator.store.edit(edited, durationMinutes=7)
    unknown = sample("planner-refresh")["logEntryIds"]
    answer = stack.run(sample("planner-refresh") | {"logEntryIds": [edited, *unknown]})
    assert (answer["sweepsRequested"], answer["unknown"]) == (1, unknown)
    assert stack.told() == [("updated", edited)]


@pytest.mark.parametrize("alone", [True, False])
def test_a_replay_repeats_equal_events_to_all_or_to_one(stack: Stack, alone: bool) -> None:
    account, event = stack.account, sample("planner-replay")
    queue_arn = event["queueArn"] if alone else event.pop("queueArn")
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
    assert stack.metrics()["EntriesReplayed"] == len(first)


def the_report(stack: Stack) -> dict[str, Any]:
    key = stack.outcomes()[-1]["report"]
    report = json.loads(stack.account.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read())
    assert report["differences"] == stack.metrics()["VerifyDifferences"]
    assert REFLECTION not in json.dumps(report, ensure_ascii=False)
    return dict(report)


def test_a_verification_is_clean_after_an_export_and_finds_what_was_tampered_with(
    stack: Stack,
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


def test_the_sample_message_of_an_errand_is_what_the_planner_sends(stack: Stack) -> None:
    january(stack)
    export(stack)
    stack.planner(sample("planner-verify"))
    sent = stack.receive()
    event = sample("worker-job")
    assert sent is not None
    assert json.loads(sent["Body"]) == json.loads(event["Records"][0]["body"])
    stack.invoke_worker(event)
    assert the_report(stack)["clean"]


def test_deletions_beyond_a_days_number_wait_for_the_operator(stack: Stack) -> None:
    january(stack)
    export(stack)
    stack.say(MAX_DELETIONS_PER_DAY="0", DELETION_DELAY_SECONDS="0")
    deleted = next(iter(stack.simulator.store)).log_entry_id
    stack.simulator.store.delete(deleted)
    for _ in range(2):
        stack.run(sample("planner-sweep"))
    assert stack.told() == []
    assert stack.metrics()["DeletionsHeld"] == 1
    [status] = stack.planner(sample("planner-status"))["tenants"]
    [held] = status["heldDeletions"]
    assert held["deletions"] == 1
    assert json.dumps(sample("planner-confirm-deletions")) in held["reason"]
    assert stack.run(sample("planner-confirm-deletions"))["confirmed"] == 1
    assert stack.told() == [("deleted", deleted)]
    assert stack.planner(sample("planner-status"))["tenants"][0]["heldDeletions"] == []


def test_a_command_that_was_taken_outlives_its_failed_tick(stack: Stack) -> None:
    january(stack)
    export(stack)
    edited = next(iter(stack.simulator.store)).log_entry_id
    stack.simulator.store.edit(edited, durationMinutes=7)
    stack.later(hours=1)
    stack.simulator.behave(faults=(Fault(kind="html"),))
    answer = stack.planner(sample("planner-sweep"))
    assert answer["error"]["type"] == "MalformedResponseError"
    assert answer["accepted"]["requested"].startswith("sweep:")
    assert the_error(stack)["accepted"] == answer["accepted"]
    assert stack.metrics()["TickFailed"] == 1
    stack.simulator.behaviour = Behaviour()
    stack.run(sample("planner-schedule"))
    assert stack.told() == [("updated", edited)]


# ── what an operator must mend ───────────────────────────────────────────────────────────────


def empty_secret(stack: Stack) -> None:
    name = f"empty-{next(_names)}"
    stack.say(SECRET_ARN=stack.account.secretsmanager.create_secret(Name=name)["ARN"])


def missing_scope(stack: Stack) -> None:
    """A token that the endpoint gives, and that allows no reading."""
    stack.keep_secret(json.dumps(CLIENT))
    stack.say(AUTHENTICATION="oauth2", SCOPE="api/write")


def refused_scope(stack: Stack) -> None:
    stack.keep_secret(json.dumps(CLIENT))
    stack.say(AUTHENTICATION="oauth2")
    stack.simulator.behave(scopes=frozenset({"api/webhooks"}))


def wrong_client(stack: Stack) -> None:
    stack.keep_secret(json.dumps(CLIENT | {"clientSecret": "canary-but-wrong"}))
    stack.say(AUTHENTICATION="oauth2")


TO_MEND: dict[str, tuple[Callable[[Stack], None], type[ExporterError], str]] = {
    "empty secret": (empty_secret, ConfigurationError, "put-secret-value"),
    "no JSON": (
        lambda stack: stack.keep_secret("canary, not JSON"),
        ConfigurationError,
        "put-secret-value",
    ),
    "no tenant": (
        lambda stack: stack.keep_secret(json.dumps({"apiSecret": API_SECRET})),
        ConfigurationError,
        "tenantId: missing",
    ),
    "the other authentication": (
        lambda stack: stack.keep_secret(json.dumps(CLIENT)),
        ConfigurationError,
        "apiSecret: missing",
    ),
    "wrong secret": (
        lambda stack: stack.keep_secret(json.dumps(BASIC | {"apiSecret": "canary-but-wrong"})),
        AccessError,
        "put-secret-value",
    ),
    "wrong client": (wrong_client, AccessError, "put-secret-value"),
    "missing scope": (missing_scope, AccessError, "api/write"),
    "refused scope": (refused_scope, AccessError, "api/read"),
    "unknown environment": (
        lambda stack: stack.say(ENVIRONMENT="moon"),
        ConfigurationError,
        "CPD_ENVIRONMENT",
    ),
    "plain HTTP": (
        lambda stack: stack.say(API_URL="http://example.org"),
        ConfigurationError,
        "https://",
    ),
}


@pytest.mark.parametrize(("spoil", "kind", "remedy"), TO_MEND.values(), ids=TO_MEND.keys())
def test_the_planner_says_what_to_mend(
    stack: Stack, spoil: Callable[[Stack], None], kind: type[ExporterError], remedy: str
) -> None:
    spoil(stack)
    answer = stack.planner(sample("planner-export"))
    assert answer["error"]["type"] == kind.__name__
    assert "accepted" not in answer
    assert remedy in answer["error"]["message"]
    assert the_error(stack)["message"] == answer["error"]["message"]
    assert stack.metrics()["TickFailed"] == 1
    assert stack.receive() is None


@pytest.mark.parametrize(("spoil", "kind", "remedy"), TO_MEND.values(), ids=TO_MEND.keys())
def test_the_worker_keeps_its_message_until_it_is_mended(
    stack: Stack, spoil: Callable[[Stack], None], kind: type[ExporterError], remedy: str
) -> None:
    stack.planner(sample("planner-export"))
    message = stack.receive()
    assert message is not None
    spoil(stack)
    with pytest.raises(kind, match=remedy):
        stack.worker(message)
    error = the_error(stack)
    assert remedy in error["message"]
    assert error["error"] == kind.__name__
    assert stack.metrics()["WorkFailed"] == 1
    hidden = stack.hidden_seconds(message)
    assert hidden is not None
    # Five minutes; or, where not even the queue is known, as long as any message is hidden.
    assert 290 < hidden <= 720
    assert not stack.lake


def test_what_was_mended_goes_on_by_itself(stack: Stack) -> None:
    stack.keep_secret("nothing yet")
    assert "error" in stack.planner(sample("planner-export"))
    stack.keep_secret(json.dumps(BASIC))
    stack.planner(sample("planner-export"))
    stack.work_off()
    stack.assert_exact()


def test_a_rotated_secret_is_read_again(stack: Stack) -> None:
    planner = stack._load("planner")
    planner.handler(sample("planner-export"), Context())
    stack.simulator.credentials = Credentials(TENANT, "canary-rotated", "c", "s")
    try:
        stack.keep_secret(json.dumps(BASIC | {"apiSecret": "canary-rotated"}))
        assert "tenants" in planner.handler(sample("planner-export"), Context())
    finally:
        stack.simulator.credentials = CREDENTIALS


# ── what cannot be understood ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "event",
    [
        {"command": "exprot"},
        {"command": None},
        [],
        "export",
        None,
        {"command": "sweep"},
        {"command": "backfill", "from": "long ago"},
        {"command": "refresh", "logEntryIds": []},
        sample("planner-replay") | {"queueArn": "arn:aws:sqs:eu-west-2:123456789012:theirs.fifo"},
        sample("planner-verify") | {"to": "2025-12-31T00:00:00Z"},
    ],
)
def test_a_malformed_command_is_answered_with_what_is_allowed(stack: Stack, event: Any) -> None:
    answer = stack.planner(event)
    assert answer["error"]["type"] == "MalformedInputError"
    assert '{"command": "status"}' in answer["error"]["message"]
    assert the_error(stack)["message"] == answer["error"]["message"]
    assert stack.metrics()["CommandRefused"] == 1
    # Whoever sent it reads the answer: the export goes on, so nobody has to be called.
    assert "TickFailed" not in stack.metrics()
    assert stack.receive() is None


PAGE = json.loads(sample("worker-page")["Records"][0]["body"])


@pytest.mark.parametrize(
    ("body", "remedy"),
    [
        ("hello", "dead-letter queue"),
        ("{}", "dead-letter queue"),
        (json.dumps(PAGE | {"start": "yesterday"}), "dead-letter queue"),
        (json.dumps(PAGE | {"end": PAGE["start"]}), "dead-letter queue"),
        (json.dumps(PAGE | {"tenantId": "eu-west-2_Foreigner"}), "was the secret changed"),
    ],
)
def test_a_message_that_is_not_the_planners_goes_to_the_dead_letters(
    stack: Stack, body: str, remedy: str
) -> None:
    message = stack.send(body)
    with pytest.raises(MalformedInputError, match=remedy):
        stack.worker(message)
    assert remedy in the_error(stack)["message"]
    # At once in sight again, until the queue has had enough of it.
    hidden = stack.hidden_seconds(message)
    assert hidden is not None
    assert hidden <= 0


# ── what the API does ────────────────────────────────────────────────────────────────────────

FAULTS: dict[str, tuple[Fault, type[ExporterError], str]] = {
    "html": (Fault(kind="html"), MalformedResponseError, "Is the API URL right"),
    "truncated": (Fault(kind="truncated"), MalformedResponseError, "not the JSON"),
    "something else": (Fault(kind="raw", body='{"ok": 1}'), MalformedResponseError, "JSON"),
    "outside": (Fault(kind="ignore-filter"), FilterError, "FilterTimeZone"),
    "redirect": (
        Fault(status=302, location="https://example.org"),
        MalformedResponseError,
        "redirects",
    ),
}


@pytest.mark.parametrize(("fault", "kind", "remedy"), FAULTS.values(), ids=FAULTS.keys())
def test_an_answer_that_cannot_be_used_is_tried_again_and_loses_nothing(
    stack: Stack, fault: Fault, kind: type[ExporterError], remedy: str
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
def test_a_tick_that_gets_no_listing_says_so(stack: Stack, name: str) -> None:
    fault, kind, remedy = FAULTS[name]
    stack.simulator.behave(faults=(fault,))
    answer = stack.planner(sample("planner-export"))
    assert answer["error"]["type"] == kind.__name__
    assert remedy in the_error(stack)["message"]


@pytest.mark.parametrize("as_date", [False, True])
def test_too_many_requests_postpone_the_message_as_long_as_the_api_asks(
    stack: Stack, as_date: bool
) -> None:
    stack.planner(sample("planner-export"))
    fault = Fault(status=429, retry_after=400, retry_after_as_date=as_date)
    stack.simulator.behave(faults=(fault,))
    message = stack.receive()
    assert message is not None
    with pytest.raises(TransientError):
        stack.worker(message)
    assert the_error(stack)["retry_in_seconds"] >= 399
    hidden = stack.hidden_seconds(message)
    assert hidden is not None
    assert 395 < hidden < 605
    stack.simulator.behaviour = Behaviour()
    stack.worker(message)
    stack.work_off()
    stack.assert_exact()


def test_faulty_entries_are_quarantined_and_counted(stack: Stack) -> None:
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
