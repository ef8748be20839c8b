"""Messages of the work queue. Each names one piece of work."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import (
    Field,
    TypeAdapter,
    ValidationError,
)

from cpd_exporter.errors import MalformedInputError
from cpd_exporter.model.options import SAFE_TENANT
from cpd_exporter.model.page import Page, WorkKind
from cpd_exporter.model.schema import Instant, StrictModel, faults_of
from cpd_exporter.model.window import Window


class PageMessage(StrictModel):
    """Sends a worker to a page or a sweep, which may be done or replaced by then."""

    kind: Literal[WorkKind.PAGE, WorkKind.SWEEP] = WorkKind.PAGE
    tenant_id: Annotated[str, Field(pattern=f"^{SAFE_TENANT}$")]
    start: Instant
    end: Instant
    generation: Annotated[int, Field(ge=1, strict=True)]

    @property
    def window(self) -> Window:
        return Window(self.start, self.end)

    def names(self, page: Page) -> bool:
        """Whether the message names ``page``, not one that replaced it or that it replaced."""
        return (page.kind, page.window, page.generation) == (
            self.kind,
            self.window,
            self.generation,
        )


class JobMessage(StrictModel):
    """Sends a worker to a job, to go on from the job's cursor."""

    kind: Literal["job"] = "job"
    tenant_id: Annotated[str, Field(pattern=f"^{SAFE_TENANT}$")]
    name: Annotated[str, Field(min_length=1, max_length=512)]


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """About how many messages wait for a worker, and how many a worker has."""

    waiting: int
    in_flight: int


type Message = Annotated[PageMessage | JobMessage, Field(discriminator="kind")]

_MESSAGES: TypeAdapter[PageMessage | JobMessage] = TypeAdapter(Message)


def message_for(page: Page, tenant_id: str) -> PageMessage:
    """The message that sends a worker to a page or a sweep."""
    return PageMessage(
        kind=page.kind,
        tenant_id=tenant_id,
        start=page.window.start,
        end=page.window.end,
        generation=page.generation,
    )


def read_message(body: str) -> Message:
    """Read a message of the work queue; raises ``MalformedInputError`` for a foreign one."""
    try:
        message = _MESSAGES.validate_json(body)
        if isinstance(message, PageMessage):
            message.window  # noqa: B018  # an empty or fractional window is malformed too
    except (ValidationError, ValueError) as error:
        faults = faults_of(error) if isinstance(error, ValidationError) else str(error)
        raise MalformedInputError(
            f"this message is not the planner's: {faults}. It will end in the dead-letter queue, "
            "but nothing is lost: the planner sends all work that is not done"
        ) from None
    return message
