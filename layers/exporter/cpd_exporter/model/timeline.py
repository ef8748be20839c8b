"""The timeline: pages that tile ``[origin, planned_through)``, and the watermark over them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from cpd_exporter.model.windows import Window

SAFE_TENANT = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
"""What a tenant ID may look like: it becomes part of lake keys and of event sources."""


class Kind(StrEnum):
    """What a piece of work is: a page of the timeline, or the sweep of some neighbouring pages."""

    PAGE = "page"
    SWEEP = "sweep"


class State(StrEnum):
    """How far a page is. Work in ``WRITING`` ends only with an object at the page's key."""

    OPEN = "open"
    WRITING = "writing"
    STORED = "stored"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait for others before work is sent again.

    ``in_queue`` is what a message may take to be received or redelivered, ``lease_grace`` what the
    clocks of two machines may differ by, ``hole_least`` and ``hole_most`` bound the back-off of
    holes, which doubles with each attempt after the first ``attempts``.
    """

    in_queue: timedelta
    lease_grace: timedelta = timedelta(seconds=10)
    hole_least: timedelta = timedelta(minutes=5)
    hole_most: timedelta = timedelta(hours=6)
    attempts: int = 5

    def after_failures(self, attempts: int) -> timedelta:
        doublings: int = 2 ** min(max(0, attempts - self.attempts), 12)
        return min(self.hole_least * doublings, self.hole_most)


@dataclass(frozen=True, slots=True)
class Missing:
    """An entry that was known and is not listed any more.

    ``moved_to`` is the date that the API gives for it, where that lies in another page's window.
    """

    since: datetime
    moved_to: datetime | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """A window that the API answers in one response, and the work of exporting it.

    A sweep is a page in the making: it will replace the done pages that it covers, which stay done
    and carry its name in ``reserved_by`` until then.

    ``revision`` names the last write to this item, so that of two writers one loses. ``object`` is
    the lake key that holds its rows, if it has any. ``attempts`` counts the claims that were not
    ended by an outage; from ``hole_since`` on the page is a hole that the watermark passes over.
    ``lease_until`` only saves work: correctness rests on ``revision`` and on the key.

    What is known of a done page is in the lake: in the object ``known``, or, where that is not set,
    in the rows of ``object``. ``told_at`` is later than any of its rows but the latest, which it
    equals. ``missing`` is by entry ID; ``held`` of them are deletions that wait for the operator,
    who last let such through at ``confirmed_at``.
    """

    window: Window
    generation: int
    epoch: str
    revision: str
    state: State = State.OPEN
    object: str | None = None
    entries: int = 0
    quarantined: int = 0
    attempts: int = 0
    error: str | None = None
    hole_since: datetime | None = None
    sent_at: datetime | None = None
    lease_until: datetime | None = None
    updated_at: datetime | None = None
    kind: Kind = Kind.PAGE
    known: str | None = None
    reserved_by: str | None = None
    told_at: datetime | None = None
    missing: Mapping[str, Missing] = field(default_factory=dict)
    held: int = 0
    confirmed_at: datetime | None = None

    @property
    def name(self) -> str:
        """Unique among all pieces of work of one tenant's timeline; part of the lake key."""
        start, end = (f"{bound:%Y%m%dT%H%M%SZ}" for bound in (self.window.start, self.window.end))
        return f"{start}_{end}_g{self.generation}_{self.epoch}"

    @property
    def passable(self) -> bool:
        """Whether the watermark may move over it."""
        return self.state is State.DONE or self.hole_since is not None

    def due(self, now: datetime, patience: Patience) -> bool:
        """Whether it is to be sent (again): nobody has it, or whoever had it is silent too long."""
        if self.state is State.DONE:
            return False
        if self.sent_at is None:
            return True
        touched = max(self.sent_at, self.updated_at or self.sent_at)
        if self.hole_since is not None:
            return now > touched + patience.after_failures(self.attempts)
        if self.lease_until is not None and self.lease_until >= self.sent_at:
            return now > self.lease_until + patience.lease_grace
        return now > touched + patience.in_queue


