"""The export's driver: it sends commands to the planner until the export is complete."""

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from local.errors import UserError
from local.stack.deploy import DeployedStack

MAX_IDLE_SECONDS = 180
"""After this time without progress, an export is stuck: a worker's attempt takes less."""

_POLL_SECONDS = 0.3
_IDLE_SECONDS = 4
"""A tick sends the pages that the workers' splits left; while workers are busy, it can wait."""

_MAX_FIRST_IDLE_SECONDS = {"MalformedResponseError": 15, "PermanentError": 15, "TransientError": 45}
"""Errors of a wrong address, as long as the export has never read a page, and how long to wait."""

_HOPELESS = frozenset(
    {
        "AccessError",
        "ConfigurationError",
        "EmptySecretError",
        "FilterError",
        "MalformedInputError",
    }
)
"""Errors that waiting does not mend."""


_REMEDY = re.compile(
    r"(:| If it is the tenant ID,|, or) put the right values into the secret: aws .*", re.DOTALL
)
"""What the exporter says of a secret; the command is for a stack on AWS."""


class SecretError(UserError):
    """The API refuses the secret, or the stack cannot read it."""


class PlannerTimeoutError(UserError):
    """The planner's time was over, as on a busy machine. The next tick goes on."""


@dataclass(frozen=True)
class Progress:
    """The export at one moment; ``waiting`` counts pages that are neither done nor holes."""

    tenant_id: str
    exported_from: datetime
    exported_through: datetime
    planned_through: datetime
    waiting: int
    quarantined: int
    holes: tuple[str, ...]

    @property
    def exported_percent(self) -> int:
        """The exported share of the planned time."""
        planned = self.planned_through - self.exported_from
        return 100 * (self.exported_through - self.exported_from) // planned if planned else 0

    @property
    def mark(self) -> tuple[datetime, int, int]:
        """Values that the workers change; a tick that only plans new time leaves them alone."""
        return self.exported_through, self.waiting, len(self.holes)

    @classmethod
    def of(cls, status: dict[str, Any]) -> "Progress":
        """Read one tenant's part of the planner's status."""
        pages, past, holes = status["pages"], status["backfillPages"], status["holes"]
        # The status lists a refused event as a hole too, but its page is done.
        pages_failed = sum("attempts" in hole for hole in holes) + status["moreHoles"]
        return cls(
            tenant_id=status["tenantId"],
            exported_from=datetime.fromisoformat(status["exportedFrom"]),
            exported_through=datetime.fromisoformat(status["exportedThrough"]),
            planned_through=datetime.fromisoformat(status["plannedThrough"]),
            waiting=sum(pages.values()) + sum(past.values()) - pages_failed,
            quarantined=status["quarantined"],
            holes=tuple(f"[{h['start']}, {h['end']}): {h['error']}" for h in holes),
        )


def invoke(stack: DeployedStack, event: dict[str, Any]) -> dict[str, Any]:
    """Send an event to the planner and return its answer, which may hold an error."""
    answer = stack.account.functions.invoke(
        FunctionName=stack.outputs["PlannerFunctionName"], Payload=json.dumps(event)
    )
    result = json.load(answer["Payload"])
    if "FunctionError" in answer:
        message = str(result.get("errorMessage"))
        kind = PlannerTimeoutError if "timed out" in message else UserError
        raise kind(f"the planner crashed: {message} (its log: {stack.log})")
    return dict(result)


def without_remedy(message: str, instead: str = "") -> str:
    """Take out the command for a secret on AWS, which from here would go to a real account."""
    return _REMEDY.sub(instead, message)


def read_status(stack: DeployedStack) -> dict[str, Any]:
    """Read the one tenant's status."""
    answer = invoke(stack, {"command": "status"})
    if error := answer.get("error"):
        raise UserError(error["message"])
    (status,) = answer["tenants"]
    return dict(status)


def read_progress(stack: DeployedStack) -> Progress | None:
    """Read how far the export is; ``None`` if it has not begun."""
    status = read_status(stack)
    return Progress.of(status) if status["exportedThrough"] else None


def export_all(
    stack: DeployedStack,
    *,
    show: Callable[[Progress], None],
    max_idle_seconds: float = MAX_IDLE_SECONDS,
) -> Progress:
    """Export until the watermark reaches the target.

    The target is the end of the plan at the moment when the plan catches up with the clock. It does
    not move while new entries arrive. ``UserError`` reports an error that an operator has to mend,
    or ``max_idle_seconds`` without progress.
    """
    target: datetime | None = None
    progress: Progress | None = None
    mark: tuple[datetime, int, int] | None = None
    changed_at = ticked_at = time.monotonic()
    while True:
        before, since_tick = progress, time.monotonic() - ticked_at
        ticked_at = time.monotonic()
        error = _tick(stack)
        progress = _look(stack, progress)
        limit = max_idle_seconds
        if error and not _has_begun(progress):
            limit = min(limit, _MAX_FIRST_IDLE_SECONDS.get(error["type"], limit))
        if target is None and not error and _had_caught_up(before, progress, since_tick):
            target = before.planned_through if before else None
        while True:
            if progress:
                show(progress)
                if target and progress.exported_through >= target:
                    return progress
            now = time.monotonic()
            if progress and progress.mark != mark:
                mark, changed_at = progress.mark, now
            elif now > changed_at + limit:
                raise _stuck(stack, progress, limit, error)
            settled = progress and not progress.waiting and not error
            if settled or now > max(changed_at, ticked_at) + _IDLE_SECONDS:
                break
            time.sleep(_POLL_SECONDS)
            progress = _look(stack, progress)


def _tick(stack: DeployedStack) -> dict[str, str] | None:
    """Let the planner tick; returns the tick's error, and raises what waiting does not mend."""
    try:
        error: dict[str, str] | None = invoke(stack, {"command": "export"}).get("error")
    except PlannerTimeoutError as timeout:
        return {"type": "PlannerTimeoutError", "message": str(timeout)}
    if error and (message := without_remedy(error["message"])) != error["message"]:
        raise SecretError(message)
    if error and error["type"] in _HOPELESS:
        raise UserError(error["message"])
    return error


def _look(stack: DeployedStack, last: Progress | None) -> Progress | None:
    """How far the export is; as before if the planner has no time to say so."""
    try:
        return read_progress(stack)
    except PlannerTimeoutError:
        return last


def _has_begun(progress: Progress | None) -> bool:
    return bool(progress and progress.exported_percent)


def _had_caught_up(before: Progress | None, after: Progress | None, seconds: float) -> bool:
    """Whether a tick planned only the time since the tick before it."""
    if before is None or after is None or before.waiting:
        return False
    return after.planned_through - before.planned_through <= timedelta(seconds=seconds + 5)


def _stuck(
    stack: DeployedStack,
    progress: Progress | None,
    idle_seconds: float,
    error: dict[str, str] | None,
) -> UserError:
    if error and error["type"] in _MAX_FIRST_IDLE_SECONDS and not _has_begun(progress):
        return UserError(
            f"no page came from the API within {idle_seconds:.0f} s: {error['message']}. Check "
            "--environment or --api-url, and whether this machine reaches it"
        )
    waiting = progress.waiting if progress else 0
    reason = error["message"] if error else "The workers say why"
    return UserError(
        f"nothing happened for {idle_seconds:.0f} s, with {waiting} pages waiting. {reason} "
        f"(their log: {stack.log})"
    )
