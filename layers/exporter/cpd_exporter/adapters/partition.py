"""One partition of a DynamoDB table: consistent reads, and writes that are conditional."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from cpd_exporter.adapters.aws import code_of, translated
from cpd_exporter.errors import TransientError

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

type Item = dict[str, Any]

MOST_WRITES = 100
"""What one transaction holds."""

LARGEST = "\N{TILDE}"
"""Sorts after every instant and every name."""

_serialize = TypeSerializer().serialize
_deserialize = TypeDeserializer().deserialize


@dataclass(frozen=True, slots=True)
class Condition:
    """What an item must be like for a write to happen."""

    expression: str
    values: Item = field(default_factory=dict)


ABSENT = Condition("attribute_not_exists(sk)")
PRESENT = Condition("attribute_exists(sk)")


def equal(**attributes: Any) -> Condition:
    """The item has these attributes; ``None``: it has no such attribute."""
    clauses = (
        f"attribute_not_exists({name})" if value is None else f"{name} = :was_{name}"
        for name, value in attributes.items()
    )
    values = {f":was_{name}": value for name, value in attributes.items() if value is not None}
    return Condition(" AND ".join(clauses), values)


@dataclass(frozen=True, slots=True)
class Write:
    """One conditional write, to be done alone or along with others."""

    operation: Literal["Put", "Update", "Delete"]
    request: Item


class Partition:
    """The items below one partition key, each by its sort key."""

    def __init__(
        self,
        client: "DynamoDBClient",
        table: str,
        key: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = client
        self._table = table
        self._key = key
        # botocore gives each of these attempts a token of its own.
        self._retrying = Retrying(
            retry=retry_if_exception(_is_in_anothers_way),
            stop=stop_after_attempt(5),
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
        least: str,
        most: str,
        *,
        index: str | None = None,
        descending: bool = False,
        at_once: int | None = None,
    ) -> Iterator[Item]:
        """Items from ``least`` to ``most``, by sort key or by the index of that name.

        One response of them is held at a time: ``at_once`` items, or 1 MB.
        """
        request: Item = {"IndexName": index} if index else {}
        with translated("dynamodb:Query", self._table):
            for answer in self._client.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression=f"pk = :pk AND {index or 'sk'} BETWEEN :least AND :most",
                ExpressionAttributeValues=_values(
                    {":pk": self._key, ":least": least, ":most": most}
                ),
                ScanIndexForward=not descending,
                ConsistentRead=True,
                PaginationConfig={"PageSize": at_once} if at_once else {},
                **request,
            ):
                yield from map(_plain, answer["Items"])

    def put(self, sk: str, attributes: Item, condition: Condition | None = None) -> Write:
        request: Item = {"TableName": self._table, "Item": self._key_of(sk) | _values(attributes)}
        return Write("Put", request | (_demanding(condition) if condition else {}))

    def update(
        self, sk: str, settings: Item, condition: Condition, *, removals: Sequence[str] = ()
    ) -> Write:
        expression = "SET " + ", ".join(f"#{name} = :{name}" for name in settings)
        if removals:
            expression += " REMOVE " + ", ".join(f"#{name}" for name in removals)
        request = _demanding(condition, {f":{name}": value for name, value in settings.items()})
        return Write(
            "Update",
            {
                "TableName": self._table,
                "Key": self._key_of(sk),
                "UpdateExpression": expression,
                "ExpressionAttributeNames": {f"#{name}": name for name in (*settings, *removals)},
                **request,
            },
        )

    def delete(self, sk: str, condition: Condition) -> Write:
        return Write(
            "Delete",
            {"TableName": self._table, "Key": self._key_of(sk), **_demanding(condition)},
        )

    def do(self, write: Write) -> bool:
        """Whether the condition held. After a lost answer it may no longer, by one's own doing."""
        calls: Mapping[str, Callable[..., object]] = {
            "Put": self._client.put_item,
            "Update": self._client.update_item,
            "Delete": self._client.delete_item,
        }
        with translated(f"dynamodb:{write.operation}Item", self._table):
            try:
                self._retrying(calls[write.operation], **write.request)
            except self._client.exceptions.ConditionalCheckFailedException:
                return False
        return True

    def do_all(self, writes: Sequence[Write]) -> bool:
        """Do up to 100 writes or none; whether all conditions held.

        Their token makes botocore's own attempts one; an answer that is lost for good shows in the
        items alone.
        """
        items: list[Any] = [{write.operation: write.request} for write in writes]
        with translated("dynamodb:TransactWriteItems", self._table):
            try:
                self._retrying(self._client.transact_write_items, TransactItems=items)
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

    def _key_of(self, sk: str) -> Item:
        return _values({"pk": self._key, "sk": sk})


def _demanding(condition: Condition, values: Item | None = None) -> Item:
    """The members of a request that hold the condition, and all values."""
    request: Item = {"ConditionExpression": condition.expression}
    all_values = condition.values | (values or {})
    return request | ({"ExpressionAttributeValues": _values(all_values)} if all_values else {})


def _is_in_anothers_way(error: BaseException) -> bool:
    """Whether a transaction was at one of the items at that very moment: it soon is not."""
    return isinstance(error, ClientError) and (
        code_of(error) == "TransactionConflictException" or "TransactionConflict" in _reasons(error)
    )


def _reasons(cancelled: ClientError) -> set[str]:
    reasons: list[Item] = cancelled.response.get("CancellationReasons", [])  # type: ignore[assignment]  # untyped in the stubs
    return {str(reason.get("Code")) for reason in reasons}


def _values(plain: Item) -> Item:
    return {name: _serialize(value) for name, value in plain.items()}


def _plain(item: Item) -> Item:
    return {name: _deserialize(value) for name, value in item.items()}
