"""Pages: windows of entry dates, with the work on them. Sweeps are pages too."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from cpd_exporter.model.breaker import DayCount
from cpd_exporter.model.resend_policy import ResendPolicy
from cpd_exporter.model.window import Window

MAX_PAGES_PER_TRANSACTION = 99
"""DynamoDB takes 100 items in one transaction; one of them is the watermark."""


class WorkKind(StrEnum):
    """A page of the timeline, or the sweep of some neighbouring pages."""

    PAGE = "page"
    SWEEP = "sweep"


class PageFlag(StrEnum):
    """Why ``status`` has to read a page, though it is done."""

    HELD = "held"
    """The page holds deletions back, or has confirmed ones that are not published yet."""

    UNREAD = "unread"
    """The last sweep that should have read the page again was given up."""

    QUARANTINED = "quarantined"


class PageState(StrEnum):
    """How far a page is. ``WRITING`` lasts until there is an object at the page's key."""

    OPEN = "open"
    WRITING = "writing"
    STORED = "stored"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class MissingEntry:
    """An entry of the page index that the API no longer lists in the page's window.

    The API last answered to its ID at ``since``: that there is none (``is_gone``), or that it has
    the entry at a date in the window (``is_present``) or outside. ``moved_to`` is the last known
    date outside. As long as the API was not asked, or gave no answer, none of these is set.
    ``failed_at``: the API was last asked then, and gave no answer. From ``held_at`` on, the breaker
    holds the entry's deletion back until the operator confirms it.
    """

    since: datetime
    held_at: datetime | None = None
    is_present: bool = False
    moved_to: datetime | None = None
    is_gone: bool = False
    failed_at: datetime | None = None

    @property
    def is_answered(self) -> bool:
        """Whether the API has ever answered to the entry's ID."""
        return self.is_gone or self.is_present or self.moved_to is not None


@dataclass(frozen=True, slots=True)
class Page:
    """A window of entry dates, and the work of exporting it.

    It is split into pages that fit in one API response each, where it does not itself.

    A sweep is a page in the making. It will replace the done pages that it covers. Until then they
    stay done, and their ``reserved_by`` holds its name.

    All its fields are in one record, because one conditional write replaces them together.
    """

    # Which piece of work. ``revision`` names the item's last write: of two writers one loses.
    window: Window
    generation: int
    timeline_id: str
    revision: str
    kind: WorkKind = WorkKind.PAGE
    planned_at: datetime | None = None

    # How far it is. From ``hole_since`` on, the page is a hole that the watermark may pass.
    # ``attempts`` counts claims, except those that an outage ended. The ``error`` of a done page is
    # that of the sweep that was given up.
    state: PageState = PageState.OPEN
    attempts: int = 0
    error: str | None = None
    hole_since: datetime | None = None

    # Who has it. The lease only saves work: ``revision`` and the lake key make it correct.
    sent_at: datetime | None = None
    lease_until: datetime | None = None
    updated_at: datetime | None = None
    reserved_by: str | None = None

    # The lake. ``object`` is the key of its rows, if it has any. ``index_key`` is the key of its
    # page index; without one, the rows of ``object`` give the index. No row is stored after
    # ``stored_at``. ``faults`` are those of the first quarantined records, by lake key.
    object: str | None = None
    index_key: str | None = None
    stored_at: datetime | None = None
    entries: int = 0
    quarantined: int = 0
    faults: Mapping[str, str] = field(default_factory=dict)

    # Deletions. ``missing`` is by entry ID. ``deletions_counted`` is what this sweep added to the
    # breaker's count, so that a sweep that is repeated counts once.
    missing: Mapping[str, MissingEntry] = field(default_factory=dict)
    deletions_counted: DayCount | None = None

    # Progress within the work. Of the rows in ``object``, the topic has surely accepted the events
    # of the first ``published``. ``reading_key`` is the key of a dense reading's progress, and
    # ``reading_since`` is when that reading began.
    published: int = 0
    reading_key: str | None = None
    reading_since: datetime | None = None

    # What the API said of it. ``counted`` is the number of entries that the planner counted in
    # this window; ``None``: no count was made of exactly this window. All that the API listed in
    # the window was last read at ``read_at``.
    counted: int | None = None
    read_at: datetime | None = None

    @property
    def name(self) -> str:
        """Unique among all work of a tenant, in all timelines. The lake key ends with it."""
        start, end = (f"{bound:%Y%m%dT%H%M%SZ}" for bound in (self.window.start, self.window.end))
        return f"{start}_{end}_g{self.generation}_{self.timeline_id}"

    @property
    def flag(self) -> PageFlag | None:
        """Why ``status`` has to read the page, if it is done; a page has one flag at most."""
        if self.state is not PageState.DONE:
            return None
        if any(entry.held_at for entry in self.missing.values()):
            return PageFlag.HELD
        if self.error is not None:
            return PageFlag.UNREAD
        return PageFlag.QUARANTINED if self.quarantined else None

    @property
    def is_untried(self) -> bool:
        """Whether the page is as it was planned: no worker has tried it, and no split made it."""
        return self.generation == 1 and self.updated_at is None

    def met_outage(self, since: datetime) -> bool:
        """Whether an outage ended the last attempt, later than ``since``.

        The error of an attempt that is under way again may be an outage too.
        """
        return self.is_paused and self.updated_at is not None and self.updated_at > since

    @property
    def is_paused(self) -> bool:
        """Whether the page rests, or has rested, since an outage ended its last attempt."""
        is_error = self.error is not None and self.lease_until is not None
        return is_error and self.hole_since is None

    @property
    def watermark_may_pass(self) -> bool:
        """Whether the watermark may pass the page: it is done, or it is a hole."""
        return self.state is PageState.DONE or self.hole_since is not None

    def due(self, now: datetime, resend_policy: ResendPolicy) -> bool:
        """Whether the planner has to send the page: nobody has it, or its worker has crashed."""
        if self.state is PageState.DONE:
            return False
        if self.sent_at is None:
            return True
        touched = max(self.sent_at, self.updated_at or self.sent_at)
        if self.hole_since is not None:
            return now > touched + resend_policy.after_failures(self.attempts)
        if self.lease_until is not None and self.lease_until >= self.sent_at:
            return now > self.lease_until + resend_policy.lease_grace
        return now > touched + resend_policy.in_queue