@dataclass(frozen=True, slots=True)
class Tick:
    """The last run of the planner, for the operator: when, and what stopped it, if anything."""

    at: datetime
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Watermark:
    """``[exported_from, exported_through)`` is exported but for holes; pages tile
    ``[origin, planned_through)``. ``epoch`` is this timeline's random name: no lake key of another
    timeline of the same tenant can equal one of its own.
    """

    epoch: str
    origin: datetime
    planned_through: datetime
    exported_from: datetime
    exported_through: datetime
    proven_at: datetime | None = None
    last_tick: Tick | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """One conditional write: ``before`` as it was read (``None``: there must be no such item), and
    ``after`` (``None``: deleted). Both are of one kind and start at one instant.
    """

    before: Page | None
    after: Page | None


@dataclass(frozen=True, slots=True)
class Ask:
    """A wish that the page which covers ``at`` be swept.

    With an ``entry_id``: that entry, if it is listed there, is to be told again unless it was told
    after ``told_after``, since another page told it in the meantime.
    """

    at: datetime
    asked_at: datetime
    entry_id: str = ""
    told_after: datetime | None = None


class Errand(StrEnum):
    """What an operator may ask for that takes more than one tick."""

    SWEEP = "sweep"
    BACKFILL = "backfill"
    REPLAY = "replay"
    VERIFY = "verify"


@dataclass(frozen=True, slots=True)
class Request:
    """An operator's command over ``[start, end)`` that is not done yet: ``cursor`` says how far it
    is. ``name`` begins with the errand; asking again by the same name changes nothing.

    Sweeps and backfills are the planner's own; replays and verifications are sent to a worker.
    """

    name: str
    errand: Errand
    start: datetime
    end: datetime
    cursor: datetime
    asked_at: datetime
    revision: str
    queue_arn: str | None = None
    sent_at: datetime | None = None
    lease_until: datetime | None = None
    attempts: int = 0
    error: str | None = None

    def due(self, now: datetime, patience: Patience) -> bool:
        """Whether it is to be sent (again) to a worker."""
        if self.sent_at is None:
            return True
        if self.lease_until is not None and self.lease_until >= self.sent_at:
            return now > self.lease_until + patience.lease_grace
        return now > self.sent_at + patience.in_queue


@dataclass(frozen=True, slots=True)
class DeletionQuota:
    """How many deletions were told on one day (``YYYY-MM-DD``), by the name of the sweep.

    By name, so that a sweep which dies and is done again is not counted twice.
    """

    day: str
    told: Mapping[str, int]
    revision: str

    @property
    def total(self) -> int:
        return sum(self.told.values())


@dataclass(frozen=True, slots=True)
class Refusal:
    """A stored row whose event the topic refused for good, in full and as a reference."""

    window: Window
    entry_id: str
    error: str
    since: datetime


def lake_key(tenant_id: str, page: Page) -> str:
    """The one key that this page's rows may be written to, by whatever attempt."""
    month = f"{page.window.start:%Y-%m}"
    return f"entries/tenant={tenant_id}/entry_month={month}/{page.name}.jsonl.gz"


def parts_of(
    page: Page, parts: int, *, floor: timedelta, revision: str, attempts: int = 0
) -> list[Page]:
    """The pages that replace an open one whose window holds more than one response.

    The parts of a hole are holes until they are done: the watermark passed over all of it.
    """
    return [
        Page(
            window=window,
            generation=page.generation + 1,
            epoch=page.epoch,
            revision=revision,
            attempts=attempts,
            error=page.error,
            hole_since=page.hole_since,
        )
        for window in page.window.cut(parts, floor=floor)
    ]


def replacing(page: Page, parts: Sequence[Page]) -> list[Write]:
    """The writes that put ``parts`` in the place of a page, the first at the page's own start."""
    return [Write(page, parts[0]), *(Write(None, part) for part in parts[1:])]


def reserving(
    pages: Sequence[Page], sweep: Page, *, revision: str, instead_of: Page | None = None
) -> list[Write]:
    """The writes that create a sweep and reserve its pages, which stay what they are."""
    return [
        Write(instead_of, sweep),
        *(Write(p, replace(p, reserved_by=sweep.name, revision=revision)) for p in pages),
    ]


def sweep_of(pages: Sequence[Page], *, revision: str) -> Page:
    """The sweep of neighbouring pages. Its generation is beyond all of theirs, and so is the
    generation of the page that it will become: no lake key serves both it and one of them.
    """
    return Page(
        kind=Kind.SWEEP,
        window=Window(pages[0].window.start, pages[-1].window.end),
        generation=1 + max(page.generation for page in pages),
        epoch=pages[0].epoch,
        revision=revision,
    )
