"""The ports of the core. Every method may raise ``TransientError``."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Protocol

from cpd_exporter.errors import LookUpError
from cpd_exporter.model.breaker import Breaker, BreakerChange
from cpd_exporter.model.entry import Found, Listing
from cpd_exporter.model.event import Event
from cpd_exporter.model.garbage import IndexGarbage
from cpd_exporter.model.job import EndedJob, Job
from cpd_exporter.model.message import Message, QueueDepth
from cpd_exporter.model.minutes import Summaries
from cpd_exporter.model.page import ConditionalWrite, Page, PageFlag, WorkKind
from cpd_exporter.model.refusal import Refusal
from cpd_exporter.model.sweep_request import SweepRequest
from cpd_exporter.model.watermark import Watermark
from cpd_exporter.model.window import Window

type Clock = Callable[[], datetime]
"""The time now, in UTC."""

type NewToken = Callable[[], str]
"""A fresh random name: 16 hexadecimal digits."""

type HasTimeLeft = Callable[[], bool]
"""Whether the function that runs has time to begin with more work."""


class EntriesApi(Protocol):
    """The API that is exported, for one tenant."""

    @property
    def calls(self) -> int:
        """The number of requests so far."""

    @property
    def notice(self) -> str | None:
        """What the last listing said of the API's own end, if it did."""

    @property
    def may_ask(self) -> bool:
        """Whether the caller's share of time and of calls has room for another request."""

    def query(self, window: Window | None, *, page: int = 1, per_page: int = 1000) -> Listing:
        """One response: the entries after the window's start and before its end.

        Bounds, order and total are uncertain. Without a window: of all entries. A bound that the
        clock of the filter's time zone shows twice is widened to both readings: see ``span``.
        Raises ``MalformedResponseError``, and ``OversizedResponseError`` for too many bytes.
        """

    def entry(self, entry_id: str) -> Found:
        """One entry by its ID; ``None`` where the API answers that there is none."""

    def entries(self, entry_ids: Sequence[str]) -> dict[str, Found | LookUpError]:
        """Several entries by ID, or the API's errors, in parallel as far as the API bears it."""

    def summaries(self, window: Window, *, page: int = 1, per_page: int = 1000) -> Summaries:
        """One response: the minutes of each user who logged any in a window.

        Its bounds are as uncertain as those of ``query``. Raises ``MalformedResponseError``, and
        ``AmbiguousBoundError`` for a bound in hours that the filter's clock shows twice.
        """


class PageStore(Protocol):
    """Reads one tenant's pages, sweeps and watermark. Every read is consistent."""

    @property
    def tenant_id(self) -> str:
        """The tenant whose timeline this is."""

    def watermark(self) -> Watermark | None:
        """The watermark, or ``None`` before the first tick."""

    def page(self, start: datetime, kind: WorkKind = WorkKind.PAGE) -> Page | None:
        """The page, or the sweep, that starts at ``start``."""

    def page_at(self, instant: datetime) -> Page | None:
        """The page whose window holds ``instant``."""

    def pages(self, start: datetime, end: datetime | None = None) -> Iterator[Page]:
        """All pages from the one that starts at ``start``, in order; with an end, those that start
        before it. Both are whole seconds.
        """

    def pages_before(self, end: datetime) -> Iterator[Page]:
        """All pages that start before ``end``, the latest first."""

    def undone(self, window: Window | None = None) -> Iterator[Page]:
        """All pages that are not done, in order; with a window, those that start within it."""

    def flagged(self, flag: PageFlag) -> Iterator[Page]:
        """All done pages with this flag, in order."""

    def sweeps(self) -> Iterator[Page]:
        """All sweeps, in order."""


class PlanStore(Protocol):
    """What the planner writes. Each call happens whole or not at all."""

    def begin(self, watermark: Watermark) -> Watermark:
        """Create the watermark if there is none; returns the stored one."""

    def append(self, pages: Sequence[Page], *, after: datetime) -> bool:
        """Add up to 99 pages that tile on from ``after``, and move ``planned_through`` to their
        end, if it still is ``after``. ``False``: it was not, and nothing happened.
        """

    def prepend(self, pages: Sequence[Page], *, before: datetime) -> bool:
        """Add up to 99 pages, in order, that tile up to ``before``, and move ``origin`` to their
        start, if it still is ``before``.
        """

    def update_watermark(self, before: Watermark, after: Watermark) -> bool:
        """Store the members in which ``after`` differs, if all of them still are as in ``before``,
        or are as in ``after`` already: an own earlier write whose answer was lost.
        """

    def mark_sent(self, pages: Sequence[Page], at: datetime) -> None:
        """Note that these pages are in the queue. No revision changes; a replaced page is left."""


class WorkStore(Protocol):
    """What moves pages and sweeps on. Each call happens whole or not at all."""

    def update(self, page: Page, changed: Page) -> bool:
        """Replace a page or sweep by a changed one of the same window and generation, with a new
        revision, if nobody wrote since. An own earlier write whose answer was lost counts as
        success. ``sent_at`` keeps its stored value.
        """

    def commit(
        self, writes: Sequence[ConditionalWrite], breaker: BreakerChange | None = None
    ) -> bool:
        """Do up to 100 conditional writes, the breaker's included, all or none.

        ``False``: somebody wrote one of these items since. The first write leaves an item with a
        revision of its own, by which an own earlier success whose answer was lost is recognised.
        """


