"""Commands that an operator or a schedule sends to the planner."""

import re
from datetime import datetime, timedelta
from difflib import get_close_matches
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from cpd_exporter.errors import MalformedInputError
from cpd_exporter.model.command_words import FORMS, describe_fault, list_commands
from cpd_exporter.model.event import ATTRIBUTES, is_attribute
from cpd_exporter.model.schema import Instant, StrictModel
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


def _days_or_hours(value: object) -> object:
    """A number would count seconds, and weeks or months be a surprise."""
    if not (isinstance(value, str) and re.fullmatch(r"P(?=.)(\d{1,6}D)?(T\d{1,6}H)?", value)):
        raise ValueError("no number of days or hours")
    return value


type Lookback = Annotated[
    timedelta, BeforeValidator(_days_or_hours), Field(gt=timedelta(0), le=MAX_LOOKBACK)
]

MAX_REFRESH_BYTES = 300_000
"""An item of the table holds 400 KB, and a refresh is one."""


class Export(StrictModel):
    """Plan up to now, send the pages that are due, move the watermark; the schedule sends this."""

    command: Literal["export"] = "export"


class Status(StrictModel):
    """Say how far the export is, and what is wrong; with ``months``, also each month's pages and
    entries, of the newest 20,000 pages.
    """

    command: Literal["status"]
    months: Annotated[bool, Field(strict=True)] = False


class Sweep(StrictModel):
    """Read exported time again, ``[from, to)`` or a look-back from now, and publish the changes."""

    command: Literal["sweep"]
    start: Annotated[Instant | None, Field(alias="from")] = None
    to: Instant | None = None
    lookback: Lookback | None = None

    @model_validator(mode="after")
    def _either(self) -> Self:
        if (self.start is None) == (self.lookback is None) or (self.lookback and self.to):
            raise ValueError('either "from" (and perhaps "to"), or "lookback"')
        return _in_order(self, self.start, self.to)


class Backfill(StrictModel):
    """Extend the export into the past, back to ``from``, the newest first."""

    command: Literal["backfill"]
    start: Annotated[Instant, Field(alias="from", ge=EARLIEST)]


class Refresh(StrictModel):
    """Look up to 1,000 entries up by ID, and sweep the pages that hold them."""

    command: Literal["refresh"]
    log_entry_ids: Annotated[list[EntryId], Field(min_length=1, max_length=1000)]

    @model_validator(mode="after")
    def _fits_an_item(self) -> Self:
        if sum(len(id_.encode()) for id_ in self.log_entry_ids) > MAX_REFRESH_BYTES:
            raise ValueError("the IDs are too long in all: send several commands")
        return self


class Replay(StrictModel):
    """Publish again from the lake, to all subscribers or to one queue.

    Either the entries of ``[from, to)``, or all rows stored in ``[storedFrom, storedTo)``, with
    deletions and superseded versions. The events are equal to the first ones. Whoever means
    all subscribers says so, because a forgotten ``queueArn`` would reach everybody.
    """

    command: Literal["replay"]
    start: Annotated[Instant | None, Field(alias="from")] = None
    to: Instant | None = None
    stored_from: Instant | None = None
    stored_to: Instant | None = None
    queue_arn: QueueArn | None = None
    subscribers: Literal["all"] | None = None

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
            raise ValueError('either "from" and "to", or "storedFrom" and "storedTo"')
        names = ("from", "to") if self.start else ("storedFrom", "storedTo")
        return _in_order(self, *self.span, names=names)

    @model_validator(mode="after")
    def _addressed(self) -> Self:
        if (self.queue_arn is None) == (self.subscribers is None):
            raise ValueError('say to whom: either "subscribers": "all" or a "queueArn"')
        return self


class Verify(StrictModel):
    """Compare timeline, lake and the API's sums of ``[from, to)``, and write a report.

    The report is under ``reports/``.
    """

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
    """Publish the deletions that are held now, and no later ones."""

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


def read_command(event: Any) -> Command:
    """The command in an event. EventBridge's own event names none, which means an export.

    Raises ``MalformedInputError``, whose message is one line and shows the form that was meant.
    """
    if not isinstance(event, dict):
        raise MalformedInputError('a command is a JSON object, such as {"command": "status"}')
    if "command" not in event:
        if event.get("detail-type") == "Scheduled Event":
            return Export()
        hint = " This is an event of the worker's: send it to the worker." * ("Records" in event)
        raise MalformedInputError(f"no command is named: {list_commands()}.{hint}")
    name = event["command"]
    if not isinstance(name, str) or name not in FORMS:
        meant = (
            get_close_matches(str(name).lower(), FORMS, n=1, cutoff=0.7)
            if isinstance(name, str)
            else []
        )
        what = f"did you mean {FORMS[meant[0]]}?" if meant else list_commands()
        raise MalformedInputError(f"there is no such command: {what}")
    try:
        return _COMMANDS.validate_python(event)
    except ValidationError as error:
        faults = "; ".join(dict.fromkeys(map(describe_fault, error.errors(include_url=False))))
        raise MalformedInputError(
            f"{name} is refused: {faults}. Write it as {FORMS[name]}"
        ) from None


def _in_order[Model: BaseModel](
    model: Model,
    start: datetime | None,
    to: datetime | None,
    names: tuple[str, str] = ("from", "to"),
) -> Model:
    if start and to and start >= to:
        raise ValueError(f'"{names[1]}" must be after "{names[0]}"')
    return model
