"""What the core asks of the world. Every method may raise ``TransientError``."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Protocol

from cpd_exporter.model.entries import Entry, FaultyEntry, Listing
from cpd_exporter.model.events import Event
from cpd_exporter.model.messages import Message
from cpd_exporter.model.summaries import Summaries
from cpd_exporter.model.timeline import (
    Ask,
    DeletionQuota,
    Kind,
    Page,
    Refusal,
    Request,
    Tick,
    Watermark,
    Write,
)
from cpd_exporter.model.windows import Window

type Clock = Callable[[], datetime]
"""The time now, in UTC."""

type NewToken = Callable[[], str]
"""A fresh random name: 16 hexadecimal digits."""


class EntriesApi(Protocol):
    """The API that is exported, for one tenant."""

    @property
    def calls(self) -> int:
        """How many requests were made so far."""

    def query(self, window: Window | None, *, page: int = 1, per_page: int = 1000) -> Listing:
        """One response: entries after the window's start and before its end, as the API sees it.

        Whether the bounds are inclusive, how rows are ordered, and whether the total is right, is
        not known. Without a window: of all entries. Raises ``MalformedResponseError``.
        """

    def entry(self, entry_id: str) -> Entry | FaultyEntry | None:
        """One entry by its ID; ``None`` where the API says that there is none."""

    def entries(self, entry_ids: Sequence[str]) -> dict[str, Entry | FaultyEntry | None]:
        """Several entries by ID, asked for at once as far as the API bears it."""

    def summaries(self, window: Window, *, page: int = 1, per_page: int = 1000) -> Summaries:
        """One response: the minutes of each user who logged any in a window; its bounds are as
        uncertain as those of ``query``. Raises ``MalformedResponseError``.
        """


class Timeline(Protocol):
    """One tenant's pages and watermark. Reads are consistent; writes happen whole or not at all."""

    @property
    def tenant_id(self) -> str:
        """Whose timeline it is."""

    def watermark(self) -> Watermark | None:
        """The watermark, or ``None`` before the first tick."""

    def begin(self, watermark: Watermark) -> Watermark:
        """Create the watermark if there is none; returns the one that stands."""

    def append(self, pages: Sequence[Page], *, after: datetime) -> bool:
        """Add up to 99 pages that tile on from ``after``, and move ``planned_through`` to their
        end, if it still is ``after``. ``False``: it was not, and nothing happened.
        """

    def prepend(self, pages: Sequence[Page], *, before: datetime) -> bool:
        """Add up to 99 pages, in order, that tile up to ``before``, and move ``origin`` to their
        start, if it still is ``before``.
        """

    def advance(self, *, before: datetime, through: datetime) -> bool:
        """Move ``exported_through``, if it still is ``before``."""

    def prove(self, at: datetime) -> None:
        """Note that the API's filter was proven to work."""

    def note_tick(self, tick: Tick) -> None:
        """Note the last run of the planner."""

    def retreat(self, *, before: datetime, through: datetime) -> bool:
        """Move ``exported_from`` into the past, if it still is ``before``."""

    def page(self, start: datetime, kind: Kind = Kind.PAGE) -> Page | None:
        """The page, or the sweep, that starts at ``start``."""

    def page_at(self, instant: datetime) -> Page | None:
        """The page whose window holds ``instant``."""

    def pages(self, start: datetime) -> Iterator[Page]:
        """All pages from the one that starts at ``start``, in order."""

    def pages_before(self, end: datetime) -> Iterator[Page]:
        """All pages that start before ``end``, the latest first."""

    def undone(self) -> Iterator[Page]:
        """All pages that are not done, in order."""

    def sweeps(self) -> Iterator[Page]:
        """All sweeps, in order."""

    def update(self, page: Page, changed: Page) -> bool:
        """Replace a page or sweep by a changed one of the same window and generation, with a new
        revision, if nobody wrote since: an own earlier write whose answer was lost counts as
        success. ``sent_at`` is left as it stands.
        """

    def commit(self, writes: Sequence[Write]) -> bool:
        """Do up to 100 conditional writes, all or none. ``False``: somebody wrote one of these
        items since. The first write leaves an item with a revision of its own, by which an own
        earlier success whose answer was lost is recognised.
        """

    def mark_sent(self, pages: Sequence[Page], at: datetime) -> None:
        """Note that these pages, any number, are in the queue. Not a write in the sense of
        ``update``: no revision changes, and a page that meanwhile was replaced is left alone.
        """

    def ask(self, ask: Ask) -> None:
        """Wish for a sweep; asking for the same instant and entry again renews the wish."""

    def asks(self, window: Window | None = None) -> Iterator[Ask]:
        """All wishes, in the order of their instants; with a window, those within it."""

    def forget(self, ask: Ask) -> None:
        """Drop a wish, unless it was renewed."""

    def request(self, request: Request) -> None:
        """Store an operator's request, unless there is one of that name."""

    def requests(self) -> Iterator[Request]:
        """All requests that are not done, by name."""

    def continue_request(self, request: Request, continued: Request | None) -> bool:
        """Store how far a request is (``None``: it is done), if nobody did since."""

    def mark_request_sent(self, request: Request, at: datetime) -> None:
        """Note that a request is in the queue; no revision changes."""

    def deletion_quota(self, day: str) -> DeletionQuota | None:
        """What was deleted on a day."""

    def update_deletion_quota(self, quota: DeletionQuota | None, changed: DeletionQuota) -> bool:
        """Store what was deleted on a day, if nobody did since ``quota`` was read."""

    def record_refusal(self, refusal: Refusal) -> None:
        """Record an event that the topic refused; recording it again changes nothing."""

    def refusals(self) -> Iterator[Refusal]:
        """All refused events."""


class Queue(Protocol):
    """The way to the workers: at least once, in any order, and sometimes not at all."""

    def send(self, work: Sequence[Message]) -> list[Message]:
        """Send any number of messages; returns those that are surely in the queue."""


class Lake(Protocol):
    """Write-once objects."""

    def put_new(self, key: str, body: bytes) -> bool:
        """Write an object, if there is none at ``key``; ``False``: there is one, perhaps written by
        this very call in an attempt whose answer was lost.
        """

    def read(self, key: str) -> bytes | None:
        """The object's bytes, or ``None`` where there is none."""

    def uri(self, key: str) -> str:
        """Where subscribers find the object: ``s3://bucket/key``."""


class Topic(Protocol):
    """The subscribers."""

    def publish(self, events: Sequence[Event]) -> dict[str, str]:
        """Publish any number of events; all are accepted when it returns, but those that the topic
        refuses for good: their IDs, each with the reason.
        """


class Mailbox(Protocol):
    """The queues of single subscribers."""

    def deliver(self, queue_arn: str, events: Sequence[Event]) -> dict[str, str]:
        """Send any number of events to one queue, each as the topic delivers it to a subscriber
        without an envelope: its body is the event, its attributes are those of the message.

        All are in the queue when it returns, but those that the topic would not take either: their
        IDs, each with the reason. Raises ``PermanentError`` where the queue cannot be sent to.
        """