class BreakerStore(Protocol):
    """The tenant's one breaker."""

    def breaker(self) -> Breaker | None:
        """The breaker, or ``None`` before the first deletion."""

    def update_breaker(self, change: BreakerChange) -> bool:
        """Store the breaker, if nobody did since. An own earlier write whose answer was lost counts
        as success.
        """


class GarbageStore(Protocol):
    """Index objects that may have no page."""

    def note_garbage(self, garbage: IndexGarbage) -> None:
        """Store a note, in the place of one of the same name and instant."""

    def garbage(self, until: datetime) -> Iterator[IndexGarbage]:
        """The notes from before ``until``, the oldest first."""

    def drop_garbage(self, garbage: IndexGarbage) -> None:
        """Drop a note."""


class SweepRequestStore(Protocol):
    """Requests that single pages be swept."""

    def request_sweep(self, request: SweepRequest) -> None:
        """Store a request; one for the same instant is renewed."""

    def sweep_requests(self, window: Window | None = None) -> Iterator[SweepRequest]:
        """All requests, in the order of their instants; with a window, those within it."""

    def drop_sweep_request(self, request: SweepRequest) -> None:
        """Drop a request, unless it was renewed."""


class JobStore(Protocol):
    """Work over ranges of time that is not done, given by an operator or by the planner."""

    def add_job(self, job: Job) -> None:
        """Store a job, unless there is one of that name."""

    def jobs(self) -> Iterator[Job]:
        """All jobs that are not done, by name."""

    def update_job(self, job: Job, changed: Job) -> bool:
        """Store how far a job is, if nobody did since."""

    def end_job(self, job: Job, ended: EndedJob) -> bool:
        """Remove a job and keep its end, if nobody wrote it since. The last ten ends stay."""

    def ended_jobs(self) -> Iterator[EndedJob]:
        """The last ended jobs, the latest first."""

    def mark_job_sent(self, job: Job, at: datetime) -> None:
        """Note that a job is in the queue; no revision changes."""


class RefusalStore(Protocol):
    """Events that the topic refused for good."""

    def record_refusal(self, refusal: Refusal) -> None:
        """Record a refused event of one object; recording it again changes nothing."""

    def refusals(self) -> Iterator[Refusal]:
        """All refused events."""

    def update_refusal(self, refusal: Refusal, changed: Refusal | None) -> None:
        """Store that an event was tried again (``None``: it was accepted), if it is recorded."""


class WorkerTimeline(
    PageStore,
    WorkStore,
    SweepRequestStore,
    JobStore,
    RefusalStore,
    BreakerStore,
    GarbageStore,
    Protocol,
):
    """The timeline as the worker uses it."""


class PlannerTimeline(WorkerTimeline, PlanStore, Protocol):
    """The timeline as the planner, its commands and ``status`` use it."""


class StatusTimeline(PageStore, JobStore, RefusalStore, BreakerStore, Protocol):
    """The timeline as ``status`` reads it."""


class Timeline(PlannerTimeline, Protocol):
    """One tenant's whole timeline: what an adapter implements."""


class Queue(Protocol):
    """The way to the workers: at least once, in any order, and sometimes not at all."""

    def send(self, work: Sequence[Message]) -> list[Message]:
        """Send any number of messages; returns those that are surely in the queue."""

    def depth(self) -> QueueDepth:
        """About how many messages the queue holds."""


class PlannerLake(Protocol):
    """The lake as the planner uses it."""

    def delete_index(self, key: str) -> None:
        """Delete the object under ``index/``, if there is one; raises ``ValueError`` for others."""

    def put_progress(self, body: bytes) -> None:
        """Write ``progress.json``, the only object that is ever replaced."""


class Lake(PlannerLake, Protocol):
    """Write-once objects."""

    def put_new(self, key: str, body: bytes) -> bool:
        """Write an object, if there is none at ``key``. ``False``: there is one, perhaps by this
        very call, in an attempt whose answer was lost.
        """

    def read(self, key: str) -> bytes | None:
        """The object's bytes, or ``None`` where there is none."""

    def entries_since(self, since: datetime) -> list[tuple[datetime, str]]:
        """Time, to the second, and key of each object written under ``entries/`` since then."""

    def uri(self, key: str) -> str:
        """Where subscribers find the object: ``s3://bucket/key``."""


class Topic(Protocol):
    """The subscribers."""

    def publish(self, events: Sequence[Event]) -> dict[str, str]:
        """Publish any number of events.

        Returns the IDs of events that it refuses for good, with the reasons; all others are in.
        """


class ReplayQueue(Protocol):
    """The queues of single subscribers."""

    def deliver(self, queue_arn: str, events: Sequence[Event]) -> dict[str, str]:
        """Send any number of events to one queue, as the topic delivers them without an envelope.

        Body and attributes are the event's. Returns the IDs of events that the topic would refuse
        too, with the reasons. Raises ``PermanentError`` where the queue cannot be sent to.
        """