@dataclass(frozen=True, slots=True)
class ConditionalWrite:
    """A write that happens only if the stored item is still ``before``. The item becomes ``after``.

    ``None`` means no item. Both pages have one kind and one start.
    """

    before: Page | None
    after: Page | None


def lake_key(page: Page) -> str:
    """The only key for the page's rows, whichever attempt writes them."""
    month = f"{page.window.start:%Y-%m}"
    return f"entries/entry_month={month}/{page.name}.jsonl.gz"


def parts_of(
    page: Page, windows: Iterable[Window], *, revision: str, attempts: int = 0
) -> list[Page]:
    """The pages that replace an open page whose window does not fit in one response.

    The parts of a hole are holes until they are done, since the watermark has passed them.
    """
    return [
        Page(
            window=window,
            generation=page.generation + 1,
            timeline_id=page.timeline_id,
            revision=revision,
            attempts=attempts,
            error=page.error,
            hole_since=page.hole_since,
            planned_at=page.planned_at,
        )
        for window in windows
    ]


def replacing(page: Page, parts: Sequence[Page]) -> list[ConditionalWrite]:
    """The writes that replace a page by ``parts``. The first part starts where the page does."""
    return [ConditionalWrite(page, parts[0]), *(ConditionalWrite(None, part) for part in parts[1:])]


def reserving(
    pages: Sequence[Page], sweep: Page, *, revision: str, instead_of: Page | None = None
) -> list[ConditionalWrite]:
    """The writes that create a sweep and reserve its pages, which stay done."""
    return [
        ConditionalWrite(instead_of, sweep),
        *(
            ConditionalWrite(p, replace(p, reserved_by=sweep.name, revision=revision))
            for p in pages
        ),
    ]


def sweep_of(pages: Sequence[Page], *, revision: str, at: datetime | None = None) -> Page:
    """The sweep of neighbouring pages. Its generation is higher than all of theirs, so that no lake
    key serves both the sweep and one of its pages. The page that it becomes keeps the generation.
    """
    return Page(
        kind=WorkKind.SWEEP,
        window=Window(pages[0].window.start, pages[-1].window.end),
        generation=1 + max(page.generation for page in pages),
        timeline_id=pages[0].timeline_id,
        revision=revision,
        planned_at=at,
    )
