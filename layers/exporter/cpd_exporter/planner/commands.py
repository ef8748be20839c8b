"""Stores an operator's command as a job or as sweep requests, so that any later tick goes on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import batched
from typing import Any

from cpd_exporter.errors import PermanentError
from cpd_exporter.model.command import (
    Backfill,
    Command,
    ConfirmDeletions,
    Export,
    Refresh,
    Replay,
    Status,
    Sweep,
    Verify,
)
from cpd_exporter.model.entry import Entry, FaultyEntry
from cpd_exporter.model.job import Job, JobKind
from cpd_exporter.model.sweep_request import SweepRequest
from cpd_exporter.model.timestamps import SECOND, floor_second, format_instant
from cpd_exporter.model.watermark import Watermark
from cpd_exporter.planner.held_deletions import Confirmation
from cpd_exporter.ports import Clock, EntriesApi, NewToken, PlannerTimeline

NOTHING_EXPORTED = "nothing is exported yet: send the command again when something is"

LOOKUPS_PER_BATCH = 50
"""Entries that a refresh looks up before it stores their sweep requests."""


@dataclass(frozen=True, slots=True)
class CommandHandler:
    """Accepts commands for one tenant; the planner's next tick begins to carry them out."""

    api: EntriesApi
    timeline: PlannerTimeline
    clock: Clock
    new_token: NewToken

    def accept(self, command: Command) -> dict[str, Any]:
        """Store a command; returns the members that the answer gets from it, as JSON.

        Before the first tick, no command has anything to work on.
        """
        if isinstance(command, Export | Status):
            return {}
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
            case Replay() | Verify():
                return self._range_job(command)
            case ConfirmDeletions():
                confirmation = Confirmation(self.timeline, self.clock, self.new_token)
                return {"confirmed": confirmation.confirm()}

    def _sweep(self, command: Sweep, exported: Watermark) -> dict[str, Any]:
        if command.lookback:
            # One look-back at a time: if the last one is not done, it goes on.
            name = f"sweep:lookback={command.lookback // SECOND}s"
            start = floor_second(self.clock() - command.lookback)
        else:
            start = command.start or exported.exported_from
            name = f"sweep:{format_instant(start)}/{format_instant(command.to or self.clock())}"
        return self._add_job(name, JobKind.SWEEP, start, command.to or exported.exported_through)

    def _backfill(self, command: Backfill, exported: Watermark) -> dict[str, Any]:
        if command.start >= exported.origin:
            return {"exportedFrom": format_instant(exported.exported_from)}
        for job in self.timeline.jobs():
            if job.kind is JobKind.BACKFILL and job.start > command.start:
                further = replace(job, start=command.start, revision=self.new_token())
                self.timeline.update_job(job, further)
        return self._add_job("backfill", JobKind.BACKFILL, command.start, exported.origin)

    def _range_job(self, command: Replay | Verify) -> dict[str, Any]:
        span = f"{format_instant(command.start)}/{format_instant(command.to)}"
        queue_arn = command.queue_arn if isinstance(command, Replay) else None
        kind = JobKind(command.command)
        name = f"{kind}:{span}" + (f"@{queue_arn}" if queue_arn else "")
        return self._add_job(name, kind, command.start, command.to, queue_arn)

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
        """Request a sweep of each entry's page, by the date that the API gives for the entry.

        The regular sweeps find an entry that the API does not have.
        """
        now = self.clock()
        unknown: list[str] = []
        entry_ids = dict.fromkeys(command.log_entry_ids)
        for some in batched(entry_ids, LOOKUPS_PER_BATCH, strict=False):
            for entry_id, found in self._find(some).items():
                if found is None or found.date is None:
                    unknown.append(entry_id)
                else:
                    self.timeline.request_sweep(SweepRequest(found.date, now))
        return {"sweepsRequested": len(entry_ids) - len(unknown), "unknown": unknown}

    def _find(self, entry_ids: Sequence[str]) -> dict[str, Entry | FaultyEntry | None]:
        """Look entries up by ID. One that the API refuses to look for spoils none of the others."""
        try:
            return self.api.entries(entry_ids)
        except PermanentError:
            if len(entry_ids) == 1:
                return {entry_ids[0]: None}
        return {id_: found for one in entry_ids for id_, found in self._find([one]).items()}
