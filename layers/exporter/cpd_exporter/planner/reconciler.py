"""Compares the API's own total with the entries that the timeline knows, once a day.

A difference that lasts for two days is located month by month, and the planner sweeps these months.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta

from cpd_exporter.errors import PermanentError, TransientError
from cpd_exporter.model.job import Job, JobKind
from cpd_exporter.model.page import Page, PageState
from cpd_exporter.model.reconciliation import Reconciliation, ReconciliationStep
from cpd_exporter.model.watermark import Watermark
from cpd_exporter.model.window import Window
from cpd_exporter.ports import Clock, EntriesApi, HasTimeLeft, NewToken, PlannerTimeline
from cpd_exporter.source.response import SLACK

RECONCILE_INTERVAL = timedelta(days=1)
"""Between two comparisons, and after the sweep that follows a first export."""

MAX_PAGES_PER_TICK = 5000
"""Pages that one tick sums."""

MAX_MONTHS_PER_TICK = 40
"""Months that one tick counts, with two calls each."""

MAX_SWEEPS_PER_COMPARISON = 36
"""Months that one comparison sweeps. An API whose totals are always wrong costs no more a day."""

MAX_TIME_FOR_TOTAL = timedelta(hours=1)
"""An API that cannot count the whole range for so long is asked month by month."""

_UNKNOWN = 10**12
"""A page that is not done may hold any number of entries, so it explains any larger total."""


@dataclass(frozen=True, slots=True)
class Reconciler:
    """Goes on with the comparison for as long as ``has_time_left``."""

    api: EntriesApi
    timeline: PlannerTimeline
    clock: Clock
    new_token: NewToken
    has_time_left: HasTimeLeft

    def advance(self, watermark: Watermark) -> None:
        """Begin a comparison if one is due, and go on with it. Its progress survives an error."""
        state = self._due(watermark)
        if state is None or state.step is ReconciliationStep.DONE:
            return
        progress = [state]
        try:
            self._sum(watermark, progress)
            self._locate(progress)
        finally:
            changed = replace(watermark, reconciliation=progress[-1])
            self.timeline.update_watermark(watermark, changed)

    def _due(self, watermark: Watermark) -> Reconciliation | None:
        last, now = watermark.reconciliation, self.clock()
        if last is not None and last.step is not ReconciliationStep.DONE:
            return last
        followed_up = watermark.follow_up.requested_at if watermark.follow_up else None
        since = last.begun_at if last else followed_up
        if followed_up is None or since is None or now < since + RECONCILE_INTERVAL:
            return None
        return Reconciliation(
            begun_at=now,
            through=watermark.exported_through,
            cursor=watermark.origin,
            difference=last.difference if last else 0,
            differs_since=last.differs_since if last else None,
        )

    def _sum(self, watermark: Watermark, progress: list[Reconciliation]) -> None:
        """Add up the pages, then compare the sum with the API's total."""
        state = progress[-1]
        if state.step is not ReconciliationStep.SUM:
            return
        for number, page in enumerate(self.timeline.pages(state.cursor, state.through)):
            if number >= MAX_PAGES_PER_TICK or not self.has_time_left():
                progress.append(state)
                return
            least, most = _count_bounds([page])
            cursor = page.window.end
            state = replace(state, cursor=cursor, least=state.least + least, most=state.most + most)
        progress.append(replace(state, cursor=state.through))
        distance: int | None = None
        try:
            whole = Window(watermark.origin, state.through)
            distance = self._measure_distance(whole, state.least, state.most)
        except TransientError:
            if self.clock() < state.begun_at + MAX_TIME_FOR_TOTAL:
                return
        progress.append(self._judge(watermark, state, distance))

    def _judge(
        self, watermark: Watermark, state: Reconciliation, distance: int | None
    ) -> Reconciliation:
        """A difference on a second day, or a total that cannot be had, is looked for by months."""
        now = self.clock()
        if distance == 0:
            return replace(state, step=ReconciliationStep.DONE, differs_since=None, difference=0)
        since = state.differs_since
        if distance is not None and (since is None or now < since + RECONCILE_INTERVAL):
            return replace(state, step=ReconciliationStep.DONE, differs_since=since or now)
        return replace(state, step=ReconciliationStep.LOCATE, cursor=watermark.origin)

    def _locate(self, progress: list[Reconciliation]) -> None:
        """Compare month by month, and sweep each month that differs."""
        state = progress[-1]
        if state.step is not ReconciliationStep.LOCATE:
            return
        months = (
            Window(state.cursor, state.through).months() if state.cursor < state.through else ()
        )
        for number, month in enumerate(months):
            if number >= MAX_MONTHS_PER_TICK or not self.has_time_left():
                return
            pages = self.timeline.pages(month.start, month.end)
            distance = self._measure_distance(month, *_count_bounds(pages)) or 0
            sweeps = state.sweeps
            if distance and sweeps < MAX_SWEEPS_PER_COMPARISON:
                self._sweep(month)
                sweeps += 1
            found = state.found + distance
            state = replace(state, cursor=month.end, found=found, sweeps=sweeps)
            progress.append(state)
        # If no month differs, the total of the whole range was wrong.
        since = (state.differs_since or self.clock()) if state.found else None
        done = ReconciliationStep.DONE
        progress.append(replace(state, step=done, difference=state.found, differs_since=since))

    def _measure_distance(self, window: Window, least: int, most: int) -> int | None:
        """Ask how far the API's total is from the indexed entries; ``None`` if there is no total.

        The bounds of a query may be inclusive or not. The true total lies between that of the
        window and that of the widened window.
        """
        try:
            narrow = self.api.query(window, per_page=1)
            high = self.api.query(window.widened(SLACK), per_page=1).total
        except PermanentError:
            return None
        # Bounds in hours that the filter's clock shows twice count entries from beyond too.
        low = narrow.total if narrow.span in {None, window} else 0
        return max(0, low - most, least - max(narrow.total, high))

    def _sweep(self, month: Window) -> None:
        name = f"sweep:reconcile:{month.start:%Y-%m}"
        kind, now = JobKind.SWEEP, self.clock()
        job = Job(name, kind, month.start, month.end, month.start, now, self.new_token())
        self.timeline.add_job(job)


def _count_bounds(pages: Iterable[Page]) -> tuple[int, int]:
    """The least and the most entries that the API should count in these pages."""
    least = most = 0
    for page in pages:
        # One that the API has, but does not list, is no deletion that explains a smaller total.
        listed = page.entries - sum(not one.is_present for one in page.missing.values())
        least += listed
        most += listed + page.quarantined + (_UNKNOWN if page.state is not PageState.DONE else 0)
    return least, most
