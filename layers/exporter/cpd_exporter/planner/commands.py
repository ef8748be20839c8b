"""Stores an operator's command as a job or as sweep requests, so that any later tick goes on."""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from cpd_exporter.errors import TransientError
from cpd_exporter.model.command import (
    Backfill,
    Cancel,
    Command,
    ConfirmDeletions,
    Export,
    Ping,
    Refresh,
    Replay,
    Status,
    Sweep,
    Verify,
)
from cpd_exporter.model.job import EndedJob, Job, JobKind, JobOutcome
from cpd_exporter.model.timestamps import SECOND, floor_second, format_instant
from cpd_exporter.model.watermark import Watermark
from cpd_exporter.planner.follow_up import note_backfill
from cpd_exporter.planner.held_deletions import Confirmation
from cpd_exporter.ports import Clock, NewToken, PlannerTimeline

NOTHING_EXPORTED = "nothing is exported yet: send the command again when something is"

MAX_CANCEL_ATTEMPTS = 5
"""Attempts to end a job that a worker writes at the same time."""


@dataclass(frozen=True, slots=True)
class CommandHandler:
    """Accepts commands for one tenant; the planner's next tick begins to carry them out."""

    timeline: PlannerTimeline
    clock: Clock
    new_token: NewToken

    def accept(self, command: Command) -> dict[str, Any]:  # noqa: C901, PLR0911  # a case a command
        """Store a command; returns the members that the answer gets from it, as JSON.

        Before the first tick, no command but a ping has anything to work on.
        """
        if isinstance(command, Export | Status):
            return {}
        if isinstance(command, Ping):
            return self._ping(command)
        exported = self.timeline.watermark()
        if exported is None:
            return {"requested": None, "note": NOTHING_EXPORTED}
        match command:
            case Sweep():
                return self._sweep(command, exported)
            case Backfill():
                return self._backfill(command, exported)
            case Refresh():
                return self._refresh(command)
            case Cancel():
                return self._cancel(command, exported)
            case Replay():
                return self._replay(command, exported)
            case Verify():
                start, end = command.start, command.to
                name = f"verify:{_span_text(start, end)}"
                added = self._add_job(name, JobKind.VERIFY, start, end)
                return added | _note(start, end, exported)
            case ConfirmDeletions():
                confirmation = Confirmation(self.timeline, self.clock, self.new_token)
                return {"confirmed": confirmation.confirm()}

    def _sweep(self, command: Sweep, exported: Watermark) -> dict[str, Any]:
        note: dict[str, Any] = {}
        if command.lookback:
            # One look-back at a time: if the last one is not done, it goes on.
            name = f"sweep:lookback={command.lookback // SECOND}s"
            start = floor_second(self.clock() - command.lookback)
        else:
            start = command.start or exported.exported_from
            note = _note(start, command.to or exported.exported_through, exported)
            name = f"sweep:{_span_text(start, command.to or self.clock())}"
        end = command.to or exported.exported_through
        return self._add_job(name, JobKind.SWEEP, start, end) | note

    def _backfill(self, command: Backfill, exported: Watermark) -> dict[str, Any]:
        if command.start >= exported.origin:
            return {
                "requested": None,
                "exportedFrom": format_instant(exported.exported_from),
                "note": f"the export reaches back to {format_instant(exported.origin)} already: a "
                "backfill begins before that",
            }
        for job in self.timeline.jobs():
            if job.kind is JobKind.BACKFILL and job.start > command.start:
                further = replace(job, start=command.start, revision=self.new_token())
                self.timeline.update_job(job, further)
        return self._add_job("backfill", JobKind.BACKFILL, command.start, exported.origin)

    def _replay(self, command: Replay, exported: Watermark) -> dict[str, Any]:
        start, end = command.span
        kind, note = JobKind.REPLAY_STORED, dict[str, str]()
        if command.stored_from is None:
            kind, note = JobKind.REPLAY, _note(start, end, exported)
        name = f"{kind}:{_span_text(start, end)}"
        if command.queue_arn:
            name += f"@{command.queue_arn}"
        return self._add_job(name, kind, start, end, command.queue_arn) | note

    def _add_job(
        self,
        name: str,
        kind: JobKind,
        start: datetime,
        end: datetime,
        queue_arn: str | None = None,
    ) -> dict[str, Any]:
        now = self.clock()
        self.timeline.add_job(Job(name, kind, start, end, start, now, self.new_token(), queue_arn))
        return {"requested": name}

    def _refresh(self, command: Refresh) -> dict[str, Any]:
        """Store the IDs; a worker looks them up. Another refresh, of other IDs, is another job."""
        entry_ids = tuple(dict.fromkeys(command.log_entry_ids))
        now = self.clock()
        digest = hashlib.sha256("\n".join(entry_ids).encode()).hexdigest()[:16]
        name = f"refresh:{format_instant(now)}/{digest}"
        kind, token = JobKind.REFRESH, self.new_token()
        self.timeline.add_job(Job(name, kind, now, now, now, now, token, entry_ids=entry_ids))
        return {"requested": name}

    def _ping(self, command: Ping) -> dict[str, Any]:
        """Store a ping. Its name makes the event's ID, so no two pings share one."""
        now, token = self.clock(), self.new_token()
        name = f"ping:{format_instant(now)}/{token}"
        kind, queue_arn, attributes = JobKind.PING, command.queue_arn, command.attributes
        job = Job(name, kind, now, now, now, now, token, queue_arn, attributes=attributes)
        self.timeline.add_job(job)
        return {"requested": name}

    def _cancel(self, command: Cancel, exported: Watermark) -> dict[str, Any]:
        """End a job. A worker that has it stops at its next write; what it did stays done, and what
        a backfill exported is swept as after a whole one.
        """
        for _ in range(MAX_CANCEL_ATTEMPTS):
            job = next((one for one in self.timeline.jobs() if one.name == command.name), None)
            if job is None:
                return {"cancelled": False, "note": "no job has that name: see jobs in status"}
            if job.kind is JobKind.BACKFILL:
                watermark = self.timeline.watermark() or exported
                if not note_backfill(self.timeline, watermark, job, self.clock()):
                    continue
            cancelled = EndedJob.of(job, self.clock(), JobOutcome.CANCELLED)
            if self.timeline.end_job(job, cancelled):
                return {"cancelled": True}
        raise TransientError(f"{command.name} is being written all the time: cancel it again")


def _span_text(start: datetime, end: datetime) -> str:
    return f"{format_instant(start)}/{format_instant(end)}"


def _note(start: datetime, end: datetime, exported: Watermark) -> dict[str, str]:
    """What the operator should know of a range that is not exported, or only in part."""
    since, through = exported.exported_from, exported.exported_through
    if since <= start and end <= through:
        return {}
    reached = f"from {format_instant(since)} to {format_instant(through)}"
    if end <= since or start >= through:
        return {"note": f"nothing in that time is exported, so nothing will happen: {reached} is"}
    return {"note": f"only what is exported counts: {reached}"}
