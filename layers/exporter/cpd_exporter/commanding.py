"""What an operator's command sets going. All of it is stored, so that any later tick goes on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import batched
from typing import Any

from cpd_exporter.errors import PermanentError
from cpd_exporter.model.entries import Entry, FaultyEntry
from cpd_exporter.model.instants import SECOND, floor_second, format_instant
from cpd_exporter.model.messages import (
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
from cpd_exporter.model.timeline import Ask, Errand, Request, Watermark
from cpd_exporter.ports import Clock, EntriesApi, NewToken, Timeline

NOTHING_EXPORTED = "nothing is exported yet: send the command again when something is"

AT_ONCE = 50
"""Entries that are asked for before the wishes for them are stored."""


@dataclass(frozen=True, slots=True)
class Commander:
    """Takes commands for one tenant; the planner's next tick begins to carry them out."""

    api: EntriesApi
    timeline: Timeline
    clock: Clock
    new_token: NewToken

    def take(self, command: Command) -> dict[str, Any]:
        """Set a command going; returns what there is to say of it, as JSON.

        Before the first tick there is nothing that a command could be about.
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
                return self._errand(command)
            case ConfirmDeletions():
                return self._confirm_deletions(exported)

    def _sweep(self, command: Sweep, exported: Watermark) -> dict[str, Any]:
        if command.lookback:
            # One look-back at a time: if the last one is not done, it goes on.
            name = f"sweep:lookback={command.lookback // SECOND}s"
            start = floor_second(self.clock() - command.lookback)
        else:
            start = command.start or exported.exported_from
            name = f"sweep:{format_instant(start)}/{format_instant(command.to or self.clock())}"
        return self._request(name, Errand.SWEEP, start, command.to or exported.exported_through)

    def _backfill(self, command: Backfill, exported: Watermark) -> dict[str, Any]:
        if command.start >= exported.origin:
            return {"exportedFrom": format_instant(exported.exported_from)}
        for request in self.timeline.requests():
            if request.errand is Errand.BACKFILL and request.start > command.start:
                further = replace(request, start=command.start, revision=self.new_token())
                self.timeline.continue_request(request, further)
        return self._request("backfill", Errand.BACKFILL, command.start, exported.origin)

    def _errand(self, command: Replay | Verify) -> dict[str, Any]:
        span = f"{format_instant(command.start)}/{format_instant(command.to)}"
        queue_arn = command.queue_arn if isinstance(command, Replay) else None
        errand = Errand(command.command)
        name = f"{errand}:{span}" + (f"@{queue_arn}" if queue_arn else "")
        return self._request(name, errand, command.start, command.to, queue_arn)

    def _request(
        self,
        name: str,
        errand: Errand,
        start: datetime,
        end: datetime,
        queue_arn: str | None = None,
    ) -> dict[str, Any]:
        now = self.clock()
        self.timeline.request(
            Request(name, errand, start, end, start, now, self.new_token(), queue_arn)
        )
        return {"requested": name}

    def _refresh(self, command: Refresh) -> dict[str, Any]:
        """Wish for a sweep of each entry's page. The API tells where an entry is now; one that it
        does not know is for the regular sweeps to find missing.
        """
        now = self.clock()
        unknown: list[str] = []
        entry_ids = dict.fromkeys(command.log_entry_ids)
        for some in batched(entry_ids, AT_ONCE, strict=False):
            for entry_id, found in self._find(some).items():
                if found is None or found.date is None:
                    unknown.append(entry_id)
                else:
                    self.timeline.ask(Ask(found.date, now))
        return {"asked": len(entry_ids) - len(unknown), "unknown": unknown}

    def _find(self, entry_ids: Sequence[str]) -> dict[str, Entry | FaultyEntry | None]:
        """Entries by ID; one that the API will not even look for spoils none of the others."""
        try:
            return self.api.entries(entry_ids)
        except PermanentError:
            if len(entry_ids) == 1:
                return {entry_ids[0]: None}
        return {id_: found for one in entry_ids for id_, found in self._find([one]).items()}

    def _confirm_deletions(self, exported: Watermark) -> dict[str, Any]:
        """Let through what is held now, and sweep its pages once more."""
        now = self.clock()
        confirmed = 0
        for page in self.timeline.pages(exported.origin):
            if page.held:
                changed = replace(page, confirmed_at=now, revision=self.new_token())
                if self.timeline.update(page, changed):
                    self.timeline.ask(Ask(page.window.start, now))
                    confirmed += page.held
        return {"confirmed": confirmed}
