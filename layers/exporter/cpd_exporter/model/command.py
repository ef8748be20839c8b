"""Commands that an operator or a schedule sends to the planner."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from cpd_exporter.errors import MalformedInputError
from cpd_exporter.model.event import ATTRIBUTES, is_attribute
from cpd_exporter.model.schema import Instant, StrictModel, faults_of
from cpd_exporter.model.timestamps import EARLIEST

type QueueArn = Annotated[
    str, Field(pattern=r"^arn:[a-z-]{1,20}:sqs:[a-z0-9-]{1,30}:[0-9]{12}:[A-Za-z0-9_-]{1,80}$")
]
"""A standard queue. Events have no order, so a FIFO queue would promise too much."""

type EntryId = Annotated[str, Field(min_length=1, max_length=256)]

type AttributeName = Annotated[str, Field(pattern=f"^({'|'.join(ATTRIBUTES)})$")]


def _sendable(value: str) -> str:
    if not is_attribute(value):
        raise ValueError("no message attribute may hold this")
    return value


type AttributeValue = Annotated[str, AfterValidator(_sendable)]

MAX_LOOKBACK = timedelta(days=36_525)

MAX_REFRESH_BYTES = 300_000
"""An item of the table holds 400 KB, and a refresh is one."""


class Export(StrictModel):
    """Add pages up to now, send due work, move the watermark."""

    command: Literal["export"] = "export"


class Status(StrictModel):
    """Report how far the export is."""

    command: Literal["status"]


class Sweep(StrictModel):
    """Read exported time again: ``[from, to)``, or a look-back from now."""

    command: Literal["sweep"]
    start: Annotated[Instant | None, Field(alias="from")] = None
    to: Instant | None = None
    lookback: Annotated[timedelta, Field(gt=timedelta(0), le=MAX_LOOKBACK)] | None = None

    @model_validator(mode="after")
    def _either(self) -> Self:
        if (self.start is None) == (self.lookback is None) or (self.lookback and self.to):
            raise ValueError("either from (and perhaps to), or lookback")
        return _in_order(self, self.start, self.to)


class Backfill(StrictModel):
    """Extend the export into the past, back to ``from``."""

    command: Literal["backfill"]
    start: Annotated[Instant, Field(alias="from", ge=EARLIEST)]


class Refresh(StrictModel):
    """Sweep the pages that hold these entries."""

    command: Literal["refresh"]
    log_entry_ids: Annotated[list[EntryId], Field(min_length=1, max_length=1000)]

    @model_validator(mode="after")
    def _fits_an_item(self) -> Self:
        if sum(len(id_.encode()) for id_ in self.log_entry_ids) > MAX_REFRESH_BYTES:
            raise ValueError("the IDs are too long in all: send several commands")
        return self


class Replay(StrictModel):
    """Publish again from the lake, to all subscribers or to one queue.

    Either the entries of ``[from, to)``, or all rows stored in ``[storedFrom, storedTo)``.
    """

    command: Literal["replay"]
    start: Annotated[Instant | None, Field(alias="from")] = None
    to: Instant | None = None
    stored_from: Instant | None = None
    stored_to: Instant | None = None
    queue_arn: QueueArn | None = None

    @property
    def span(self) -> tuple[datetime, datetime]:
        """The two bounds, of whichever kind they are."""
        given = (self.start, self.to, self.stored_from, self.stored_to)
        start, end = (bound for bound in given if bound is not None)
        return start, end

    @model_validator(mode="after")
    def _either(self) -> Self:
        pairs = {(self.start, self.to), (self.stored_from, self.stored_to)} - {(None, None)}
        if len(pairs) != 1 or None in pairs.pop():
            raise ValueError("either from and to, or storedFrom and storedTo")
        return _in_order(self, *self.span)


class Verify(StrictModel):
    """Check the page indexes of ``[from, to)`` against the lake's objects and the API's sums."""

    command: Literal["verify"]
    start: Annotated[Instant, Field(alias="from")]
    to: Instant

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        return _in_order(self, self.start, self.to)


class Ping(StrictModel):
    """Publish an event of no entry, so that a subscriber tries filter, policy and encryption.

    ``attributes`` are its message attributes: those of an event that the filter is to be tried
    with.
    """

    command: Literal["ping"]
    queue_arn: QueueArn | None = None
    attributes: dict[AttributeName, AttributeValue] = Field(default_factory=dict)


class Cancel(StrictModel):
    """End a job that was given by mistake, by its name in ``status``."""

    command: Literal["cancel"]
    name: Annotated[str, Field(min_length=1, max_length=512)]


class ConfirmDeletions(StrictModel):
    """Publish the deletions that are held."""

    command: Literal["confirm-deletions"]


type Command = (
    Export
    | Status
    | Sweep
    | Backfill
    | Refresh
    | Replay
    | Verify
    | Ping
    | Cancel
    | ConfirmDeletions
)

_COMMANDS: TypeAdapter[Command] = TypeAdapter(Annotated[Command, Field(discriminator="command")])

_ALLOWED = "; ".join(  # noqa: FLY002  # a command a line
    (
        '{"command": "export"}',
        '{"command": "status"}',
        '{"command": "sweep", "from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z"}',
        '{"command": "sweep", "lookback": "P35D"}',
        '{"command": "backfill", "from": "2015-01-01T00:00:00Z"}',
        '{"command": "refresh", "logEntryIds": ["…"]}',
        '{"command": "replay", "from": …, "to": …} (perhaps with "queueArn": "arn:aws:sqs:…")',
        '{"command": "replay", "storedFrom": …, "storedTo": …} (perhaps with "queueArn")',
        '{"command": "verify", "from": …, "to": …}',
        '{"command": "ping"} (perhaps with "queueArn" and "attributes")',
        '{"command": "cancel", "name": "…"}',
        '{"command": "confirm-deletions"}',
    )
)


def read_command(event: Any) -> Command:
    """The command in an event. A schedule's event names none, which means an export.

    Raises ``MalformedInputError``, whose message lists the allowed commands.
    """
    if not isinstance(event, dict):
        raise MalformedInputError(f"a command is a JSON object. Allowed: {_ALLOWED}")
    if "command" not in event:
        return Export()
    try:
        return _COMMANDS.validate_python(event)
    except ValidationError as error:
        raise MalformedInputError(f"{faults_of(error)}. Allowed: {_ALLOWED}") from None


def _in_order[Model: BaseModel](model: Model, start: datetime | None, to: datetime | None) -> Model:
    if start and to and start >= to:
        raise ValueError("to must be after from")
    return model
