"""Both functions as Lambda calls them: AWS by moto, the API by the simulator over HTTP.

Whatever is logged must hold neither a secret nor anything that an entry says."""

import gzip
import importlib.util
import itertools
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest
import simplejson
from botocore.config import Config
from moto.sqs.models import sqs_backends

from cpd_exporter import bootstrap
from cpd_exporter.adapters.aws.client import CLIENT_CONFIG
from cpd_exporter.adapters.thrive.http import new_client
from simulator import Credentials, EntryStore, Profile, Simulator, seeded
from tests.contracts.account import BUCKET, REGION, TABLE, MotoAccount, opened

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


class LambdaContext:
    """What Lambda gives a function with an invocation."""

    function_name = "function"
    memory_limit_in_mb = 512
    invoked_function_arn = f"arn:aws:lambda:{REGION}:123456789012:function:function"
    aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e812345678"

    def __init__(self, seconds: int = 120) -> None:
        self._milliseconds = 1000 * seconds

    def get_remaining_time_in_millis(self) -> int:
        return self._milliseconds


class Deployment:
    """The deployed functions, the account they run in and the API that they read.

    Each invocation is a cold start, unless ``is_warm`` and no setting has changed. ``read_output``
    gives what was written to the standard output since it was last asked.
    """

    def __init__(
        self,
        account: MotoAccount,
        simulator: Simulator,
        monkeypatch: pytest.MonkeyPatch,
        read_output: Callable[[], str],
    ) -> None:
        self.account = account
        self.simulator = simulator
        self.monkeypatch = monkeypatch
        self._read_output = read_output
        self.output = ""
        self.is_warm = False
        self._ahead = timedelta()
        self._loaded: dict[str, tuple[dict[str, str], ModuleType]] = {}

    def say(self, **variables: str) -> None:
        for name, value in variables.items():
            self.monkeypatch.setenv(f"CPD_{name}", value)

    def keep_secret(self, text: str) -> None:
        self.account.secretsmanager.put_secret_value(SecretId="credentials", SecretString=text)

    def planner(self, event: Any) -> Any:
        """Invoke the planner."""
        return self.load("planner").handler(event, LambdaContext())

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
        self.load("worker").handler(event, LambdaContext(seconds=300))

    def run(self, event: Any) -> dict[str, Any]:
        """Send a command and do all that its tick sends; returns what the tick answers."""
        [answer] = self.planner(event)["tenants"]
        self.work_off()
        return dict(answer)

    def later(self, **by: float) -> None:
        """From now on the functions' clock is ahead."""
        self._ahead = timedelta(**by)
        self.monkeypatch.setattr(bootstrap, "_now", lambda: datetime.now(UTC) + self._ahead)

    def published(self, queue_url: str | None = None) -> list[tuple[str, str]]:
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
        for held in queue._messages:  # noqa: SLF001 - moto shows it nowhere else
            if held.id == message["MessageId"]:
                return float(held.visible_at) / 1000 - time.time()
        return None

    def logged(self, level: str) -> list[dict[str, Any]]:
        """The lines logged so far at a level."""
        self.output += self._read_output()
        lines = (json.loads(line) for line in self.output.splitlines() if line.startswith("{"))
        return [line for line in lines if line.get("level") == level]

    def outcomes(self) -> list[dict[str, Any]]:
        """What the worker logged of each message that it did."""
        return [line for line in self.logged("INFO") if line["message"] == "work"]

    @property
    def metric_lines(self) -> list[str]:
        """The lines with metrics that were logged so far."""
        self.output += self._read_output()
        return [line for line in self.output.splitlines() if '"_aws"' in line]

    def metrics(self) -> dict[str, float]:
        """The last value of each metric that was published so far."""
        lines = [json.loads(line) for line in self.metric_lines]
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

    def load(self, name: str) -> ModuleType:
        """The function's module: anew, as in a cold start, or as its last invocation left it."""
        settings = {key: value for key, value in os.environ.items() if key.startswith("CPD_")}
        if self.is_warm and name in self._loaded and self._loaded[name][0] == settings:
            return self._loaded[name][1]
        for cached in (
            bootstrap.planner,
            bootstrap.planner_pace,
            bootstrap.worker,
            bootstrap.work_queue,
        ):
            cached.cache_clear()
        # Powertools keeps a logger, and where it writes to, by the name of its service.
        self.monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", f"{name}-{next(_names)}")
        path = ROOT / "functions" / name / "app.py"
        spec = importlib.util.spec_from_file_location(f"{name}_function", path)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        self._loaded[name] = settings, module
        return module


@contextmanager
def deployed(
    simulator: Simulator,
    url: str,
    monkeypatch: pytest.MonkeyPatch,
    read_output: Callable[[], str],
) -> Iterator[Deployment]:
    """Deploy both functions with a new account, for the API at ``url``."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("POWERTOOLS_TRACE_DISABLED", "true")
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "CpdExporter")
    with opened(monkeypatch) as account, ExitStack() as clients:
        # A function's client lives as long as its environment: here, as long as a test.
        monkeypatch.setattr(
            bootstrap, "new_client", lambda **own: clients.enter_context(new_client(**own))
        )
        monkeypatch.setattr(boto3, "client", _client)
        stack = Deployment(account, simulator, monkeypatch, read_output)
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
            WORKER_CONCURRENCY="4",
        )
        yield stack


def _client(service: str, *, config: Config, **options: Any) -> Any:
    """A topic's client is prepared, so it is a new one; others serve all tests, as none is kept."""
    if config is CLIENT_CONFIG and not options:
        return _shared_client(service, boto3.DEFAULT_SESSION)
    return _new_client(service, config=config, **options)


_new_client: Any = boto3.client


@cache
def _shared_client(service: str, _session: object) -> Any:
    """Making a client takes longer than most calls; a session may have handlers of its own."""
    return _new_client(service, config=CLIENT_CONFIG)


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


def the_error(stack: Deployment) -> dict[str, Any]:
    """The one error that was logged, without a stack trace."""
    [error] = stack.logged("ERROR")
    assert "exception" not in error
    assert "stack_trace" not in error
    return error


def export(stack: Deployment) -> None:
    """Export everything, and take it from the subscriber."""
    stack.run(sample("planner-export"))
    stack.planner(sample("planner-export"))
    assert len(stack.published()) == len(stack.simulator.store)
