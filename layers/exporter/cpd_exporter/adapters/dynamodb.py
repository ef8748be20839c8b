"""The timeline in one DynamoDB table.

| pk                | sk                            | holds                                  |
|-------------------|-------------------------------|----------------------------------------|
| TENANT#<tenantId> | WATERMARK                     | the watermark and the last tick        |
| TENANT#<tenantId> | PAGE#<start>                  | a page; ``undone`` only while it is so |
| TENANT#<tenantId> | REFUSED#<start>#<hash of ID>  | an event that the topic refused        |

The local index ``undone`` is sparse, and local because only then can it be read consistently.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from cpd_exporter.adapters.aws import code_of, in_parallel, translated
from cpd_exporter.errors import TransientError
from cpd_exporter.model.instants import parse_instant
from cpd_exporter.model.timeline import Page, Refusal, State, Tick, Watermark
from cpd_exporter.model.windows import Window

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import TransactWriteItemTypeDef

type Item = dict[str, Any]

MOST_PAGES = 99
"""What one transaction (100 items) holds beside the watermark."""

_WATERMARK = "WATERMARK"
_LARGEST = "\N{TILDE}"  # sorts after every instant
_serialize = TypeSerializer().serialize
_deserialize = TypeDeserializer().deserialize


class DynamoDbTimeline:
    """One tenant's part of the table. ``client`` is made with ``aws.CLIENT_CONFIG``."""

    def __init__(self, client: "DynamoDBClient", table: str, tenant_id: str) -> None:
        self.tenant_id = tenant_id
        self._client = client
        self._table = table
        self._pk = f"TENANT#{tenant_id}"

    def watermark(self) -> Watermark | None:
        item = self._get(_WATERMARK)
        return None if item is None else _watermark(item)

    def begin(self, watermark: Watermark) -> Watermark:
        self._put_if_none(_WATERMARK, _watermark_attributes(watermark))
        standing = self.watermark()
        if standing is None:
            raise TransientError(f"the watermark is not in table {self._table}, though written")
        return standing

    def append(self, pages: Sequence[Page], *, after: datetime) -> bool:
        move: TransactWriteItemTypeDef = {
            "Update": {
                "TableName": self._table,
                "Key": self._key(_WATERMARK),
                "UpdateExpression": "SET plannedThrough = :end",
                "ConditionExpression": "plannedThrough = :after",
                "ExpressionAttributeValues": _values(
                    {":end": _text(pages[-1].window.end), ":after": _text(after)}
                ),
            }
        }
        return self._write([move, *(self._new(page) for page in pages)], pages)

    def advance(self, *, before: datetime, through: datetime) -> bool:
        moved = self._update(
            _WATERMARK,
            "SET exportedThrough = :through",
            condition="exportedThrough = :before",
            values={":through": _text(through), ":before": _text(before)},
        )
        if moved:
            return True
        standing = self.watermark()
        return standing is not None and standing.exported_through == through

    def prove(self, at: datetime) -> None:
        self._update(
            _WATERMARK,
            "SET provenAt = :at",
            condition="attribute_exists(sk)",
            values={":at": _text(at)},
        )

    def note_tick(self, tick: Tick) -> None:
        self._update(
            _WATERMARK,
            "SET lastTick = :tick",
            condition="attribute_exists(sk)",
            values={":tick": _present({"at": _text(tick.at), "error": tick.error})},
        )

    def page(self, start: datetime) -> Page | None:
        item = self._get(_page_key(start))
        return None if item is None else _page(item)

    def pages(self, start: datetime) -> Iterator[Page]:
        return map(_page, self._query("sk", _page_key(start), _page_key(_LARGEST)))

    def undone(self) -> Iterator[Page]:
        return map(_page, self._query("undone", "0", _LARGEST, index="undone"))

    def update(self, page: Page, changed: Page) -> bool:
        before, after = _page_attributes(page), _page_attributes(changed)
        # The planner marks pages as sent while workers write them: that mark is left as it stands.
        for attributes in (before, after):
            attributes.pop("sentAt", None)
        settings = [name for name, value in after.items() if before.get(name) != value]
        removals = [name for name in before if name not in after]
        expression = "SET " + ", ".join(f"#{name} = :{name}" for name in settings)
        if removals:
            expression += " REMOVE " + ", ".join(f"#{name}" for name in removals)
        written = self._update(
            _page_key(page.window.start),
            expression,
            # Of two writers one loses ...
            condition="#revision = :before",
            names={f"#{name}": name for name in {*settings, *removals, "revision"}},
            values={f":{name}": after[name] for name in settings} | {":before": page.revision},
        )
        # ... but not to itself, where only the answer to its first attempt was lost.
        return written or self._holds(changed)

    def split(self, page: Page, parts: Sequence[Page]) -> bool:
        replace: TransactWriteItemTypeDef = {
            "Put": {
                "TableName": self._table,
                "Item": self._item(_page_key(parts[0].window.start), _page_attributes(parts[0])),
                "ConditionExpression": "revision = :before",
                "ExpressionAttributeValues": _values({":before": page.revision}),
            }
        }
        return self._write([replace, *(self._new(part) for part in parts[1:])], parts)

    def mark_sent(self, pages: Sequence[Page], at: datetime) -> None:
        def mark(page: Page) -> None:
            self._update(
                _page_key(page.window.start),
                "SET sentAt = :at",
                condition="generation = :generation",
                values={":at": _text(at), ":generation": page.generation},
            )

        in_parallel(mark, pages)

    def record_refusal(self, refusal: Refusal) -> None:
        self._put_if_none(_refusal_key(refusal), _refusal_attributes(refusal))

    def refusals(self) -> Iterator[Refusal]:
        return map(_refusal, self._query("sk", "REFUSED#", f"REFUSED#{_LARGEST}"))

    def _holds(self, page: Page) -> bool:
        """Whether this very write of the page is the last one."""
        stored = self.page(page.window.start)
        return stored is not None and stored.revision == page.revision

    def _key(self, sk: str) -> Item:
        return _values({"pk": self._pk, "sk": sk})

    def _item(self, sk: str, attributes: Item) -> Item:
        return self._key(sk) | _values(attributes)

    def _new(self, page: Page) -> "TransactWriteItemTypeDef":
        return {
            "Put": {
                "TableName": self._table,
                "Item": self._item(_page_key(page.window.start), _page_attributes(page)),
                "ConditionExpression": "attribute_not_exists(sk)",
            }
        }

    def _get(self, sk: str) -> Item | None:
        with translated("dynamodb:GetItem", self._table):
            answer = self._client.get_item(
                TableName=self._table, Key=self._key(sk), ConsistentRead=True
            )
        item = answer.get("Item")
        return None if item is None else _plain(item)

    def _query(
        self, name: str, least: str, most: str, *, index: str | None = None
    ) -> Iterator[Item]:
        """Items by key, in its order; one response (1 MB) of them is held at a time."""
        request: dict[str, Any] = {"IndexName": index} if index else {}
        with translated("dynamodb:Query", self._table):
            for answer in self._client.get_paginator("query").paginate(
                TableName=self._table,
                KeyConditionExpression=f"pk = :pk AND {name} BETWEEN :least AND :most",
                ExpressionAttributeValues=_values(
                    {":pk": self._pk, ":least": least, ":most": most}
                ),
                ConsistentRead=True,
                **request,
            ):
                yield from map(_plain, answer["Items"])

    def _put_if_none(self, sk: str, attributes: Item) -> None:
        with translated("dynamodb:PutItem", self._table):
            try:
                self._client.put_item(
                    TableName=self._table,
                    Item=self._item(sk, attributes),
                    ConditionExpression="attribute_not_exists(sk)",
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                return

    def _update(
        self,
        sk: str,
        expression: str,
        *,
        condition: str,
        values: Item,
        names: Mapping[str, str] | None = None,
    ) -> bool:
        """Whether the condition held."""
        request: dict[str, Any] = {"ExpressionAttributeNames": names} if names else {}
        with translated("dynamodb:UpdateItem", self._table):
            try:
                self._client.update_item(
                    TableName=self._table,
                    Key=self._key(sk),
                    UpdateExpression=expression,
                    ConditionExpression=condition,
                    ExpressionAttributeValues=_values(values),
                    **request,
                )
            except self._client.exceptions.ConditionalCheckFailedException:
                return False
        return True

    def _write(self, writes: "Sequence[TransactWriteItemTypeDef]", pages: Sequence[Page]) -> bool:
        """Do all or nothing; whether ``pages`` are there as a result.

        botocore gives each call a fresh token and keeps it in its own retries, so an answer lost
        between those is no harm; one lost for good shows in the revision.
        """
        if not 1 <= len(pages) <= MOST_PAGES:
            raise ValueError(f"from 1 to {MOST_PAGES} pages at a time, not {len(pages)}")
        with translated("dynamodb:TransactWriteItems", self._table):
            try:
                self._client.transact_write_items(TransactItems=writes)
            except self._client.exceptions.TransactionCanceledException as error:
                cancelled = error
            else:
                return True
        if self._holds(pages[0]):
            return True
        if _reasons(cancelled) <= {"None", "ConditionalCheckFailed"}:
            return False
        raise TransientError(
            f"dynamodb:TransactWriteItems on {self._table} was cancelled "
            f"({', '.join(sorted(_reasons(cancelled) - {'None'})) or code_of(cancelled)})"
        ) from cancelled


def _reasons(cancelled: ClientError) -> set[str]:
    reasons: list[Item] = cancelled.response.get("CancellationReasons", [])  # type: ignore[assignment]  # untyped in the stubs
    return {str(reason.get("Code")) for reason in reasons}


def _page_key(start: datetime | str) -> str:
    return f"PAGE#{start if isinstance(start, str) else _text(start)}"


def _refusal_key(refusal: Refusal) -> str:
    # Hashed, since a key holds 1024 bytes, and the API's documentation bounds no ID.
    digest = hashlib.sha256(refusal.entry_id.encode()).hexdigest()
    return f"REFUSED#{_text(refusal.window.start)}#{digest}"


def _watermark_attributes(watermark: Watermark) -> Item:
    tick = watermark.last_tick
    return _present(
        {
            "epoch": watermark.epoch,
            "origin": _text(watermark.origin),
            "plannedThrough": _text(watermark.planned_through),
            "exportedFrom": _text(watermark.exported_from),
            "exportedThrough": _text(watermark.exported_through),
            "provenAt": _text_or_none(watermark.proven_at),
            "lastTick": _present({"at": _text(tick.at), "error": tick.error}) if tick else None,
        }
    )


def _watermark(item: Item) -> Watermark:
    tick = item.get("lastTick")
    return Watermark(
        epoch=item["epoch"],
        origin=parse_instant(item["origin"]),
        planned_through=parse_instant(item["plannedThrough"]),
        exported_from=parse_instant(item["exportedFrom"]),
        exported_through=parse_instant(item["exportedThrough"]),
        proven_at=_instant_or_none(item.get("provenAt")),
        last_tick=Tick(parse_instant(tick["at"]), tick.get("error")) if tick else None,
    )


def _page_attributes(page: Page) -> Item:
    return _present(
        {
            "start": _text(page.window.start),
            "end": _text(page.window.end),
            "generation": page.generation,
            "epoch": page.epoch,
            "revision": page.revision,
            "state": page.state.value,
            "object": page.object,
            "entries": page.entries,
            "quarantined": page.quarantined,
            "attempts": page.attempts,
            "error": page.error,
            "holeSince": _text_or_none(page.hole_since),
            "sentAt": _text_or_none(page.sent_at),
            "leaseUntil": _text_or_none(page.lease_until),
            "updatedAt": _text_or_none(page.updated_at),
            "undone": None if page.state is State.DONE else _text(page.window.start),
        }
    )


def _page(item: Item) -> Page:
    return Page(
        window=_window(item),
        generation=int(item["generation"]),
        epoch=item["epoch"],
        revision=item["revision"],
        state=State(item["state"]),
        object=item.get("object"),
        entries=int(item["entries"]),
        quarantined=int(item["quarantined"]),
        attempts=int(item["attempts"]),
        error=item.get("error"),
        hole_since=_instant_or_none(item.get("holeSince")),
        sent_at=_instant_or_none(item.get("sentAt")),
        lease_until=_instant_or_none(item.get("leaseUntil")),
        updated_at=_instant_or_none(item.get("updatedAt")),
    )


def _refusal_attributes(refusal: Refusal) -> Item:
    return {
        "start": _text(refusal.window.start),
        "end": _text(refusal.window.end),
        "entryId": refusal.entry_id,
        "error": refusal.error,
        "since": _text(refusal.since),
    }


def _refusal(item: Item) -> Refusal:
    return Refusal(_window(item), item["entryId"], item["error"], parse_instant(item["since"]))


def _window(item: Item) -> Window:
    return Window(parse_instant(item["start"]), parse_instant(item["end"]))


def _text(instant: datetime) -> str:
    """RFC 3339 with every digit; instants on whole seconds sort as text."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _text_or_none(instant: datetime | None) -> str | None:
    return None if instant is None else _text(instant)


def _instant_or_none(text: str | None) -> datetime | None:
    return None if text is None else parse_instant(text)


def _present(attributes: Item) -> Item:
    return {name: value for name, value in attributes.items() if value is not None}


def _values(plain: Item) -> Item:
    return {name: _serialize(value) for name, value in plain.items()}


def _plain(item: Item) -> Item:
    return {name: _deserialize(value) for name, value in item.items()}
