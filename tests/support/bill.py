"""What AWS charges: list prices of us-east-1 in dollars, and a meter for the calls that code makes.

The meter sits between botocore and moto. It counts the units that AWS bills, so it knows the items
of the table before and after each write.
"""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import boto3
from moto.dynamodb.models import dynamodb_backends

from tests.contracts.account import REGION

PRICES: Mapping[str, float] = {
    "CloudWatch: metric-month": 0.30,
    "CloudWatch: alarm-month": 0.10,
    "CloudWatch Logs: GB ingested": 0.50,
    "CloudWatch Logs: GB-month": 0.03,
    "DynamoDB: write unit": 0.625e-6,
    "DynamoDB: read unit": 0.125e-6,
    "DynamoDB: GB-month": 0.25,
    "DynamoDB: GB-month of recovery": 0.20,
    "EventBridge Scheduler: invocation": 1e-6,
    "Lambda: request": 0.20e-6,
    "Lambda: GB-second (arm64)": 13.3334e-6,
    "S3: write or list": 5e-6,
    "S3: read": 0.4e-6,
    "S3: GB-month": 0.023,
    "Secrets Manager: secret-month": 0.40,
    "Secrets Manager: call": 5e-6,
    "SNS: 64 KB published": 0.50e-6,
    "SQS: request": 0.40e-6,
}

KB = 1024
CHUNK = 64 * KB
"""SNS and SQS bill each 64 KB of a request as one request."""

_ACCOUNT = "123456789012"
"""The one that moto makes."""

_WRITES = frozenset({"PutItem", "UpdateItem", "DeleteItem"})


type Units = dict[str, float]
"""How many units by kind; a kind begins with the name of its service."""


def added(*parts: Mapping[str, float]) -> Units:
    total: defaultdict[str, float] = defaultdict(float)
    for part in parts:
        for kind, count in part.items():
            total[kind] += count
    return dict(total)


def scaled(units: Mapping[str, float], times: float) -> Units:
    return {kind: count * times for kind, count in units.items()}


def bill(units: Mapping[str, float]) -> dict[str, float]:
    """Dollars by service."""
    dollars: defaultdict[str, float] = defaultdict(float)
    for kind, count in units.items():
        dollars[kind.partition(":")[0]] += count * PRICES[kind]
    return dict(dollars)


class Meter:
    """Counts the billed units of every client that ``boto3.client`` makes from now on.

    ``calls`` counts them. Calls that botocore repeats count once.
    """

    def __init__(self, table: str) -> None:
        self.calls = 0
        self._units: defaultdict[str, float] = defaultdict(float)
        self._table = table
        self._before: dict[tuple[str, str], dict[str, Any]] = {}
        boto3.setup_default_session(region_name=REGION)
        events = boto3.DEFAULT_SESSION.events  # type: ignore[union-attr]
        events.register("provide-client-params.*.*", self._begin)
        events.register("after-call.*.*", self._end)

    def take(self) -> Units:
        """The units since the last look."""
        units = dict(self._units)
        self._units.clear()
        return units

    def _begin(self, params: dict[str, Any], model: Any, context: dict[str, Any], **_: Any) -> None:
        name = model.name
        context["sent"] = params
        for write in _item_writes(name, params):
            key = _key_of(write)
            self._before[key] = self._item(key)

    def _end(  # noqa: C901  # one case a kind of call
        self, parsed: dict[str, Any], model: Any, context: dict[str, Any], **_: Any
    ) -> None:
        self.calls += 1
        name, params, units = model.name, context["sent"], self._units
        match model.service_model.service_name, name:
            case "dynamodb", "GetItem":
                units["DynamoDB: read unit"] += _read_units([parsed.get("Item", {})])
            case "dynamodb", "Query" | "Scan":
                units["DynamoDB: read unit"] += _read_units(parsed.get("Items", []))
            case "dynamodb", _:
                factor = 2 if name == "TransactWriteItems" else 1
                for write in _item_writes(name, params):
                    units["DynamoDB: write unit"] += factor * self._write_units(_key_of(write))
            case "s3", "GetObject" | "HeadObject":
                units["S3: read"] += 1
            case "s3", "DeleteObject":
                pass
            case "s3", _:
                units["S3: write or list"] += 1
            case "sns", "PublishBatch":
                body = sum(len(json.dumps(one)) for one in params["PublishBatchRequestEntries"])
                units["SNS: 64 KB published"] += -(-body // CHUNK)
            case "sqs", _:
                units["SQS: request"] += -(-len(json.dumps(params)) // CHUNK)
            case "secretsmanager", _:
                units["Secrets Manager: call"] += 1
            case service, _:
                raise AssertionError(f"what does {service}:{name} cost?")

    def _item(self, key: tuple[str, str]) -> dict[str, Any]:
        table = dynamodb_backends[_ACCOUNT][REGION].tables[self._table]
        found = table.items.get(key[0], {}).get(key[1])
        return found.to_json()["Attributes"] if found is not None else {}

    def _write_units(self, key: tuple[str, str]) -> int:
        """Units of one item outside transactions: the larger of both states, and its index."""
        before, after = self._before.pop(key), self._item(key)
        item = max(1, -(-max(_size(before), _size(after)) // KB))
        places = {one.get("undone", {}).get("S") for one in (before, after)} - {None}
        return item * (1 + len(places))


def _item_writes(name: str, params: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if name in _WRITES:
        yield params
    elif name == "TransactWriteItems":
        for one in params["TransactItems"]:
            yield from one.values()


def _key_of(write: Mapping[str, Any]) -> tuple[str, str]:
    key = write.get("Key") or write["Item"]
    return key["pk"]["S"], key["sk"]["S"]


def _size(item: Mapping[str, Any]) -> int:
    """Bytes of an item, rather too many: its JSON names each value's type."""
    return len(json.dumps(item)) if item else 0


def _read_units(items: list[Mapping[str, Any]]) -> int:
    """Units of one consistent read."""
    return max(1, -(-sum(map(_size, items)) // (4 * KB)))
