"""The pages that are planned and not done."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

from cpd_exporter.model.page import Page, PageState
from cpd_exporter.model.watermark import Watermark
from cpd_exporter.planner.limits import PlannerLimits
from cpd_exporter.ports import PageStore

MAX_UNDONE_PAGES = 20_000
"""Undone pages that a tick or a status reads, so that its time is bounded."""

OUTAGE_MEMORY = timedelta(minutes=15)
"""How long an outage that a page met slows the planner down."""


@dataclass(slots=True)
class Backlog:
    """Due pages and pages in flight; new ones, past ones and holes apart.

    ``due`` are the pages that no worker has tried. Parts of splits and pages that failed are in
    ``due_again``, the latest first, so that none of them delays newer entries. Holes wait behind
    all other pages, and hold up no planning. Each list of due pages holds at most the number of
    pages that may be outstanding. ``outages`` counts the pages that an outage met lately.
    """

    due: list[Page] = field(default_factory=list)
    due_again: deque[Page] = field(default_factory=deque)
    due_past: list[Page] = field(default_factory=list)
    due_holes: list[Page] = field(default_factory=list)
    in_flight: int = 0
    untried_in_flight: int = 0
    past_in_flight: int = 0
    outages: int = 0
    holes: int = 0
    oldest_hole: datetime | None = None

    @property
    def new(self) -> int:
        """New pages that are not done."""
        return self.in_flight + len(self.due) + len(self.due_again)

    @property
    def untried(self) -> int:
        """New pages that no worker has tried."""
        return self.untried_in_flight + len(self.due)

    @property
    def past(self) -> int:
        """Pages of a backfill that are not done."""
        return self.past_in_flight + len(self.due_past)


def read_backlog(
    timeline: PageStore, watermark: Watermark, limits: PlannerLimits, now: datetime
) -> Backlog:
    """Read the pages that are not done: all in flight, and as many due ones as the limits allow.

    Beyond ``MAX_UNDONE_PAGES``, it reads the newest alone, so that no old work delays new entries.
    """
    backlog = Backlog(due_again=deque(maxlen=limits.max_outstanding_pages))
    for page in _undone(timeline, watermark, limits):
        is_due = page.due(now, limits.resend_policy)
        backlog.outages += page.met_outage(now - OUTAGE_MEMORY)
        due: list[Page] | deque[Page]
        if page.hole_since is not None:
            backlog.holes += 1
            backlog.oldest_hole = min(page.hole_since, backlog.oldest_hole or page.hole_since)
            due = backlog.due_holes
        elif page.window.start < watermark.exported_from:
            backlog.past_in_flight += not is_due
            due = backlog.due_past
        else:
            backlog.in_flight += not is_due
            backlog.untried_in_flight += page.is_untried and not is_due
            due = backlog.due if page.is_untried else backlog.due_again
        if is_due and (due is backlog.due_again or len(due) < limits.max_outstanding_pages):
            due.append(page)
        if backlog.holes > limits.max_holes:
            break
    return backlog


def share_in_outage(limit: int, outages: int) -> int:
    """What is left of a limit while ``outages`` pieces of work met an outage lately.

    In an outage, workers do less than the planner sends, and messages would pile up for its whole
    length. A few are enough to find its end.
    """
    return max(1, limit // (1 + outages)) if limit else 0


def _undone(timeline: PageStore, watermark: Watermark, limits: PlannerLimits) -> Iterator[Page]:
    page: Page | None = None
    for number, page in enumerate(timeline.undone()):
        if number >= MAX_UNDONE_PAGES:
            break
        yield page
    else:
        return
    newest = islice(timeline.pages_before(watermark.planned_through), limits.max_outstanding_pages)
    rest = [one for one in newest if one.window.start >= page.window.start]
    yield from (one for one in reversed(rest) if one.state is not PageState.DONE)


def pages_to_send(
    backlog: Backlog, new: Sequence[Page], past: Sequence[Page], limits: PlannerLimits
) -> list[Page]:
    """The pages that have room in the queue: new ones, which always find some, then all others.

    The more pages met an outage lately, the less room there is. They come behind sound pages: a few
    windows that the API never answers for hold up nothing else.
    """
    room = max(
        0, share_in_outage(limits.max_outstanding_pages, backlog.outages) - backlog.in_flight
    )
    reserve = share_in_outage(limits.new_outstanding, backlog.outages)
    reserve = max(0, reserve - backlog.untried_in_flight)
    first = new[: max(room, reserve)]
    past_room = share_in_outage(limits.past_outstanding, backlog.outages)
    past_room = max(0, past_room - backlog.past_in_flight)
    again = list(reversed(backlog.due_again))
    sound = [page for page in again if not page.is_paused]
    struck = [page for page in again if page.is_paused]
    others = [*sound, *past[:past_room], *struck, *backlog.due_holes]
    return [*first, *others[: max(0, room - max(len(first), reserve))]]
