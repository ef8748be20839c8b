"""The worker: one page out of the API, into the lake, and told to the subscribers.

    open ──nothing to write──▶ done
    open ──overflow──▶ replaced by its parts
    open ──▶ writing ──▶ stored ──▶ done

Each arrow is one conditional write. A worker that was asleep while another took over loses the
write, or finds the other's object at the page's key and goes on from that: it cannot leave rows
that nobody knows.
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Any

from cpd_exporter.errors import (
    ConfigurationError,
    FilterError,
    MalformedInputError,
    PermanentError,
    TransientError,
)
from cpd_exporter.model.events import announce, refer
from cpd_exporter.model.instants import SECOND
from cpd_exporter.model.messages import Work
from cpd_exporter.model.rows import created, decode, encode, quarantine
from cpd_exporter.model.timeline import Page, Refusal, State, lake_key, split
from cpd_exporter.ports import Clock, EntriesApi, Lake, NewToken, Queue, Timeline, Topic
from cpd_exporter.reading import Overflow, Reading, count, read_window
from cpd_exporter.sending import send

MOST_PARTS = 16
"""A split is into at most so many parts: an absurd total must not shatter a window."""

MOST_HOPS = 4
"""Splits of splits send themselves only so often: Lambda stops a function that feeds its own queue
in a chain of some sixteen messages. What is deeper, the planner's next tick sends."""


class Outcome(StrEnum):
    """How a message ended. All of these are successes: the message is not needed any more."""

    DONE = "done"
    SPLIT = "split"
    HOLE = "hole"
    GONE = "gone"
    HELD = "held"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class WorkReport:
    """What became of one message, for logs and metrics."""

    outcome: Outcome
    entries: int = 0
    quarantined: int = 0
    error: PermanentError | None = None


@dataclass(frozen=True, slots=True)
class Effort:
    """How hard a worker tries: the claims of a page before it is a hole, and how long one lasts."""

    slack: timedelta
    lease: timedelta
    attempts: int = 5
    fill: float = 0.8


class _SupersededError(Exception):
    """Another worker has this page now: there is nothing left to do here."""


@dataclass(slots=True)
class _Claim:
    """A page in this worker's hands, as it last wrote it."""

    page: Page
    timeline: Timeline
    clock: Clock
    new_token: NewToken

    @property
    def key(self) -> str:
        return lake_key(self.timeline.tenant_id, self.page)

    def move(self, **changes: Any) -> None:
        """Write the page's next state, if nobody else wrote since this worker did."""
        changed = replace(self.page, **changes, revision=self.new_token(), updated_at=self.clock())
        if not self.timeline.update(self.page, changed):
            raise _SupersededError
        self.page = changed


