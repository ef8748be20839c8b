"""The deployed functions on a virtual clock, in an account that meters what AWS would bill.

The timeline is the real adapter on moto. Lake, topic and queue are in memory, and count the
requests that their adapters would send. The handlers are the real ones, so that their logs and
metrics count too.
"""

import io
import json
import math
import os
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any
from unittest.mock import patch

import boto3
from moto import mock_aws

from cpd_exporter import bootstrap
from cpd_exporter.adapters.aws.batch import MAX_BATCH_ENTRIES
from cpd_exporter.adapters.aws.timeline import DynamoDbTimeline
from cpd_exporter.adapters.aws.topic import batches, size
from cpd_exporter.errors import ExporterError
from cpd_exporter.model.event import Event
from cpd_exporter.model.message import Message
from simulator.source import EntryStore, StoredEntry, to_ms
from tests.benchmark.functions import Invocation, load_function
from tests.benchmark.processes import AWS, ROOT
from tests.contracts.account import REGION, TABLE, timeline_table
from tests.support.bill import PRICES, Meter, Units, added, bill, scaled
from tests.support.fakes import FakeLake, FakeQueue
from tests.support.world import TENANT, World

MEMORY_GIGABYTES = 0.5
SECONDS_PER_API_CALL = 1.0
SECONDS_PER_AWS_CALL = 0.01
SECONDS_PER_ENTRY = 0.001
"""What a function's time is estimated by: generous for entries, of which one takes some 300 µs of a
whole core, and a function of 512 MB has less than a third of one."""

PLATFORM_LOG_BYTES = 400
"""What Lambda itself logs of each invocation: its start, its end and its report."""

TICK = timedelta(minutes=5)
SHORT_SWEEP = {"command": "sweep", "lookback": "P2D"}
LONG_SWEEP = {"command": "sweep", "lookback": "P35D"}
LONG_SWEEP_AT = (2, 20)


API_CALLS = "API calls"
AWS_CALLS = "AWS calls"
_CALLS = (AWS_CALLS, "S3: write or list", "S3: read", "SNS: 64 KB published", "SQS: request")


class MeteredLake(FakeLake):
    """Counts puts and gets."""

    def __init__(self, units: Counter[str]) -> None:
        super().__init__()
        self._units = units

    def put_new(self, key: str, body: bytes) -> bool:
        self._units["S3: write or list"] += 1
        return super().put_new(key, body)

    def read(self, key: str) -> bytes | None:
        self._units["S3: read"] += 1
        return super().read(key)


class MeteredTopic:
    """Counts batches by 64 KB, as SNS does, and keeps the IDs of what it published."""

    def __init__(self, units: Counter[str]) -> None:
        self.published: dict[str, str] = {}
        self._units = units

    def publish(self, events: Sequence[Event]) -> dict[str, str]:
        for batch in batches(events):
            self._units["SNS: 64 KB published"] += math.ceil(sum(map(size, batch)) / 65_536)
        self.published |= {event.id: event.entry_id for event in events}
        return {}


class MeteredQueue(FakeQueue):
    """Counts a request for each batch that is sent, and for each message received and deleted."""

    def __init__(self, units: Counter[str]) -> None:
        super().__init__()
        self._units = units

    def send(self, work: Sequence[Message]) -> list[Message]:
        self._units["SQS: request"] += math.ceil(len(work) / MAX_BATCH_ENTRIES) + 2 * len(work)
        return super().send(work)


