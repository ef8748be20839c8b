"""The planner: one tick cuts new time into pages, sends what is due and moves the watermark.

A tick may die anywhere, run twice, or run beside another: every step is conditional on what it
read, and the next tick goes on from what is stored. Its memory and its time are bounded, however
long the backfill is.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import batched

from cpd_exporter.errors import ExporterError
from cpd_exporter.model.instants import SECOND, floor_second
from cpd_exporter.model.timeline import Page, Patience, State, Tick, Watermark
from cpd_exporter.model.windows import Window
from cpd_exporter.ports import Clock, EntriesApi, NewToken, Queue, Timeline
from cpd_exporter.reading import MOST_PER_PAGE, count, prove_filter
from cpd_exporter.sending import send

PAGES_PER_TRANSACTION = 99
"""DynamoDB takes 100 items in one transaction; one of them is the watermark."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How the planner cuts time and how much it lets lie in the queue.

    ``target`` is how many entries a page is planned to hold: below what a response can, so that
    uneven time seldom overflows. No total cuts finer than ``floor``. A tick plans
    and has outstanding at most ``outstanding`` pages; beyond ``most_holes`` holes nothing new is
    planned until they are looked at.
    """

    origin: datetime
    settle: timedelta
    slack: timedelta
    patience: Patience
    target: int = MOST_PER_PAGE * 8 // 10
    floor: timedelta = timedelta(minutes=15)
    outstanding: int = 500
    most_holes: int = 5000
    proof_every: timedelta = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class TickReport:
    """What one tick did, for logs and metrics. ``undone`` pages are on their way, holes apart."""

    tenant_id: str
    planned: int
    sent: int
    undone: int
    holes: int
    oldest_hole: datetime | None
    planned_through: datetime
    exported_through: datetime
    error: ExporterError | None


@dataclass(frozen=True, slots=True)
class _Backlog:
    """What is planned and not done, holes apart: they wait for the rest, and keep nothing from
    being planned. ``due`` and ``due_holes`` are each at most what may be outstanding.
    """

    due: list[Page]
    due_holes: list[Page]
    in_flight: int
    holes: int
    oldest_hole: datetime | None

    @property
    def undone(self) -> int:
        return self.in_flight + len(self.due)


@dataclass(frozen=True, slots=True)
class Planner:
    """The planner of one tenant, with all that it talks to."""

    api: EntriesApi
    timeline: Timeline
    queue: Queue
    clock: Clock
    new_token: NewToken
    plan: Plan

    def tick(self, *, may_go_on: Callable[[], bool] = lambda: True) -> TickReport:
        """Run once, planning for as long as ``may_go_on``.

        What stopped the planning, if anything did, is in the report: pages that were planned
        before are sent, and the watermark moves, all the same.
        """
        watermark = self._watermark()
        backlog = self._backlog()
        fresh: list[Page] = []
        error: ExporterError | None = None
        try:
            self._prove(watermark)
            self._plan(watermark, backlog, fresh, may_go_on)
        except ExporterError as stopped:
            error = stopped
        pages = backlog.due + [page for page in fresh if page.state is State.OPEN]
        room = max(0, self.plan.outstanding - backlog.in_flight)
        to_send = (pages + backlog.due_holes)[:room]
        sent = send(to_send, timeline=self.timeline, queue=self.queue, clock=self.clock)
        planned_through, exported_through = self._advance()
        self.timeline.note_tick(Tick(self.clock(), str(error) if error else None))
        return TickReport(
            tenant_id=self.timeline.tenant_id,
            planned=len(fresh),
            sent=sent,
            undone=backlog.in_flight + len(pages),
            holes=backlog.holes,
            oldest_hole=backlog.oldest_hole,
            planned_through=planned_through,
            exported_through=exported_through,
            error=error,
        )

    def _watermark(self) -> Watermark:
        """The watermark, created at first contact."""
        if (watermark := self.timeline.watermark()) is not None:
            return watermark
        origin = self.plan.origin
        return self.timeline.begin(Watermark(self.new_token(), origin, origin, origin, origin))

    def _backlog(self) -> _Backlog:
        now = self.clock()
        due: list[Page] = []
        due_holes: list[Page] = []
        in_flight = holes = 0
        oldest_hole: datetime | None = None
        for page in self.timeline.undone():
            if page.hole_since is not None:
                holes += 1
                oldest_hole = min(page.hole_since, oldest_hole or page.hole_since)
            is_due = page.due(now, self.plan.patience)
            if page.hole_since is None:
                if is_due:
                    due.append(page)
                else:
                    in_flight += 1
            elif is_due and len(due_holes) < self.plan.outstanding:
                due_holes.append(page)
            if len(due) >= self.plan.outstanding or holes > self.plan.most_holes:
                break
        return _Backlog(due, due_holes, in_flight, holes, oldest_hole)

    def _prove(self, watermark: Watermark) -> None:
        """Prove the API's filter at first contact, and then daily."""
        now = self.clock()
        if watermark.proven_at and now < watermark.proven_at + self.plan.proof_every:
            return
        if prove_filter(self.api, self.plan.slack, since=watermark.origin, now=now):
            self.timeline.prove(now)

    def _plan(
        self,
        watermark: Watermark,
        backlog: _Backlog,
        fresh: list[Page],
        may_go_on: Callable[[], bool],
    ) -> None:
        """Cut ``[planned_through, now - settle)`` into pages and store them, oldest first.

        Pages are added to ``fresh`` once they are stored, so that an error loses none of them.
        """
        budget = self.plan.outstanding - backlog.undone
        horizon = floor_second(self.clock() - self.plan.settle)
        if budget <= 0 or backlog.holes > self.plan.most_holes:
            return
        if watermark.planned_through >= horizon:
            return
        todo = [Window(watermark.planned_through, horizon)]
        while todo and budget > 0 and may_go_on():
            window = todo.pop()
            counted = count(self.api, window, self.plan.slack)
            if counted.served_at is not None:
                # An entry is logged by the API's clock, which may be behind this one.
                served = floor_second(counted.served_at - self.plan.settle)
                if served < horizon:
                    horizon = served
                    if window.start >= horizon:
                        return
                    window = Window(window.start, min(window.end, horizon))
                    todo = [Window(w.start, min(w.end, horizon)) for w in todo if w.start < horizon]
            if counted.total == 0:
                pages = [self._page(month, watermark, State.DONE) for month in window.months()]
            elif not window.within_one_month:
                todo.extend(reversed(window.halved_by_month()))
                continue
            else:
                windows = self._cut(window, counted.total)
                pages = [self._page(part, watermark, State.OPEN) for part in windows[:budget]]
                budget -= len(pages)
                if len(pages) < len(windows):
                    todo.clear()
            if not self._append(pages, fresh):
                return

    def _cut(self, window: Window, total: int) -> list[Window]:
        """Even windows that should fit one response each. A total of more than an entry a second is
        not believed: then it is one page, and what really overflows is split by its worker.
        """
        believable = total <= window.length // SECOND
        parts = -(-total // self.plan.target) if believable else 1
        return window.cut(parts, floor=max(self.plan.floor, self.plan.slack))

    def _page(self, window: Window, watermark: Watermark, state: State) -> Page:
        return Page(
            window=window,
            generation=1,
            epoch=watermark.epoch,
            revision=self.new_token(),
            state=state,
        )

    def _append(self, pages: list[Page], fresh: list[Page]) -> bool:
        """Store pages. ``False``: another tick was faster; its plan stands."""
        for chunk in batched(pages, PAGES_PER_TRANSACTION, strict=False):
            if not self.timeline.append(chunk, after=chunk[0].window.start):
                return False
            fresh.extend(chunk)
        return True

    def _advance(self) -> tuple[datetime, datetime]:
        """Move the watermark over what is done and over holes, up to the first that is neither.

        Returns what is planned through, and what is exported through.
        """
        watermark = self._watermark()
        reached = watermark.exported_through
        if reached < watermark.planned_through:
            for page in self.timeline.pages(reached):
                if page.window.start != reached or not page.passable:
                    break
                reached = page.window.end
        if reached > watermark.exported_through:
            self.timeline.advance(before=watermark.exported_through, through=reached)
        return watermark.planned_through, reached