@dataclass(frozen=True, slots=True)
class Worker:
    """The worker of one tenant, with all that it talks to."""

    api: EntriesApi
    timeline: Timeline
    lake: Lake
    topic: Topic
    queue: Queue
    clock: Clock
    new_token: NewToken
    effort: Effort

    def work(self, work: Work) -> WorkReport:
        """Do one piece of work, as far as it is not done.

        Raises ``TransientError`` and ``ConfigurationError`` (the same message is to come again,
        and the attempt does not count), ``PermanentError`` (to come again, and it counts) and
        ``MalformedInputError`` (never to come again).
        """
        if work.tenant_id != self.timeline.tenant_id:
            raise MalformedInputError(
                f"the message is for tenant {work.tenant_id}, but this stack exports "
                f"{self.timeline.tenant_id}: was the secret changed, or the queue shared?"
            )
        page = self.timeline.page(work.start)
        if page is None or not work.names(page) or page.state is State.DONE:
            return WorkReport(Outcome.GONE)
        if page.lease_until is not None and page.lease_until > self.clock():
            return WorkReport(Outcome.HELD)
        try:
            return self._export(self._claim(page), work.hop)
        except _SupersededError:
            return WorkReport(Outcome.SUPERSEDED)

    def _claim(self, page: Page) -> _Claim:
        """Take the page. The attempt counts from here, so that one which kills its worker counts
        too; after the last one the page is a hole, and is tried on all the same.
        """
        claim = _Claim(page, self.timeline, self.clock, self.new_token)
        now = self.clock()
        changes: dict[str, Any] = {}
        if page.attempts >= self.effort.attempts and page.hole_since is None:
            silent = f"{page.attempts} workers ended without a word: out of time or of memory?"
            changes = {"hole_since": now, "error": page.error or silent}
        claim.move(attempts=page.attempts + 1, lease_until=now + self.effort.lease, **changes)
        return claim

    def _export(self, claim: _Claim, hop: int) -> WorkReport:
        try:
            if claim.page.state is State.STORED:
                return self._announce(claim, self._stored(claim))
            return self._fetch(claim, hop)
        except (TransientError, ConfigurationError) as error:
            claim.move(attempts=claim.page.attempts - 1, lease_until=None, error=str(error))
            raise
        except PermanentError as error:
            return self._fail(claim, error, hop)

    def _fetch(self, claim: _Claim, hop: int) -> WorkReport:
        writing = claim.page.state is State.WRITING
        if writing and (stored := self.lake.read(claim.key)) is not None:
            return self._store(claim, stored)
        reading = read_window(
            self.api,
            claim.page.window,
            self.effort.slack,
            may_split=not writing and self._splittable(claim.page),
        )
        if isinstance(reading, Overflow):
            per_part = max(1, int(reading.per_page * self.effort.fill))
            return self._split(claim.page, -(-reading.total // per_part), hop)
        for faulty in reading.faulty:
            self.lake.put_new(*quarantine(self.timeline.tenant_id, faulty))
        if not writing:
            if not reading.entries:
                return self._finish(claim, quarantined=len(reading.faulty))
            claim.move(state=State.WRITING, quarantined=len(reading.faulty))
        body = self._encode(reading)
        return self._store(
            claim, body if self.lake.put_new(claim.key, body) else self._stored(claim)
        )

    def _encode(self, reading: Reading) -> bytes:
        tenant_id, exported_at = self.timeline.tenant_id, self.clock()
        return encode(
            created(entry, tenant_id=tenant_id, exported_at=exported_at)
            for entry in reading.entries
        )

    def _store(self, claim: _Claim, stored: bytes) -> WorkReport:
        """Go on from the bytes that are at the page's key, whoever wrote them."""
        claim.move(state=State.STORED, object=claim.key)
        return self._announce(claim, stored)

    def _announce(self, claim: _Claim, stored: bytes) -> WorkReport:
        """Tell every row as it is stored; what the topic refuses goes out as a reference."""
        key, uri = claim.key, self.lake.uri(claim.key)
        try:
            rows = {row.entry_id: row for row in decode(stored)}
        except ValueError as error:
            raise PermanentError(
                f"the lake's object {key} is damaged ({error}): restore it"
            ) from error
        events = {e.id: e for e in (announce(row, key=key, uri=uri) for row in rows.values())}
        if refused := self.topic.publish(list(events.values())):
            references = [refer(rows[events[id_].entry_id], key=key, uri=uri) for id_ in refused]
            for id_, reason in self.topic.publish(references).items():
                self.timeline.record_refusal(
                    Refusal(claim.page.window, events[id_].entry_id, reason, self.clock())
                )
        return self._finish(claim, entries=len(rows))

    def _finish(self, claim: _Claim, **counts: int) -> WorkReport:
        claim.move(state=State.DONE, hole_since=None, error=None, lease_until=None, **counts)
        return WorkReport(Outcome.DONE, claim.page.entries, claim.page.quarantined)

    def _split(self, page: Page, parts: int, hop: int, *, attempts: int = 0) -> WorkReport:
        replacements = split(
            page,
            max(2, min(parts, MOST_PARTS)),
            floor=self._finest,
            revision=self.new_token(),
            attempts=attempts,
        )
        if not self.timeline.split(page, replacements):
            raise _SupersededError
        if hop < MOST_HOPS:
            send(
                replacements,
                timeline=self.timeline,
                queue=self.queue,
                clock=self.clock,
                hop=hop + 1,
            )
        return WorkReport(Outcome.SPLIT)

    def _fail(self, claim: _Claim, error: PermanentError, hop: int) -> WorkReport:
        """Count the failure; after the last one, split down to what is poisoned, or leave a hole.

        The planner tries holes again, with back-off, so the message has served.
        """
        page = claim.page
        if page.attempts < self.effort.attempts:
            claim.move(lease_until=None, error=str(error))
            raise error
        if page.state is State.OPEN and self._splittable(page):
            suspects = self._suspects(page, error)
            if suspects > 1:
                return self._split(page, suspects, hop, attempts=self.effort.attempts - 1)
        claim.move(lease_until=None, error=str(error), hole_since=page.hole_since or self.clock())
        return WorkReport(Outcome.HOLE, error=error)

    def _suspects(self, page: Page, error: PermanentError) -> int:
        """How many entries may be what spoils this page. None, where the API as a whole fails: a
        window that cannot even be counted is not split, lest an outage shatters the timeline.
        """
        if isinstance(error, FilterError):
            return 0
        try:
            return count(self.api, page.window, self.effort.slack).total
        except (PermanentError, TransientError):
            return 0

    @property
    def _finest(self) -> timedelta:
        """Windows much narrower than the slack would only read the same entries again."""
        return max(SECOND, self.effort.slack)

    def _splittable(self, page: Page) -> bool:
        return page.window.length >= 2 * self._finest

    def _stored(self, claim: _Claim) -> bytes:
        stored = self.lake.read(claim.key)
        if stored is None:
            raise PermanentError(
                f"the lake has no object {claim.key}, which the timeline says is there: was it "
                "deleted? Restore it; nothing else can be announced in its place"
            )
        return stored
