"""The deployed functions on a virtual clock, in an account that meters what AWS would bill.

The timeline is the real adapter on moto. Lake, topic and queue are in memory, and count the
requests that their adapters would send. The handlers are the real ones, so that their logs and
metrics count too.
"""

import importlib.util
import io
import json
import math
import os
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any
from unittest.mock import patch

import boto3
from moto import mock_aws
from moto.dynamodb.models import dynamodb_backends

from cpd_exporter import bootstrap
from cpd_exporter.adapters.aws.batch import MAX_BATCH_ENTRIES
from cpd_exporter.adapters.aws.timeline import DynamoDbTimeline
from cpd_exporter.adapters.aws.topic import batches, size
from cpd_exporter.errors import ExporterError
from cpd_exporter.model.event import Event
from cpd_exporter.model.message import Message
from simulator.source import EntryStore, StoredEntry, to_ms
from tests.benchmark.processes import AWS, ROOT
from tests.contracts.account import REGION, TABLE, timeline_table
from tests.support.fakes import FakeLake, FakeQueue
from tests.support.prices import PER_UNIT, cost
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


class MeteredLake(FakeLake):
    """Counts puts and gets."""

    def __init__(self, units: Counter[str]) -> None:
        super().__init__()
        self._units = units

    def put_new(self, key: str, body: bytes) -> bool:
        self._units["s3.puts"] += 1
        return super().put_new(key, body)

    def read(self, key: str) -> bytes | None:
        self._units["s3.gets"] += 1
        return super().read(key)


class MeteredTopic:
    """Counts batches by 64 KB, as SNS does, and keeps the IDs of what it published."""

    def __init__(self, units: Counter[str]) -> None:
        self.published: dict[str, str] = {}
        self._units = units

    def publish(self, events: Sequence[Event]) -> dict[str, str]:
        for batch in batches(events):
            self._units["sns.requests"] += math.ceil(sum(map(size, batch)) / 65_536)
        self.published |= {event.id: event.entry_id for event in events}
        return {}


class MeteredQueue(FakeQueue):
    """Counts a request for each batch that is sent, and for each message received and deleted."""

    def __init__(self, units: Counter[str]) -> None:
        super().__init__()
        self._units = units

    def send(self, work: Sequence[Message]) -> list[Message]:
        self._units["sqs.requests"] += math.ceil(len(work) / MAX_BATCH_ENTRIES) + 2 * len(work)
        return super().send(work)


