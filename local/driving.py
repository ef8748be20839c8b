"""The export, driven to its end by commands to the planner, as an operator would by hand."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from local.problem import UserError
from local.stack import Stack

PATIENCE_SECONDS = 180
"""How long nothing may happen before it is called stuck: more than a worker may take."""

_POLL_SECONDS = 0.3
_IDLE_SECONDS = 4
"""A tick sends what the workers' own splits left to it; while they are busy, it has no hurry."""

_HOPELESS_AT_FIRST = frozenset({"MalformedResponseError", "PermanentError"})
"""Not so where something was read before: then it is only not well."""
_FIRST_SECONDS = 15

_HOPELESS = frozenset({"AccessError", "ConfigurationError", "FilterError", "MalformedInputError"})
"""Errors that waiting does not mend."""


@dataclass(frozen=True)
class Progress:
    """One look at the export. ``waiting`` counts the pages that are neither done nor holes."""

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
        """What changes as long as the workers work, and not because a tick plans the time since."""
        return self.exported_through, self.waiting, len(self.holes)

    @classmethod
    def of(cls, status: dict[str, Any]) -> "Progress":
        pages, holes = status["pages"], status["holes"]
        # A refused event is listed as a hole too, but its page is done.
        pages_failed = sum("attempts" in hole for hole in holes)
        return cls(
            tenant_id=status["tenantId"],
            exported_from=datetime.fromisoformat(status["exportedFrom"]),
            exported_through=datetime.fromisoformat(status["exportedThrough"]),
            planned_through=datetime.fromisoformat(status["plannedThrough"]),
            waiting=sum(pages.values()) - pages_failed,
            quarantined=status["quarantined"],
            holes=tuple(f"[{h['start']}, {h['end']}): {h['error']}" for h in holes),
        )


def invoke(stack: Stack, event: dict[str, Any]) -> dict[str, Any]:
    """The planner's answer to an event, which may be an error that it explains."""
    answer = stack.account.functions.invoke(
        FunctionName=stack.outputs["PlannerFunctionName"], Payload=json.dumps(event)
    )
    result = json.load(answer["Payload"])
    if "FunctionError" in answer:
        raise UserError(f"the planner crashed: {result.get('errorMessage')} (its log: {stack.log})")
    return dict(result)


def look(stack: Stack) -> Progress | None:
    """Where the export is; ``None`` if it has not begun."""
    answer = invoke(stack, {"command": "status"})
    if error := answer.get("error"):
        raise UserError(error["message"])
    (status,) = answer["tenants"]
    return Progress.of(status) if status["exportedThrough"] else None


def export_all(
    stack: Stack,
    *,
    show: Callable[[Progress], None],
    patience: float = PATIENCE_SECONDS,
) -> Progress:
    """Export until the watermark is where the plan was when it had caught up with the clock.

    That point stays put, while new entries go on arriving. ``UserError`` for what an operator has to
    mend, and if nothing happens for ``patience`` seconds.
    """
    target: datetime | None = None
    progress: Progress | None = None
    mark: tuple[datetime, int, int] | None = None
    changed_at = ticked_at = time.monotonic()
    while True:
        before, since_tick = progress, time.monotonic() - ticked_at
        ticked_at = time.monotonic()
        error = invoke(stack, {"command": "export"}).get("error")
        if error and error["type"] in _HOPELESS:
            raise UserError(error["message"])
        progress = look(stack)
        is_first = (
            error
            and error["type"] in _HOPELESS_AT_FIRST
            and not (progress and progress.exported_percent)
        )
        limit = min(patience, _FIRST_SECONDS) if is_first else patience
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
            progress = look(stack)


def _had_caught_up(before: Progress | None, after: Progress | None, seconds: float) -> bool:
    """Whether a tick found nothing to plan but the time since the one before it."""
    if before is None or after is None or before.waiting:
        return False
    return after.planned_through - before.planned_through <= timedelta(seconds=seconds + 5)


def _stuck(
    stack: Stack, progress: Progress | None, patience: float, error: dict[str, str] | None
) -> UserError:
    waiting = progress.waiting if progress else 0
    reason = error["message"] if error else "The workers say why"
    return UserError(
        f"nothing happened for {patience:.0f} s, with {waiting} pages waiting. {reason} "
        f"(their log: {stack.log})"
    )
