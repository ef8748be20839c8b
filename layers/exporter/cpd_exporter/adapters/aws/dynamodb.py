"""One partition of a DynamoDB table: consistent reads, and writes that are conditional."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from cpd_exporter.adapters.aws.client import code_of, translated
from cpd_exporter.adapters.aws.write_pace import WritePace
from cpd_exporter.errors import TransientError

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

type Item = dict[str, Any]

MAX_TRANSACTION_ITEMS = 100
"""DynamoDB accepts no more in one transaction."""

LAST_SORT_KEY = "\N{TILDE}"
"""Sorts after every instant and every name."""

_serialize = TypeSerializer().serialize
_deserialize = TypeDeserializer().deserialize


@dataclass(frozen=True, slots=True)
class Condition:
    """The write happens only if the item meets the condition."""

    expression: str
    values: Item = field(default_factory=dict)


ABSENT = Condition("attribute_not_exists(sk)")
PRESENT = Condition("attribute_exists(sk)")


def equal(**attributes: Any) -> Condition:
    """The item has these values; ``None`` means that it lacks the attribute."""
    clauses = (
        f"attribute_not_exists({name})" if value is None else f"{name} = :was_{name}"
        for name, value in attributes.items()
    )
    values = {f":was_{name}": value for name, value in attributes.items() if value is not None}
    return Condition(" AND ".join(clauses), values)


@dataclass(frozen=True, slots=True)
class ItemWrite:
    """One write, done alone or in a transaction."""

    operation: Literal["Put", "Update", "Delete"]
    request: Item


class Partition:
    """The items of one partition key. Make ``client`` with ``CLIENT_CONFIG``."""

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        key: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
        pace: WritePace | None = None,
    ) -> None:
        self._client = client
        self._table = table
        self._key = key
        self._pace = pace or WritePace()
        # botocore repeats no cancelled transaction. It gives each of these attempts a token of its
        # own. The waits are jittered, and five seconds together at most.
        self._retrying = Retrying(
            retry=retry_if_exception(_soon_passes),
            stop=stop_after_attempt(7),
            wait=wait_random_exponential(multiplier=0.05, max=1),
            sleep=sleep,
            reraise=True,
        )

    def get(self, sk: str) -> Item | None:
        with translated("dynamodb:GetItem", self._table):
            answer = self._client.get_item(
                TableName=self._table, Key=self._key_of(sk), ConsistentRead=True
            )
        item = answer.get("Item")
        return None if item is None else _plain(item)

    def query(
        self,
        first: str,
        last: str,
        *,
        index: str | None = None,
        descending: bool = False,
        page_size: int | None = None,
    ) -> Iterator[Item]:
        """Items from ``first`` to ``last``, by sort key or by the attribute of a local index.

        Only one response is in memory at a time: ``page_size`` items, or 1 MB.
        """
        request: Item = {"IndexName": index} if index else {}
        with translated("dynamodb:Query", self._table):
            for answer in self._client.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression=f"pk = :pk AND {index or 'sk'} BETWEEN :first AND :last",
                ExpressionAttributeValues=_values(
                    {":pk": self._key, ":first": first, ":last": last}
                ),
                ScanIndexForward=not descending,
                ConsistentRead=True,
                PaginationConfig={"PageSize": page_size} if page_size else {},
                **request,
            ):
                yield from map(_plain, answer["Items"])

    def put(self, sk: str, attributes: Item, condition: Condition | None = None) -> ItemWrite:
        request: Item = {"TableName": self._table, "Item": self._key_of(sk) | _values(attributes)}
        return ItemWrite("Put", request | (_request_of(condition) if condition else {}))

    def update(
        self, sk: str, settings: Item, condition: Condition, *, removals: Sequence[str] = ()
    ) -> ItemWrite:
        expression = ""
        if settings:
            expression += "SET " + ", ".join(f"#{name} = :{name}" for name in settings)
        if removals:
            expression += " REMOVE " + ", ".join(f"#{name}" for name in removals)
        request = _request_of(condition, {f":{name}": value for name, value in settings.items()})
        return ItemWrite(
            "Update",
            {
                "TableName": self._table,
                "Key": self._key_of(sk),
                "UpdateExpression": expression.strip(),
                "ExpressionAttributeNames": {f"#{name}": name for name in (*settings, *removals)},
                **request,
            },
        )

    def delete(self, sk: str, condition: Condition) -> ItemWrite:
        return ItemWrite(
            "Delete",
            {"TableName": self._table, "Key": self._key_of(sk), **_request_of(condition)},
        )

    def do(self, write: ItemWrite) -> bool:
        """Do one write; returns whether its condition held.

        After a lost answer, the repeated call may find the condition broken by its own first write.
        """
        calls: Mapping[str, Callable[..., object]] = {
            "Put": self._client.put_item,
            "Update": self._client.update_item,
            "Delete": self._client.delete_item,
        }
        with translated(f"dynamodb:{write.operation}Item", self._table):
            try:
                self._write(calls[write.operation], 1, **write.request)
            except self._client.exceptions.ConditionalCheckFailedException:
                return False
        return True

    def do_all(self, writes: Sequence[ItemWrite]) -> bool:
        """Do up to 100 writes or none; returns whether all conditions held.

        A token makes botocore's own repetitions safe. If all answers are lost, only the items show
        what happened.
        """
        items: list[Any] = [{write.operation: write.request} for write in writes]
        with translated("dynamodb:TransactWriteItems", self._table):
            try:
                self._write(self._client.transact_write_items, len(items), TransactItems=items)
            except self._client.exceptions.TransactionCanceledException as error:
                cancelled = error
            else:
                return True
        reasons = _reasons(cancelled)
        if reasons and reasons <= {"None", "ConditionalCheckFailed"}:
            return False
        raise TransientError(
            f"dynamodb:TransactWriteItems on {self._table} was cancelled "
            f"({', '.join(sorted(reasons - {'None'})) or code_of(cancelled)})"
        ) from cancelled

    def _write(self, call: Callable[..., Any], writes: int, **request: Any) -> None:
        """Write at the pace that the partition takes, and again if something soon passes."""

        def attempt() -> None:
            self._pace.wait()
            self._pace.note(call(**request, ReturnConsumedCapacity="TOTAL"), writes)

        self._retrying(attempt)

    def _key_of(self, sk: str) -> Item:
        return _values({"pk": self._key, "sk": sk})


def has_items(client: "DynamoDBClient", table: str) -> bool:
    """Whether a table holds anything at all, of whichever tenant."""
    with translated("dynamodb:Scan", table):
        return bool(client.scan(TableName=table, Limit=1, ConsistentRead=True)["Items"])


def _request_of(condition: Condition, values: Item | None = None) -> Item:
    """The request's members for a condition, with its values and the ``values`` of the write."""
    request: Item = {"ConditionExpression": condition.expression}
    all_values = condition.values | (values or {})
    return request | ({"ExpressionAttributeValues": _values(all_values)} if all_values else {})


_PASSING = frozenset({"ProvisionedThroughputExceeded", "ThrottlingError", "TransactionConflict"})
"""Reasons of a cancelled transaction: the partition is busy, or another one holds an item."""


def _soon_passes(error: BaseException) -> bool:
    return isinstance(error, ClientError) and (
        code_of(error) == "TransactionConflictException" or not _PASSING.isdisjoint(_reasons(error))
    )


def _reasons(cancelled: ClientError) -> set[str]:
    reasons: list[Item] = cancelled.response.get("CancellationReasons", [])  # type: ignore[assignment]  # untyped in the stubs
    return {str(reason.get("Code")) for reason in reasons}


def _values(plain: Item) -> Item:
    return {name: _serialize(value) for name, value in plain.items()}


def _plain(item: Item) -> Item:
    return {name: _deserialize(value) for name, value in item.items()}