class TableMeter:
    """Counts the capacity units of the timeline's table, by the sizes of its items.

    A write of an item that is in the local index writes there too; in a transaction, each counts
    twice. DynamoDB counts a failed condition like a write.
    """

    def __init__(self, units: Counter[str], client: Any) -> None:
        self._units = units
        self._known: dict[str, tuple[int, bool]] = {}
        client.meta.events.register("provide-client-params.dynamodb", self._note)
        client.meta.events.register("after-call.dynamodb", self._count)

    def _note(self, params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        context["params"] = params

    def _count(self, parsed: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        name, params = model.name, context["params"]
        self._units["dynamodb.calls"] += 1
        if name == "GetItem":
            self._read(_bytes(parsed.get("Item", {})))
        elif name == "Query":
            self._read(sum(map(_bytes, parsed.get("Items", []))))
        elif name == "TransactWriteItems":
            for item in params["TransactItems"]:
                [write] = item.values()
                self._write(write, times=2)
        else:
            self._write(params, times=1)

    def _read(self, size: int) -> None:
        self._units["dynamodb.readUnits"] += max(1, math.ceil(size / 4096))

    def _write(self, write: dict[str, Any], *, times: int) -> None:
        key = (write.get("Key") or write["Item"])["sk"]["S"]
        was_size, was_indexed = self._known.get(key, (0, False))
        item = _stored(key)
        size, indexed = _bytes(item), "undone" in item
        self._known[key] = (size, indexed)
        kilobytes = max(1, math.ceil(max(size, was_size) / 1024))
        self._units["dynamodb.writeUnits"] += times * kilobytes * (1 + (indexed or was_indexed))


def _stored(key: str) -> dict[str, Any]:
    table = dynamodb_backends["123456789012"][REGION].get_table(TABLE)
    item = table.items[f"TENANT#{TENANT}"].get(key)
    return {} if item is None else item.to_json()["Attributes"]


def _bytes(item: dict[str, dict[str, Any]]) -> int:
    return sum(len(name) + len(str(next(iter(value.values())))) for name, value in item.items())


class LambdaInvocation:
    """What a handler asks Lambda."""

    function_name = "function"
    memory_limit_in_mb = 512
    invoked_function_arn = "arn:aws:lambda:eu-west-2:123456789012:function:function"
    aws_request_id = "c6af9ac6-7b61-11e6-9a41-93e812345678"

    def get_remaining_time_in_millis(self) -> int:
        return 300_000


class Account:
    """A deployment, its clock, and ``units``: what AWS bills. ``arrivals`` are entries to come."""

    def __init__(self, store: EntryStore, origin: datetime, now: datetime) -> None:
        self.units: Counter[str] = Counter()
        self.arrivals: deque[StoredEntry] = deque()
        self.world = World(store=store, origin=origin)
        self.world.now = now
        client = boto3.client("dynamodb", region_name=REGION)
        client.create_table(TableName=TABLE, **timeline_table())
        TableMeter(self.units, client)
        self.world.timeline = DynamoDbTimeline(client, TABLE, TENANT)  # type: ignore[assignment]
        self.world.lake = MeteredLake(self.units)
        self.topic = MeteredTopic(self.units)
        self.world.topic = self.topic  # type: ignore[assignment]
        self.world.queue = MeteredQueue(self.units)
        self._metrics: set[str] = set()
        self._key_times: set[int] = set()
        self._output = io.StringIO()
        with redirect_stdout(self._output):
            self._planner, self._worker = _function("planner"), _function("worker")

    def forget(self) -> None:
        """Meter anew from here."""
        self.units.clear()
        self._metrics.clear()
        self._key_times.clear()

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
        self.units["scheduler.invocations"] += 1
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
        aws, entries = _aws_calls(self.units), len(self.topic.published)
        os.environ["POWERTOOLS_SERVICE_NAME"] = name
        with redirect_stdout(self._output):
            try:
                function.handler(event, LambdaInvocation())
            except ExporterError:
                self.world.now += timedelta(seconds=1)
        output = self._output.getvalue()
        self._output.seek(0)
        self._output.truncate()
        calls = self.world.api.calls - calls
        published = len(self.topic.published) - entries
        seconds = (
            SECONDS_PER_API_CALL * calls
            + SECONDS_PER_AWS_CALL * (_aws_calls(self.units) - aws)
            + SECONDS_PER_ENTRY * published
        )
        self.units["api.calls"] += calls
        self.units["lambda.invocations"] += 1
        self.units["lambda.milliseconds"] += round(1000 * seconds)
        self.units["logs.bytes"] += len(output.encode()) + PLATFORM_LOG_BYTES
        self._note_metrics(name, output)
        if published:
            self._key_times.add(int(self.world.now.timestamp()) // 300)

    def _note_metrics(self, function: str, output: str) -> None:
        for line in output.splitlines():
            if '"_aws"' in line:
                for directive in json.loads(line)["_aws"]["CloudWatchMetrics"]:
                    for metric in directive["Metrics"]:
                        self._metrics.add(f"{function} {metric['Name']}")

    def meter(self) -> "Meter":
        """What was metered so far. SNS asks KMS for a key at most every five minutes."""
        units: dict[str, float] = dict(self.units)
        units["lambda.gigabyteSeconds"] = (
            self.units["lambda.milliseconds"] / 1000 * MEMORY_GIGABYTES
        )
        units["logs.gigabytes"] = self.units["logs.bytes"] / 1e9
        units["kms.requests"] = len(self._key_times)
        units["metrics"] = len(self._metrics)
        units["aws.calls"] = _aws_calls(self.units)
        return Meter(units)


@dataclass(frozen=True, slots=True)
class Meter:
    """Amounts by unit: those that have a price, ``api.calls`` and ``aws.calls``.

    ``metrics`` counts the distinct ones, so that no sum or factor changes it.
    """

    units: Mapping[str, float]

    def __add__(self, other: "Meter") -> "Meter":
        names = [*self.units, *other.units]
        sums = {name: self[name] + other[name] for name in names}
        return Meter(sums | {"metrics": max(self["metrics"], other["metrics"])})

    def __sub__(self, other: "Meter") -> "Meter":
        return self + other * -1

    def __mul__(self, factor: float) -> "Meter":
        products = {name: amount * factor for name, amount in self.units.items()}
        return Meter(products | {"metrics": self["metrics"]})

    def __getitem__(self, unit: str) -> float:
        return self.units.get(unit, 0.0)

    @property
    def dollars(self) -> dict[str, float]:
        """Dollars by service."""
        return cost({name: self[name] for name in self.units if name in PER_UNIT})


class _Postponing:
    """The work queue of a message that failed: it comes with the planner's next message."""

    def postpone(self, receipt_handle: str, seconds: float) -> None:
        """Nothing waits here."""


def _aws_calls(units: Counter[str]) -> int:
    counted = ("dynamodb.calls", "s3.puts", "s3.gets", "sns.requests", "sqs.requests")
    return sum(units[name] for name in counted)


def _function(name: str) -> ModuleType:
    path = ROOT / f"functions/{name}/app.py"
    spec = importlib.util.spec_from_file_location(f"{name}_function", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def metered(store: EntryStore, origin: datetime, now: datetime) -> Iterator[Account]:
    """An account of its own."""
    variables = {"POWERTOOLS_METRICS_NAMESPACE": "CpdExporter", "POWERTOOLS_SERVICE_NAME": "x"}
    with patch.dict(os.environ, AWS | variables), mock_aws():
        yield Account(store, origin, now)
