"""A piece of work in a worker's hands: claimed, moved on by conditional writes, and its outcome."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from cpd_exporter.errors import ExporterError, FilterError, PermanentError, TransientError
from cpd_exporter.model.instants import SECOND
from cpd_exporter.model.rows import Change
from cpd_exporter.model.timeline import Page, Request, lake_key
from cpd_exporter.model.windows import Window
from cpd_exporter.ports import Clock, EntriesApi, Lake, Mailbox, NewToken, Queue, Timeline, Topic
from cpd_exporter.reading import Overflow, count, count_part, prove_filter

MOST_PARTS = 16
"""A split is into at most so many parts: an absurd total must not shatter a window."""


class Outcome(StrEnum):
    """How a message ended. All of these are successes: the message is not needed any more."""

    DONE = "done"
    SPLIT = "split"
    HOLE = "hole"
    GONE = "gone"
    HELD = "held"
    PAUSED = "paused"
    GIVEN_UP = "given up"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class WorkReport:
    """What became of one message, for logs and metrics.

    ``told`` counts rows by the change that they are. ``known`` is how many entries a sweep compared
    with what the API lists, and ``held`` how many deletions it did not tell unasked. ``replayed``
    counts events; ``differences`` are what a verification's report tells.
    """

    outcome: Outcome
    told: Mapping[Change, int] = field(default_factory=dict)
    quarantined: int = 0
    known: int = 0
    held: int = 0
    error: ExporterError | None = None
    replayed: int = 0
    differences: int | None = None
    report: str | None = None


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard a worker tries: the claims of a page before it is a hole, and how long one lasts.

    ``fill`` is the share of a response that the parts of a split are meant to fill. An entry is
    told as deleted once it was missing for ``deletion_delay``, and of one day's deletions at most
    ``most_deletions`` without the operator's word. ``volatile`` members of an entry do not make a
    new version of it.
    """

    slack: timedelta
    lease: timedelta
    attempts: int = 5
    fill: float = 0.8
    deletion_delay: timedelta = timedelta(hours=1)
    most_deletions: int = 500
    volatile: frozenset[str] = frozenset()

    @property
    def finest(self) -> timedelta:
        """Windows much narrower than the slack would only read the same entries again."""
        return max(SECOND, self.slack)

    def parts(self, overflow: Overflow) -> int:
        """Into how many windows to cut one that outgrew a response, so that each fits one."""
        per_part = max(1, int(overflow.per_page * self.fill))
        return max(2, min(-(-overflow.total // per_part), MOST_PARTS))

    def may_split(self, page: Page) -> bool:
        """Whether the page's window is wide enough for two."""
        return page.window.length >= 2 * self.finest


class SupersededError(Exception):
    """Another worker has this piece of work now: there is nothing left to do here."""


@dataclass(frozen=True, slots=True)
class Tools:
    """All that a worker talks to, for one tenant."""

    api: EntriesApi
    timeline: Timeline
    lake: Lake
    topic: Topic
    queue: Queue
    clock: Clock
    new_token: NewToken
    effort: Effort
    mailbox: Mailbox


@dataclass(slots=True)
class Claim:
    """A page in this worker's hands, as it last wrote it."""

    page: Page
    tools: Tools

    @property
    def key(self) -> str:
        """The one lake key that this page's rows may be written to."""
        return lake_key(self.tools.timeline.tenant_id, self.page)

    def suspects(self, error: PermanentError) -> int:
        """How many entries may be what spoils this page, up to ``MOST_PARTS``. None where the API
        fails as a whole: a window of which no part can be counted is not split, nor one that a
        broken filter answers, lest an outage shatters the timeline.
        """
        try:
            if isinstance(error, FilterError) and not self._filter_works():
                return 0
            return min(self._count(), MOST_PARTS)
        except TransientError:
            return 0

    def _filter_works(self) -> bool:
        try:
            return prove_filter(self.tools.api, self.tools.effort.slack, until=self.tools.clock())
        except PermanentError:
            return False

    def _count(self) -> int:
        asked = self.tools.api, self.page.window, self.tools.effort.slack
        try:
            return count(*asked).total
        except PermanentError:
            return MOST_PARTS if count_part(*asked) else 0

    def move(self, **changes: Any) -> None:
        """Write the page's next state, if nobody else wrote since this worker did.

        Raises ``SupersededError`` if somebody did.
        """
        changed = replace(
            self.page, **changes, revision=self.tools.new_token(), updated_at=self.tools.clock()
        )
        if not self.tools.timeline.update(self.page, changed):
            raise SupersededError
        self.page = changed


@dataclass(slots=True)
class RequestClaim:
    """A replay or a verification in this worker's hands, as it last wrote it."""

    request: Request
    tools: Tools

    def move(self, **changes: Any) -> None:
        """Write how far the request is, if nobody else did. Raises ``SupersededError``."""
        changed = replace(self.request, **changes, revision=self.tools.new_token())
        if not self.tools.timeline.continue_request(self.request, changed):
            raise SupersededError
        self.request = changed

    def progress(self, cursor: datetime) -> None:
        """Go on from ``cursor``, whatever becomes of this worker; attempts are counted anew."""
        self.move(cursor=cursor, attempts=0, error=None)

    def pause(self) -> None:
        """Leave the rest to the next message. A lease that ends now, later than the message was
        sent, makes the request due at the next tick.
        """
        now = self.tools.clock()
        self.move(lease_until=max(now, self.request.sent_at or now))

    def end(self) -> None:
        """The request is done, or given up. Raises ``SupersededError``."""
        if not self.tools.timeline.continue_request(self.request, None):
            raise SupersededError

    def page_from(self, instant: datetime) -> Page | None:
        """The page that covers ``instant``, or the timeline's first after it, as far as the
        request goes. One at a time: neighbours may be merged between two looks.
        """
        if instant >= self.request.end:
            return None
        timeline = self.tools.timeline
        page = timeline.page_at(instant)
        stands = timeline.watermark() if page is None else None
        if stands is not None and instant < stands.origin:
            page = timeline.page_at(stands.origin)
        return page if page is not None and page.window.start < self.request.end else None

    def share_of(self, page: Page, since: datetime) -> Window:
        """What of a page's window the request is about, but for what lies before ``since``."""
        return Window(max(page.window.start, since), min(page.window.end, self.request.end))
