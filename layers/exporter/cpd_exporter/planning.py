"""The planner: one tick cuts new time into pages, sends what is due and moves the watermark.

A tick may die anywhere, run twice, or run beside another: every step is conditional on what it
read, and the next tick goes on from what is stored. Its memory and its time are bounded, however
long the backfill is.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import batched

from cpd_exporter.cutting import Cutting, NewPage, cut
from cpd_exporter.errors import ExporterError
from cpd_exporter.gathering import Gatherer
from cpd_exporter.model.instants import floor_second
from cpd_exporter.model.timeline import Errand, Page, Patience, State, Tick, Watermark
from cpd_exporter.model.windows import Window
from cpd_exporter.ports import Clock, EntriesApi, NewToken, Queue, Timeline
from cpd_exporter.reading import prove_filter
from cpd_exporter.sending import send, send_errand

PAGES_PER_TRANSACTION = 99
"""DynamoDB takes 100 items in one transaction; one of them is the watermark."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How the planner cuts time and how much it lets lie in the queue.

    A tick plans and has outstanding at most ``outstanding`` new pages, a quarter as many of a
    backfill, ``sweeps`` sweeps and ``errands`` errands: what is new waits for no more than that.
    Beyond ``most_holes`` holes nothing new is planned until they are looked at.
    """

    origin: datetime
    patience: Patience
    cutting: Cutting
    outstanding: int = 500
    sweeps: int = 50
    errands: int = 2
    most_holes: int = 5000
    proof_every: timedelta = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class TickReport:
    """What one tick did, for logs and metrics. ``undone`` pages are on their way, holes apart."""

    tenant_id: str
    planned: int
    sent: int
    undone: int
    sweeps: int
    errands: int
    holes: int
    oldest_hole: datetime | None
    planned_through: datetime
    exported_through: datetime
    error: ExporterError | None


@dataclass(slots=True)
class _Backlog:
    """What is planned and not done. Holes stand apart: they wait for the rest, and keep nothing
    from being planned. Each pile of due pages is at most what may be outstanding.
    """

    due: list[Page] = field(default_factory=list)
    due_past: list[Page] = field(default_factory=list)
    due_holes: list[Page] = field(default_factory=list)
    in_flight: int = 0
    past_in_flight: int = 0
    holes: int = 0
    oldest_hole: datetime | None = None

    @property
    def new(self) -> int:
        return self.in_flight + len(self.due)

    @property
    def past(self) -> int:
        return self.past_in_flight + len(self.due_past)


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
        before are sent, and the watermark moves, all the same. Old work comes after new.
        """
        watermark = self._watermark()
        backlog = self._backlog(watermark)
        fresh: list[Page] = []
        past: list[Page] = []
        error: ExporterError | None = None
        past_error: ExporterError | None = None
        try:
            self._prove(watermark)
            self._plan(watermark, backlog, fresh, may_go_on)
        except ExporterError as stopped:
            error = stopped
        try:
            if error is None:
                self._plan_past(watermark, backlog, past, may_go_on)
        except ExporterError as stopped:
            past_error = stopped  # what fails for the past alone holds up nothing else
        # New pages have room of their own, whatever the past is split into.
        new = [*backlog.due, *_open(fresh)]
        old = [*backlog.due_past, *_open(past)]
        room = max(0, self.plan.outstanding - backlog.in_flight)
        past_room = max(0, self.plan.outstanding // 4 - backlog.past_in_flight)
        sent = self._send([*new, *old[:past_room], *backlog.due_holes][:room])
        watermark = self._move_watermark()
        sweeps = [] if error else self._sweep(watermark, may_go_on)
        errands = self._send_errands()
        stuck = [sweep.hole_since for sweep in sweeps if sweep.hole_since is not None]
        error = error or past_error
        self.timeline.note_tick(Tick(self.clock(), str(error) if error else None))
        return TickReport(
            tenant_id=self.timeline.tenant_id,
            planned=len(fresh) + len(past),
            sent=sent,
            undone=backlog.in_flight + backlog.past_in_flight + len(new) + len(old),
            sweeps=len(sweeps),
            errands=errands,
            holes=backlog.holes + len(stuck),
            oldest_hole=min(filter(None, [backlog.oldest_hole, *stuck]), default=None),
            planned_through=watermark.planned_through,
            exported_through=watermark.exported_through,
            error=error,
        )

    def _send(self, pages: Sequence[Page]) -> int:
        return send(pages, timeline=self.timeline, queue=self.queue, clock=self.clock)

    def _sweep(self, watermark: Watermark, may_go_on: Callable[[], bool]) -> list[Page]:
        """Reserve and send sweeps, no more than may be under way at once; returns all there are."""
        now = self.clock()
        sweeps = list(self.timeline.sweeps())
        due = [sweep for sweep in sweeps if sweep.due(now, self.plan.patience)]
        self._send(due[: max(0, self.plan.sweeps - len(sweeps) + len(due))])
        gatherer = Gatherer(self.timeline, self.new_token, may_go_on, self.plan.cutting.target)
        fresh = gatherer.gather(watermark, most=self.plan.sweeps - len(sweeps))
        self._send(fresh)
        return sweeps + fresh

    def _send_errands(self) -> int:
        """Send replays and verifications to a worker; returns how many there are."""
        now = self.clock()
        errands = [
            request
            for request in self.timeline.requests()
            if request.errand in (Errand.REPLAY, Errand.VERIFY)
        ]
        due = [request for request in errands if request.due(now, self.plan.patience)]
        room = max(0, self.plan.errands - len(errands) + len(due))
        for request in sorted(due, key=lambda one: one.asked_at)[:room]:
            send_errand(request, timeline=self.timeline, queue=self.queue, clock=self.clock)
        return len(errands)

    def _watermark(self) -> Watermark:
        """The watermark, created at first contact."""
        if (watermark := self.timeline.watermark()) is not None:
            return watermark
        origin = self.plan.origin
        return self.timeline.begin(Watermark(self.new_token(), origin, origin, origin, origin))

    def _backlog(self, watermark: Watermark) -> _Backlog:
        now, most = self.clock(), self.plan.outstanding
        backlog = _Backlog()
        for page in self.timeline.undone():
            is_due = page.due(now, self.plan.patience)
            if page.hole_since is not None:
                backlog.holes += 1
                backlog.oldest_hole = min(page.hole_since, backlog.oldest_hole or page.hole_since)
                pile = backlog.due_holes
            elif page.window.start < watermark.exported_from:
                backlog.past_in_flight += not is_due
                pile = backlog.due_past
            else:
                backlog.in_flight += not is_due
                pile = backlog.due
            if is_due and len(pile) < most:
                pile.append(page)
            if len(backlog.due) >= most or backlog.holes > self.plan.most_holes:
                break
        return backlog

    def _prove(self, watermark: Watermark) -> None:
        """Prove the API's filter at first contact, and then daily."""
        now = self.clock()
        if watermark.proven_at and now < watermark.proven_at + self.plan.proof_every:
            return
        until = now - self.plan.cutting.settle  # the filter may not show younger ones yet
        if prove_filter(self.api, self.plan.cutting.slack, until=until):
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
        budget = self.plan.outstanding - backlog.new
        horizon = floor_second(self.clock() - self.plan.cutting.settle)
        if budget <= 0 or backlog.holes > self.plan.most_holes:
            return
        if watermark.planned_through >= horizon:
            return
        todo = [Window(watermark.planned_through, horizon)]
        while todo and budget > 0 and may_go_on():
            window = todo.pop()
            look = cut(self.api, window, self.plan.cutting, self._new_page(watermark))
            if look.end < window.end:
                todo.clear()
            if look.halves:
                todo.extend(reversed(look.halves))
                continue
            pages = look.pages[:budget]
            budget -= len(_open(pages))
            if not self._append(pages, fresh) or len(pages) < len(look.pages):
                return

    def _plan_past(
        self,
        watermark: Watermark,
        backlog: _Backlog,
        past: list[Page],
        may_go_on: Callable[[], bool],
    ) -> None:
        """Cut what a backfill asks for into pages and store them, newest first."""
        request = next(
            (one for one in self.timeline.requests() if one.errand is Errand.BACKFILL), None
        )
        if request is None:
            return
        if request.start >= watermark.origin:
            if watermark.exported_from == watermark.origin:
                self.timeline.continue_request(request, None)
            return
        budget = self.plan.outstanding // 4 - backlog.past
        todo = [Window(request.start, watermark.origin)]
        while todo and budget > 0 and may_go_on():
            look = cut(self.api, todo.pop(), self.plan.cutting, self._new_page(watermark))
            if look.halves:
                todo.extend(look.halves)
                continue
            pages = look.pages[-budget:]
            budget -= len(_open(pages))
            for chunk in batched(reversed(pages), PAGES_PER_TRANSACTION, strict=False):
                ascending = chunk[::-1]
                if not self.timeline.prepend(ascending, before=chunk[0].window.end):
                    return
                past.extend(ascending)
            if len(pages) < len(look.pages):
                return

    def _new_page(self, watermark: Watermark) -> NewPage:
        def new_page(window: Window, state: State) -> Page:
            return Page(
                window=window,
                generation=1,
                epoch=watermark.epoch,
                revision=self.new_token(),
                state=state,
            )

        return new_page

    def _append(self, pages: list[Page], fresh: list[Page]) -> bool:
        """Store pages. ``False``: another tick was faster; its plan stands."""
        for chunk in batched(pages, PAGES_PER_TRANSACTION, strict=False):
            if not self.timeline.append(chunk, after=chunk[0].window.start):
                return False
            fresh.extend(chunk)
        return True

    def _move_watermark(self) -> Watermark:
        """Move both ends outward over what is done and over holes, to the first that is neither."""
        watermark = self._watermark()
        through, start = watermark.exported_through, watermark.exported_from
        if through < watermark.planned_through:
            for page in self.timeline.pages(through):
                if page.window.start != through or not page.passable:
                    break
                through = page.window.end
        if start > watermark.origin:
            for page in self.timeline.pages_before(start):
                if page.window.end != start or not page.passable:
                    break
                start = page.window.start
        if through > watermark.exported_through:
            self.timeline.advance(before=watermark.exported_through, through=through)
        if start < watermark.exported_from:
            self.timeline.retreat(before=watermark.exported_from, through=start)
        return self._watermark()


def _open(pages: Sequence[Page]) -> list[Page]:
    return [page for page in pages if page.state is State.OPEN]
