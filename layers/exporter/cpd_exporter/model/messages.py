"""What planner and worker are told: commands, and messages that name a piece of work."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AliasGenerator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic.alias_generators import to_camel

from cpd_exporter.errors import MalformedInputError
from cpd_exporter.model.instants import parse_instant
from cpd_exporter.model.timeline import SAFE_TENANT, Kind, Page
from cpd_exporter.model.windows import Window


def _instant(value: Any) -> Any:
    """A whole second: windows have no finer bounds."""
    if isinstance(value, str):
        value = parse_instant(value)
    if isinstance(value, datetime) and not value.microsecond:
        return value
    raise ValueError("not an RFC 3339 date and time on a whole second")


type Instant = Annotated[datetime, BeforeValidator(_instant)]
type QueueArn = Annotated[
    str, Field(pattern=r"^arn:[a-z-]{1,20}:sqs:[a-z0-9-]{1,30}:[0-9]{12}:[A-Za-z0-9_-]{1,80}$")
]
"""A standard queue: events have no order, so that a FIFO queue would promise too much."""

type EntryId = Annotated[str, Field(min_length=1, max_length=256)]


EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LONGEST = timedelta(days=36_525)


class _Told(BaseModel):
    model_config = ConfigDict(
        alias_generator=AliasGenerator(to_camel),
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        populate_by_name=True,
    )


class Export(_Told):
    """Plan up to now, send what is due, move the watermark."""

    command: Literal["export"] = "export"


class Status(_Told):
    """Tell how far everything is."""

    command: Literal["status"]


class Sweep(_Told):
    """Read what is exported again: ``[from, to)``, or a look-back from now."""

    command: Literal["sweep"]
    start: Annotated[Instant | None, Field(alias="from")] = None
    to: Instant | None = None
    lookback: Annotated[timedelta, Field(gt=timedelta(0), le=LONGEST)] | None = None

    @model_validator(mode="after")
    def _either(self) -> Self:
        if (self.start is None) == (self.lookback is None) or (self.lookback and self.to):
            raise ValueError("either from (and perhaps to), or lookback")
        return _in_order(self, self.start, self.to)


class Backfill(_Told):
    """Extend the export into the past, back to ``from``."""

    command: Literal["backfill"]
    start: Annotated[Instant, Field(alias="from", ge=EARLIEST)]


class Refresh(_Told):
    """Sweep the pages that these entries are in."""

    command: Literal["refresh"]
    log_entry_ids: Annotated[list[EntryId], Field(min_length=1, max_length=1000)]


class Replay(_Told):
    """Announce ``[from, to)`` again from the lake: to all subscribers, or to one queue."""

    command: Literal["replay"]
    start: Annotated[Instant, Field(alias="from")]
    to: Instant
    queue_arn: QueueArn | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        return _in_order(self, self.start, self.to)


class Verify(_Told):
    """Compare ``[from, to)`` with the API's sums, and what is known with the lake's objects."""

    command: Literal["verify"]
    start: Annotated[Instant, Field(alias="from")]
    to: Instant

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        return _in_order(self, self.start, self.to)


class ConfirmDeletions(_Told):
    """Let the deletions through that are held."""

    command: Literal["confirm-deletions"]


type Command = Export | Status | Sweep | Backfill | Refresh | Replay | Verify | ConfirmDeletions

_COMMANDS: TypeAdapter[Command] = TypeAdapter(Annotated[Command, Field(discriminator="command")])
_ALLOWED = "; ".join(
    (
        '{"command": "export"}',
        '{"command": "status"}',
        '{"command": "sweep", "from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z"}',
        '{"command": "sweep", "lookback": "P35D"}',
        '{"command": "backfill", "from": "2015-01-01T00:00:00Z"}',
        '{"command": "refresh", "logEntryIds": ["…"]}',
        '{"command": "replay", "from": …, "to": …} (perhaps with "queueArn": "arn:aws:sqs:…")',
        '{"command": "verify", "from": …, "to": …}',
        '{"command": "confirm-deletions"}',
    )
)


def read_command(event: Any) -> Command:
    """The command that an event carries; one without a command, as a schedule sends, is an export.

    Raises ``MalformedInputError`` with all that is allowed.
    """
    if not isinstance(event, dict):
        raise MalformedInputError(f"a command is a JSON object. Allowed: {_ALLOWED}")
    if "command" not in event:
        return Export()
    try:
        return _COMMANDS.validate_python(event)
    except ValidationError as error:
        raise MalformedInputError(f"{_faults(error)}. Allowed: {_ALLOWED}") from None


class Work(_Told):
    """A message: do this piece of work, if it is still there and not done.

    ``hop`` counts the messages that led to this one without the planner between them.
    """

    kind: Literal[Kind.PAGE, Kind.SWEEP] = Kind.PAGE
    tenant_id: Annotated[str, Field(pattern=f"^{SAFE_TENANT}$")]
    start: Instant
    end: Instant
    generation: Annotated[int, Field(ge=1, strict=True)]
    hop: Annotated[int, Field(ge=0, strict=True)] = 0

    @property
    def window(self) -> Window:
        return Window(self.start, self.end)

    def names(self, page: Page) -> bool:
        """Whether ``page`` is the very piece of work that is meant, not one that replaced it."""
        return (page.kind, page.window, page.generation) == (
            self.kind,
            self.window,
            self.generation,
        )


class ErrandWork(_Told):
    """A message: go on with this request, if it is still there."""

    kind: Literal["errand"] = "errand"
    tenant_id: Annotated[str, Field(pattern=f"^{SAFE_TENANT}$")]
    name: Annotated[str, Field(min_length=1, max_length=512)]


type Message = Annotated[Work | ErrandWork, Field(discriminator="kind")]

_MESSAGES: TypeAdapter[Work | ErrandWork] = TypeAdapter(Message)


def _in_order[Told: BaseModel](told: Told, start: datetime | None, to: datetime | None) -> Told:
    if start and to and start >= to:
        raise ValueError("to must be after from")
    return told


def work_on(page: Page, tenant_id: str, *, hop: int = 0) -> Work:
    """The message that sends a page to a worker."""
    return Work(
        kind=page.kind,
        tenant_id=tenant_id,
        start=page.window.start,
        end=page.window.end,
        generation=page.generation,
        hop=hop,
    )


def read_work(body: str) -> Message:
    """Read a message of the pages queue; raises ``MalformedInputError`` for a foreign one."""
    try:
        work = _MESSAGES.validate_json(body)
        if isinstance(work, Work):
            work.window  # noqa: B018  # an empty or fractional window is malformed too
    except (ValidationError, ValueError) as error:
        faults = _faults(error) if isinstance(error, ValidationError) else str(error)
        raise MalformedInputError(
            f"this is no message of the planner's: {faults}. It will end in the dead-letter queue; "
            "nothing is lost by it, since the planner sends whatever is not done"
        ) from None
    return work


def _faults(error: ValidationError) -> str:
    return "; ".join(
        f"{'.'.join(map(str, fault['loc'])) or 'the message'}: {fault['msg']}"
        for fault in error.errors(include_url=False, include_context=False, include_input=False)
    )
