"""What planner and worker are told: commands, and messages that name a piece of work."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AliasGenerator,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    field_validator,
)
from pydantic.alias_generators import to_camel

from cpd_exporter.errors import MalformedInputError
from cpd_exporter.model.instants import parse_instant
from cpd_exporter.model.timeline import SAFE_TENANT, Page
from cpd_exporter.model.windows import Window


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
    """Tell how far the export is."""

    command: Literal["status"]


type Command = Annotated[Export | Status, Field(discriminator="command")]

_COMMANDS: TypeAdapter[Export | Status] = TypeAdapter(Command)
_ALLOWED = '{"command": "export"} or {"command": "status"}'


def read_command(event: Any) -> Export | Status:
    """The command that an event carries; one without a command, as a schedule sends, is an export.

    Raises ``MalformedInputError`` with all that is allowed.
    """
    if not isinstance(event, dict):
        raise MalformedInputError(f"a command is a JSON object: {_ALLOWED}")
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

    kind: Literal["page"] = "page"
    tenant_id: Annotated[str, Field(pattern=f"^{SAFE_TENANT}$")]
    start: datetime
    end: datetime
    generation: Annotated[int, Field(ge=1, strict=True)]
    hop: Annotated[int, Field(ge=0, strict=True)] = 0

    @field_validator("start", "end", mode="before")
    @classmethod
    def _instant(cls, value: Any) -> datetime:
        if isinstance(value, datetime):
            return value
        if isinstance(value, str):
            return parse_instant(value)
        raise ValueError("not an RFC 3339 date and time")

    @property
    def window(self) -> Window:
        return Window(self.start, self.end)

    def names(self, page: Page) -> bool:
        """Whether ``page`` is the very piece of work that is meant, not one that replaced it."""
        return page.window == self.window and page.generation == self.generation


def work_on(page: Page, tenant_id: str, *, hop: int = 0) -> Work:
    """The message that sends a page to a worker."""
    return Work(
        tenant_id=tenant_id,
        start=page.window.start,
        end=page.window.end,
        generation=page.generation,
        hop=hop,
    )


def read_work(body: str) -> Work:
    """Read a message of the pages queue; raises ``MalformedInputError`` for a foreign one."""
    try:
        work = Work.model_validate_json(body)
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
