"""The planner: one tick plans new pages, sends due work and moves the watermark.

A tick may die anywhere, run twice, or run beside another. Every step is conditional on what the
tick read, and the next tick goes on from what is stored. Memory and time of a tick are bounded,
however long a backfill is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from cpd_exporter.dispatch import send
from cpd_exporter.errors import ExporterError, PausedError
from cpd_exporter.model.command import Command
from cpd_exporter.model.page import Page
from cpd_exporter.model.watermark import Tick, Watermark
from cpd_exporter.planner.backlog import (
    OUTAGE_MEMORY,
    Backlog,
    pages_to_send,
    read_backlog,
    share_in_outage,
)
from cpd_exporter.planner.commands import CommandHandler
from cpd_exporter.planner.filter_checker import FilterChecker
from cpd_exporter.planner.follow_up import note_first_export, request_follow_up
from cpd_exporter.planner.full_sweep import FullSweepPlanner
from cpd_exporter.planner.held_deletions import read_held_deletions, request_overdue_sweeps
from cpd_exporter.planner.index_cleanup import remove_unnamed_indexes
from cpd_exporter.planner.job_sender import JobSender, add_republish_job
from cpd_exporter.planner.lake_progress import exported, write_progress
from cpd_exporter.planner.limits import PlannerLimits
from cpd_exporter.planner.page_planner import PagePlanner, open_pages
from cpd_exporter.planner.reconciler import Reconciler
from cpd_exporter.planner.refusals import RefusalSummary, read_refusals
from cpd_exporter.planner.report import Answer, TickReport
from cpd_exporter.planner.sweep_planner import SweepPlanner
from cpd_exporter.ports import (
    Clock,
    EntriesApi,
    HasTimeLeft,
    NewToken,
    PlannerLake,
    PlannerTimeline,
    Queue,
)

MAX_PAGES_PER_MOVE = 5000
"""Pages over which a tick moves either end of the watermark: ten times what it plans."""


@dataclass(frozen=True, slots=True)
class Planner:
    """The planner of one tenant."""

    api: EntriesApi
    timeline: PlannerTimeline
    queue: Queue
    clock: Clock
    new_token: NewToken
    limits: PlannerLimits
    lake: PlannerLake

    @property
    def commands(self) -> CommandHandler:
        """What stores the operator's commands."""
        return CommandHandler(self.timeline, self.clock, self.new_token)

    def handle(self, command: Command, *, has_time_left: HasTimeLeft = lambda: True) -> Answer:
        """Store a command, and run a tick that begins to carry it out. Never raises a failure that
        the exporter expects: the answer names it.
        """
        calls = self.api.calls
        accepted: Mapping[str, Any] = {}
        tick: TickReport | None = None
        error: ExporterError | None = None
        try:
            accepted = self.commands.accept(command)
            tick = self.tick(has_time_left=has_time_left)
            error = tick.error
        except ExporterError as failure:
            error = failure
        return Answer(accepted, tick, error, self.api.calls - calls)

    def tick(self, *, has_time_left: HasTimeLeft = lambda: True) -> TickReport:
        """Run once, planning for as long as ``has_time_left``.

        An error that stops the planning is in the report. Even then, the tick sends the pages that
        were planned before, and moves the watermark. Old work comes after new.
        """
        calls = self.api.calls
        watermark = self._read_or_create_watermark()
        backlog = read_backlog(self.timeline, watermark, self.limits, self.clock())

        def may_ask() -> bool:
            return has_time_left() and self.api.may_ask

        planned_new, planned_past, error, past_error = self._plan(watermark, backlog, may_ask)
        new = [*backlog.due, *open_pages(planned_new)]
        past = [*backlog.due_past, *open_pages(planned_past)]
        sent = self._send(pages_to_send(backlog, new, past, self.limits))
        before, watermark = watermark, self._move_watermark()
        in_flight = backlog.in_flight + backlog.past_in_flight
        undone = in_flight + len(new) + len(backlog.due_again) + len(past)
        self._follow_up(watermark)
        check_error = self._reconcile(may_ask)
        sweeps = [] if error else self._sweep(watermark, undone, has_time_left)
        refusals = read_refusals(self.timeline, self.clock())
        jobs = self._send_jobs(refusals)
        stuck = [sweep.hole_since for sweep in sweeps if sweep.hole_since is not None]
        now = self.clock()
        held = read_held_deletions(self.timeline, now)
        request_overdue_sweeps(self.timeline, held, now)
        lake_error = self._keep_lake(before, watermark, has_time_left)
        error = error or past_error or check_error or lake_error
        watermark = self._read_or_create_watermark()
        tick = Tick(self.clock(), str(error) if error else None)
        warning = watermark.filter_warning
        notice = self.api.notice if self.api.calls > calls else watermark.api_notice
        ticked = replace(watermark, last_tick=tick, api_notice=notice)
        self.timeline.update_watermark(watermark, ticked)
        return TickReport(
            tenant_id=self.timeline.tenant_id,
            planned=len(planned_new) + len(planned_past),
            sent=sent,
            undone=undone,
            sweeps=len(sweeps),
            jobs=jobs,
            holes=backlog.holes + len(stuck) + refusals.count,
            oldest_hole=min(
                filter(None, [backlog.oldest_hole, refusals.oldest, *stuck]), default=None
            ),
            planned_through=watermark.planned_through,
            exported_through=watermark.exported_through,
            error=error,
            oldest_reading=watermark.full_sweep.read_since if watermark.full_sweep else None,
            difference=watermark.reconciliation.difference if watermark.reconciliation else 0,
            held=held.count,
            filter_warning=warning.message if warning else None,
            api_notice=notice,
        )

    def _read_or_create_watermark(self) -> Watermark:
        """Read the watermark; at first contact, create it."""
        if (watermark := self.timeline.watermark()) is not None:
            return watermark
        origin = self.limits.origin
        return self.timeline.begin(Watermark(self.new_token(), origin, origin, origin, origin))

    def _plan(
        self, watermark: Watermark, backlog: Backlog, may_ask: HasTimeLeft
    ) -> tuple[list[Page], list[Page], ExporterError | None, ExporterError | None]:
        """Plan new pages, then past ones; returns both, with the errors that stopped either.

        An error of the past alone holds up nothing else.
        """
        page_planner = PagePlanner(
            self.api, self.timeline, self.clock, self.new_token, self.limits, may_ask
        )
        checker = FilterChecker(
            self.api, self.timeline, self.clock, self.limits, may_ask, self.new_token
        )
        new: list[Page] = []
        past: list[Page] = []
        try:
            checker.check(watermark)
            page_planner.plan_new(watermark, backlog, new)
        except PausedError:
            return new, past, None, None
        except ExporterError as error:
            return new, past, error, None
        try:
            page_planner.plan_past(watermark, backlog, past)
        except PausedError:
            pass
        except ExporterError as error:
            return new, past, None, error
        return new, past, None, None

    def _send(self, pages: Sequence[Page]) -> int:
        return send(pages, timeline=self.timeline, queue=self.queue, clock=self.clock)

    def _follow_up(self, watermark: Watermark) -> None:
        """Note the end of a first export, and request the sweep after an export once it is due."""
        note_first_export(self.timeline, watermark, self.clock())
        noted = self._read_or_create_watermark()
        request_follow_up(self.timeline, noted, self.clock(), self.new_token)

    def _reconcile(self, may_ask: HasTimeLeft) -> ExporterError | None:
        """Go on with the comparison of totals; an error holds up nothing else, and is returned."""
        reconciler = Reconciler(self.api, self.timeline, self.clock, self.new_token, may_ask)
        try:
            reconciler.advance(self._read_or_create_watermark())
        except PausedError:
            return None
        except ExporterError as error:
            return error
        return None

    def _sweep(self, watermark: Watermark, undone: int, has_time_left: HasTimeLeft) -> list[Page]:
        """Send due sweeps, then plan and send new ones; returns all sweeps."""
        now = self.clock()
        sweeps = list(self.timeline.sweeps())
        due = [sweep for sweep in sweeps if sweep.due(now, self.limits.resend_policy)]
        outages = sum(sweep.met_outage(now - OUTAGE_MEMORY) for sweep in sweeps)
        most = share_in_outage(self.limits.max_sweeps, outages)
        self._send(due[: max(0, most - len(sweeps) + len(due))])
        sweep_planner = SweepPlanner(
            self.timeline, self.clock, self.new_token, has_time_left, self.limits.sweep_capacity
        )
        planned = sweep_planner.plan(watermark, max_sweeps=self.limits.max_sweeps - len(sweeps))
        # The full sweep takes the room that nothing else needs.
        if undone <= self.limits.max_sweeps:
            room = self.limits.full_sweeps - len(sweeps)
            full_sweep = FullSweepPlanner(
                self.timeline, sweep_planner, self.clock, self.limits.full_sweep
            )
            full_sweep.plan(self._read_or_create_watermark(), planned, room)
        self._send(planned)
        return sweeps + planned

    def _send_jobs(self, refusals: RefusalSummary) -> int:
        """Send due jobs, with one for refused events that are due; returns how many there are."""
        if refusals.is_due:
            add_republish_job(self.timeline, self.clock, self.new_token)
        limits = self.limits
        sender = JobSender(
            self.timeline, self.queue, self.clock, limits.resend_policy, limits.max_jobs
        )
        return sender.send_due()

    def _keep_lake(
        self, before: Watermark, watermark: Watermark, has_time_left: HasTimeLeft
    ) -> ExporterError | None:
        """Tell readers how far the lake is, if that changed, and remove unnamed index objects.

        An error holds up nothing else, and is returned.
        """
        try:
            if exported(watermark) != exported(before):
                write_progress(self.timeline, self.lake, watermark, self.clock())
            remove_unnamed_indexes(self.timeline, self.lake, self.clock(), has_time_left)
        except ExporterError as error:
            return error
        return None

    def _move_watermark(self) -> Watermark:
        """Move both ends outward over done pages and over holes, up to the first other page.

        A tick reads at most ``MAX_PAGES_PER_MOVE``: the next one goes on.
        """
        watermark = self._read_or_create_watermark()
        through, start = watermark.exported_through, watermark.exported_from
        if through < watermark.planned_through:
            pages = self.timeline.pages(through, watermark.planned_through)
            for page in islice(pages, MAX_PAGES_PER_MOVE):
                if page.window.start != through or not page.watermark_may_pass:
                    break
                through = page.window.end
        if start > watermark.origin:
            for page in islice(self.timeline.pages_before(start), MAX_PAGES_PER_MOVE):
                if page.window.end != start or not page.watermark_may_pass:
                    break
                start = page.window.start
        if through > watermark.exported_through:
            self.timeline.update_watermark(watermark, replace(watermark, exported_through=through))
        if start < watermark.exported_from:
            self.timeline.update_watermark(watermark, replace(watermark, exported_from=start))
        return self._read_or_create_watermark()
