"""The pages that are planned and not done."""

from dataclasses import dataclass, field
from datetime import datetime

from cpd_exporter.model.page import Page
from cpd_exporter.model.watermark import Watermark
from cpd_exporter.planner.limits import PlannerLimits
from cpd_exporter.ports import PageStore


@dataclass(slots=True)
class Backlog:
    """Due pages and pages in flight; new ones, past ones and holes apart.

    Holes wait behind all other pages, and hold up no planning. Each list of due pages holds at most
    the number of pages that may be outstanding.
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
        """New pages that are not done."""
        return self.in_flight + len(self.due)

    @property
    def past(self) -> int:
        """Pages of a backfill that are not done."""
        return self.past_in_flight + len(self.due_past)


def read_backlog(
    timeline: PageStore, watermark: Watermark, limits: PlannerLimits, now: datetime
) -> Backlog:
    """Read the pages that are not done, as far as the limits allow."""
    backlog = Backlog()
    for page in timeline.undone():
        is_due = page.due(now, limits.resend_policy)
        if page.hole_since is not None:
            backlog.holes += 1
            backlog.oldest_hole = min(page.hole_since, backlog.oldest_hole or page.hole_since)
            due = backlog.due_holes
        elif page.window.start < watermark.exported_from:
            backlog.past_in_flight += not is_due
            due = backlog.due_past
        else:
            backlog.in_flight += not is_due
            due = backlog.due
        if is_due and len(due) < limits.outstanding:
            due.append(page)
        if len(backlog.due) >= limits.outstanding or backlog.holes > limits.max_holes:
            break
    return backlog