class Account:
    """A deployment, its clock, and ``units``: what AWS bills. ``arrivals`` are entries to come."""

    def __init__(self, store: EntryStore, origin: datetime, now: datetime) -> None:
        self.units: Counter[str] = Counter()
        self.arrivals: deque[StoredEntry] = deque()
        self._milliseconds = self._log_bytes = 0
        self.world = World(store=store, origin=origin)
        self.world.now = now
        self._table_meter = Meter(TABLE)
        client = boto3.client("dynamodb", region_name=REGION)
        client.create_table(TableName=TABLE, **timeline_table())
        client.meta.events.register("after-call.dynamodb", self._count_call)
        self.world.timeline = DynamoDbTimeline(client, TABLE, TENANT)  # type: ignore[assignment]
        self.world.lake = MeteredLake(self.units)
        self.topic = MeteredTopic(self.units)
        self.world.topic = self.topic  # type: ignore[assignment]
        self.world.queue = MeteredQueue(self.units)
        self._metrics: set[str] = set()
        self._output = io.StringIO()
        with redirect_stdout(self._output):
            self._planner, self._worker = load_function("planner"), load_function("worker")

    def forget(self) -> None:
        """Usage anew from here."""
        self.units.clear()
        self._milliseconds = self._log_bytes = 0
        self._metrics.clear()
        self._table_meter.take()

    def run(self, until: datetime) -> None:
        """Keep the default schedule, and work off what it sends, until some instant."""
        while self.world.now < until:
            now = self.world.now
            while self.arrivals and self.arrivals[0].at_ms < to_ms(now):
                self.world.store.add(self.arrivals.popleft())
            self.invoke_planner({"command": "export"})
            if now.minute < 5:
                self.invoke_planner(SHORT_SWEEP)
            if now.hour == LONG_SWEEP_AT[0] and LONG_SWEEP_AT[1] <= now.minute < 25:
                self.invoke_planner(LONG_SWEEP)
            self.work_off()
            self.world.now = now + TICK

    def export_all(self) -> None:
        """Tick until nothing is left to do, without waiting."""
        for _ in range(50):
            self.invoke_planner({"command": "export"})
            if not self.world.queue.messages:
                return
            self.work_off()
            self.world.now += timedelta(seconds=1)

    def invoke_planner(self, event: dict[str, Any]) -> None:
        self.units["EventBridge Scheduler: invocation"] += 1
        with patch.object(bootstrap, "planner", lambda: self.world.planner):
            self._invoke(self._planner, "planner", event)

    def work_off(self) -> None:
        event = json.loads((ROOT / "events/worker-page.json").read_text())
        messages = self.world.queue.messages
        while messages:
            event["Records"][0]["body"] = messages.pop(0).model_dump_json(by_alias=True)
            with (
                patch.object(bootstrap, "worker", lambda: self.world.worker),
                patch.object(bootstrap, "work_queue", _Postponing),
            ):
                self._invoke(self._worker, "worker", event)

    def _invoke(self, function: ModuleType, name: str, event: dict[str, Any]) -> None:
        calls = self.world.api.calls
        aws, entries = self.aws_calls, len(self.topic.published)
        os.environ["POWERTOOLS_SERVICE_NAME"] = name
        with redirect_stdout(self._output):
            try:
                function.handler(event, Invocation())
            except ExporterError:
                self.world.now += timedelta(seconds=1)
        output = self._output.getvalue()
        self._output.seek(0)
        self._output.truncate()
        calls = self.world.api.calls - calls
        published = len(self.topic.published) - entries
        seconds = (
            SECONDS_PER_API_CALL * calls
            + SECONDS_PER_AWS_CALL * (self.aws_calls - aws)
            + SECONDS_PER_ENTRY * published
        )
        self.units[API_CALLS] += calls
        self.units["Lambda: request"] += 1
        self._milliseconds += round(1000 * seconds)
        self._log_bytes += len(output.encode()) + PLATFORM_LOG_BYTES
        self._note_metrics(name, output)

    def _note_metrics(self, function: str, output: str) -> None:
        for line in output.splitlines():
            if '"_aws"' in line:
                for directive in json.loads(line)["_aws"]["CloudWatchMetrics"]:
                    for metric in directive["Metrics"]:
                        self._metrics.add(f"{function} {metric['Name']}")

    def _count_call(self, **_: Any) -> None:
        self.units[AWS_CALLS] += 1

    @property
    def aws_calls(self) -> int:
        """Requests to AWS by the functions and for them, pollers left out."""
        return sum(self.units[name] for name in _CALLS)

    def used(self) -> "Usage":
        """What was metered so far."""
        amounts = {
            "Lambda: GB-second (arm64)": self._milliseconds / 1000 * MEMORY_GIGABYTES,
            "CloudWatch Logs: GB ingested": self._log_bytes / 1e9,
            AWS_CALLS: self.aws_calls,
        }
        return Usage(self.units | amounts | self._table_meter.take(), len(self._metrics))


@dataclass(frozen=True, slots=True)
class Usage:
    """Units by kind, ``API_CALLS`` and ``AWS_CALLS`` too, and how many metrics had a value."""

    units: Units
    metrics: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(added(self.units, other.units), max(self.metrics, other.metrics))

    def __sub__(self, other: "Usage") -> "Usage":
        return self + other * -1

    def __mul__(self, factor: float) -> "Usage":
        return Usage(scaled(self.units, factor), self.metrics)

    @property
    def dollars(self) -> dict[str, float]:
        """Dollars by service."""
        return bill({kind: amount for kind, amount in self.units.items() if kind in PRICES})


class _Postponing:
    """The work queue of a message that failed: it comes with the planner's next message."""

    def postpone(self, receipt_handle: str, seconds: float) -> None:
        """Nothing waits here."""


@contextmanager
def metered(store: EntryStore, origin: datetime, now: datetime) -> Iterator[Account]:
    """An account of its own."""
    variables = {"POWERTOOLS_METRICS_NAMESPACE": "CpdExporter", "POWERTOOLS_SERVICE_NAME": "x"}
    with patch.dict(os.environ, AWS | variables), mock_aws():
        yield Account(store, origin, now)
