"""Keeps the API's exact state in a table, from the exporter's events alone.

The rule: keep one record for each ``source`` and ``subject``; drop an event whose ``sequence`` is
not greater than the record's; otherwise replace the record, and never remove it.
"""

import gzip
import os
from functools import cache
from typing import Annotated, Any

import boto3
import simplejson
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import (
    BatchProcessor,
    EventType,
    process_partial_response,
)
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.idempotency import (
    DynamoDBPersistenceLayer,
    IdempotencyConfig,
    idempotent_function,
)
from aws_lambda_powertools.utilities.typing import LambdaContext
from botocore.exceptions import ClientError
from pydantic import Field, TypeAdapter

from models import created, deleted, ping, updated

type EntryEvent = created.Event | updated.Event | deleted.Event
type KnownEvent = Annotated[EntryEvent | ping.Event, Field(discriminator="type")]

EVENTS: TypeAdapter[KnownEvent] = TypeAdapter(KnownEvent)
TYPES = ("cpd.entry.created", "cpd.entry.updated", "cpd.entry.deleted", "cpd.exporter.ping")
ROW_MEMBERS = (
    "change",
    "fingerprint",
    "tenantId",
    "exportedAt",
    "schemaVersion",
    "fingerprintExclude",
)
"""What a line of the lake has besides the entry's own members."""

logger = Logger()
processor = BatchProcessor(EventType.SQS)
once = IdempotencyConfig(event_key_jmespath="[source, id]", expires_after_seconds=86_400)
acted_on = DynamoDBPersistenceLayer(os.environ["IDEMPOTENCY_TABLE"])


def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    """Apply a batch of messages; those that fail come again, and the others do not."""
    once.register_lambda_context(context)
    return process_partial_response(event, apply_message, processor, context)


def apply_message(record: SQSRecord) -> None:
    """Apply the event in a message. Numbers keep every digit on the way."""
    # Powertools passes the message under the name `record`.
    body = simplejson.loads(record.body, use_decimal=True)
    if body["type"] not in TYPES:
        logger.info("a type that this consumer does not know", type=body["type"])
        return
    event = EVENTS.validate_python(body)
    if isinstance(event, ping.Event):
        logger.info("ping", requested=event.data.requested)
        return
    if keep(event, body["data"].get("entry")):
        act(event={"source": event.source, "id": event.id, "type": event.type})


def keep(event: EntryEvent, entry: dict[str, Any] | None) -> bool:
    """Replace the entry's record, unless it has a later event. ``False``: it has.

    An equal event passes again, so that a crash before ``act`` loses nothing.
    """
    is_deleted = isinstance(event, deleted.Event)
    if entry is None and not is_deleted:
        entry = read_from_lake(event.data.lake_uri, event.subject)
    record = {
        "source": event.source,
        "subject": event.subject,
        "sequence": event.sequence,
        "deleted": is_deleted,
        "entry": simplejson.dumps(entry, ensure_ascii=False),
    }
    try:
        records().put_item(
            Item=record,
            ConditionExpression="attribute_not_exists(#sequence) OR #sequence <= :sequence",
            ExpressionAttributeNames={"#sequence": "sequence"},
            ExpressionAttributeValues={":sequence": event.sequence},
        )
    except ClientError as error:
        if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
            return False
        raise
    return True


def read_from_lake(uri: str, entry_id: str) -> dict[str, Any]:
    """The entry of a reference event, without what the row adds to it."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    body = lake().get_object(Bucket=bucket, Key=key)["Body"].read()
    for line in gzip.decompress(body).splitlines():
        row: dict[str, Any] = simplejson.loads(line, use_decimal=True)
        if row["logEntryId"] == entry_id:
            own: dict[str, Any] = row.pop("shadowed", {})
            return {name: row[name] for name in row if name not in ROW_MEMBERS} | own
    raise LookupError(f"{uri} has no row of entry {entry_id}")


@idempotent_function(  # type: ignore[untyped-decorator]  # by Powertools
    data_keyword_argument="event", config=once, persistence_store=acted_on
)
def act(*, event: dict[str, str]) -> None:
    """What happens once for each event, such as a call of another system: put it here."""
    logger.info("applied", type=event["type"], id=event["id"])


@cache
def records() -> Any:
    """The table, which the first event needs."""
    return boto3.resource("dynamodb").Table(os.environ["RECORDS_TABLE"])


@cache
def lake() -> Any:
    """The client of the lake, which only reference events need."""
    return boto3.client("s3")
