"""The simulated service: its calls, its faults, and what it remembers of both. No HTTP here."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from random import Random
from threading import RLock
from typing import Any

import simplejson

from simulator.access import NOT_STORED, Access, Credentials
from simulator.behaviour import Behaviour, Change, Endpoint, Fault
from simulator.listing import Listing, Query, date_range, page_of
from simulator.refusal import HTML_PAGE, Refused
from simulator.seeding import EntryWriter
from simulator.source import EPOCH, EntryStore, StoredEntry, rfc3339, to_ms
from simulator.summing import SummaryListing, SummaryQuery, summary_of

_MESSAGES = {
    401: "Unauthorized",
    403: "The access token lacks the scope api/read",
    429: "Too many requests: wait and retry using a backoff strategy",
    500: "Something went wrong: retry later",
}


@dataclass(frozen=True, slots=True)
class Call:
    """One request as it was answered. `query` holds a listing's parameters, `entries` its rows."""

    endpoint: Endpoint
    status: int
    query: Mapping[str, str] = field(default_factory=dict)
    entries: int = 0
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """What HTTP brings; header names in lower case."""

    endpoint: Endpoint
    headers: Mapping[str, str]
    query: Mapping[str, str] = field(default_factory=dict)
    log_entry_id: str = ""
    tenant_id: str = ""
    body: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What HTTP takes back: `cut_off` in mid-body, and not before `delay` seconds."""

    status: int
    headers: Mapping[str, str]
    content: bytes
    cut_off: bool = False
    delay: float = 0.0


def _ignore(call: Call) -> None:
    """What is done after a call, unless a test has something in mind."""


def utc_now() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)


class Simulator:
    """The service with one tenant. Safe to call from several threads at once.

    In a test without HTTP, call `list_entries` and `get_entry`: faults that refuse raise `Refused`,
    those that only HTTP can show (a cut-off body, HTML, slowness) do not strike. `store`,
    `behaviour` and `credentials` may be changed at any time; a new behaviour starts counting anew.
    `after_call` runs after each call was answered and before the caller sees it.
    """

    def __init__(
        self,
        store: EntryStore,
        behaviour: Behaviour | None = None,
        *,
        credentials: Credentials | None = None,
        clock: Callable[[], datetime] = utc_now,
        seed: int = 1,
        after_call: Callable[[Call], None] = _ignore,
    ) -> None:
        self.store = store
        self.after_call = after_call
        self._clock = clock
        self._seed = seed
        # One generator each, so that one kind of chance does not shift another's.
        self._chance = Random(f"chance {seed}")  # noqa: S311 - reproducible by intent
        self._choice = Random(f"choice {seed}")  # noqa: S311 - as above
        self._writer = EntryWriter(Random(f"writer {seed}"))  # noqa: S311 - as above
        self._access = Access(credentials or Credentials(), Random(f"tokens {seed}"))  # noqa: S311
        self._calls: list[Call] = []
        self._lock = RLock()
        self.behaviour = behaviour or Behaviour()

    # ── switches and memory ──────────────────────────────────────────────────────────────────

    @property
    def behaviour(self) -> Behaviour:
        return self._behaviour

    @behaviour.setter
    def behaviour(self, behaviour: Behaviour) -> None:
        with self._lock:
            self._behaviour = behaviour
            self._requests: Counter[str] = Counter()
            self._struck: Counter[int] = Counter()

    def behave(self, **switches: Any) -> None:
        """Change some switches and leave the others."""
        self.behaviour = Behaviour(**(dict(self.behaviour) | switches))

    @property
    def credentials(self) -> Credentials:
        return self._access.credentials

    @credentials.setter
    def credentials(self, credentials: Credentials) -> None:
        with self._lock:
            self._access.credentials = credentials

    def revoke_tokens(self) -> None:
        """Every token given out so far answers 401 from now on."""
        with self._lock:
            self._access.revoke_tokens()

    def now(self) -> datetime:
        """The service's own clock."""
        return self._clock() + timedelta(seconds=self.behaviour.clock_skew_seconds)

    @property
    def calls(self) -> tuple[Call, ...]:
        """All calls so far, in order."""
        with self._lock:
            return tuple(self._calls)

    def count(self, endpoint: Endpoint | None = None, status: int | None = None) -> int:
        """How many calls there were, of one endpoint or status if given."""
        return sum(
            endpoint in (None, call.endpoint) and status in (None, call.status)
            for call in self.calls
        )

    def forget_calls(self) -> None:
        """Start counting calls anew."""
        with self._lock:
            self._calls.clear()

    def insert(self, at: datetime, **fields: Any) -> StoredEntry:
        """Add a made-up entry of this date; `fields` replace what would be made up."""
        with self._lock:
            return self.store.add(self._writer.write(to_ms(at), **fields))

    # ── the calls, without HTTP ──────────────────────────────────────────────────────────────

    def list_entries(self, query: Query) -> Listing:
        """`GET /cpdEntries`."""
        with self._answering("listing", query.parameters) as call:
            self._refuse(call.due)
            listing = self._list(query, call.due)
            call.entries = len(listing.entries)
        return listing

    def get_entry(self, log_entry_id: str) -> StoredEntry:
        """`GET /cpdEntries/{logEntryId}`."""
        with self._answering("entry", {"logEntryId": log_entry_id}) as call:
            self._refuse(call.due)
            return self._get(log_entry_id)

    def summarise(self, query: SummaryQuery) -> SummaryListing:
        """`GET /cpdUserLogSummaries`."""
        with self._answering("summaries", query.asked.parameters) as call:
            self._refuse(call.due)
            return self._sum_up(query, call.due)

    # ── the calls, as HTTP brings them ───────────────────────────────────────────────────────

    def answer(self, request: Request) -> Answer:
        """Answer one request, faults included. Never raises for what a client may send."""
        due: Sequence[Fault] = ()
        try:
            with self._answering(request.endpoint, request.query) as call:
                due = call.due
                self._refuse(due)
                headers: dict[str, str] = {}
                if request.endpoint == "token":
                    content = self._token(request)
                    headers |= NOT_STORED
                else:
                    self._access.authorise(request.headers.get("authorization"), self.now())
                    if request.endpoint == "listing":
                        listing = self._list(Query.parse(request.query), due)
                        call.entries = len(listing.entries)
                        content = listing.content
                    elif request.endpoint == "summaries":
                        query = SummaryQuery.parse(request.query)
                        content = self._sum_up(query, due).content
                    else:
                        content = self._get(request.log_entry_id).text
            answer = _spoilt(self._answer(200, content, headers), due)
        except Refused as refused:
            headers = refused.headers | {"Content-Type": refused.media_type}
            answer = self._answer(refused.status, refused.content, headers)
        return replace(answer, delay=sum(fault.seconds for fault in due if fault.kind == "slow"))

    def not_found(self, message: str) -> Answer:
        """What a path gets that is not part of the API."""
        return self._answer(404, Refused(404, message).content, {})

    def _answer(self, status: int, content: str, headers: Mapping[str, str]) -> Answer:
        common = {
            "Date": format_datetime(self.now().astimezone(UTC), usegmt=True),
            "Content-Type": "application/json",
        }
        return Answer(status, common | dict(headers), content.encode())

    # ── what they share ──────────────────────────────────────────────────────────────────────

    @contextmanager
    def _answering(self, endpoint: Endpoint, query: Mapping[str, str]) -> Iterator["_Answering"]:
        """Around every call: which faults are due, and afterwards record, changes and hook.

        Calls are answered one after the other, so that a seed decides everything; the hook runs
        outside the lock, so that it may call the API itself.
        """
        status = 200
        try:
            with self._lock:
                answering = _Answering(tuple(self._due(endpoint)))
                try:
                    yield answering
                except Refused as refused:
                    status = refused.status
                    raise
                finally:
                    faults = tuple(fault.kind for fault in answering.due)
                    call = Call(endpoint, status, dict(query), answering.entries, faults)
                    self._calls.append(call)
        finally:
            self.after_call(call)

    def _due(self, endpoint: Endpoint) -> Iterator[Fault]:
        self._requests[endpoint] += 1
        self._requests["any"] += 1
        for index, fault in enumerate(self.behaviour.faults):
            spent = fault.times is not None and self._struck[index] >= fault.times
            if fault.on not in ("any", endpoint) or spent:
                continue
            if (
                fault.is_turn(self._requests[fault.on])
                and self._chance.random() < fault.probability
            ):
                self._struck[index] += 1
                yield fault

    def _refuse(self, due: Sequence[Fault]) -> None:
        for fault in due:
            if fault.kind == "status":
                raise Refused(
                    fault.status,
                    _MESSAGES.get(fault.status, "Simulated fault"),
                    headers=self._fault_headers(fault),
                    html=fault.html,
                )

    def _fault_headers(self, fault: Fault) -> dict[str, str]:
        headers = {}
        if fault.retry_after is not None:
            until = self.now().astimezone(UTC) + timedelta(seconds=fault.retry_after)
            as_date = fault.retry_after_as_date
            date = format_datetime(until, usegmt=True)
            headers["Retry-After"] = date if as_date else str(fault.retry_after)
        if fault.location is not None:
            headers["Location"] = fault.location
        return headers

    def _token(self, request: Request) -> str:
        tenant_id, headers, body = request.tenant_id, request.headers, request.body
        granted = self._access.grant(tenant_id, headers, body, self.behaviour, self.now())
        return simplejson.dumps(granted)

    def _get(self, log_entry_id: str) -> StoredEntry:
        entry = self.store.get(log_entry_id)
        if entry is None:
            raise Refused(404, "CPD entry not found")
        return entry

    def _list(self, query: Query, due: Sequence[Fault]) -> Listing:
        kinds = {fault.kind for fault in due}
        asked = date_range(query, self.behaviour)
        found: list[StoredEntry] = []
        if "nothing" not in kinds:
            found = self.store.between(*((None, None) if "ignore-filter" in kinds else asked))
        listing = page_of(found, query, self.behaviour, self._salt(query))
        if kinds & {"repeat", "repeat-edited"}:
            listing = _repeating(listing, edited="repeat-edited" in kinds)
        self._change(*asked)
        return listing

    def _sum_up(self, query: SummaryQuery, due: Sequence[Fault]) -> SummaryListing:
        found: list[StoredEntry] = []
        if "nothing" not in {fault.kind for fault in due}:
            found = self.store.between(*date_range(query.asked, self.behaviour))
        return summary_of(found, query, self.behaviour, self._salt(query.asked, "summaries"))

    def _salt(self, query: Query, endpoint: Endpoint = "listing") -> tuple[int, ...]:
        match self.behaviour.shuffle_by:
            case "per-page":
                return self._seed, query.per_page
            case "page":
                return self._seed, query.page, query.per_page
            case _:
                return self._seed, -1, self._requests[endpoint]

    def _change(self, first_ms: int | None, end_ms: int | None) -> None:
        for index, change in enumerate(self.behaviour.changes):
            turn = change.is_turn(self._requests["listing"])
            # Changes count in the same ledger as faults, below zero.
            if turn and (change.times is None or self._struck[~index] < change.times):
                self._struck[~index] += 1
                for _ in range(change.count):
                    self._change_once(change, first_ms, end_ms)

    def _change_once(self, change: Change, first_ms: int | None, end_ms: int | None) -> None:
        if change.kind == "insert":
            self.insert(self.now())
            return
        everything = self.store.between(None, None)
        if change.kind == "back-date":
            known = (everything[0].at_ms, everything[-1].at_ms) if everything else (0, 1)
            low = known[0] if first_ms is None else first_ms
            high = max(low + 1, known[1] if end_ms is None else end_ms)
            at_ms = self._choice.randrange(low, high)
            self.store.add(self._writer.write(at_ms))
            return
        targets = [entry for entry in self.store.between(first_ms, end_ms) if entry.is_object]
        if not targets:
            return
        target = self._choice.choice(targets).log_entry_id
        if change.kind == "edit":
            self.store.edit(target, description=f"Edited at {rfc3339(to_ms(self.now()))}")
        elif change.kind == "delete":
            self.store.delete(target)
        else:
            to = self._choice.randint(everything[0].at_ms, everything[-1].at_ms)
            self.store.move(target, EPOCH + timedelta(milliseconds=to))


@dataclass(slots=True)
class _Answering:
    due: tuple[Fault, ...]
    entries: int = 0


def _repeating(listing: Listing, *, edited: bool) -> Listing:
    """One entry a second time; the last one makes room if the page is full."""
    once = next((entry for entry in listing.entries if entry.is_object), None)
    if once is None:
        return listing
    again = once.edited(description="Edited in mid-answer") if edited else once
    return replace(listing, entries=(again, *listing.entries)[: listing.per_page])


def _spoilt(answer: Answer, due: Sequence[Fault]) -> Answer:
    for fault in due:
        match fault.kind:
            case "html":
                page = HTML_PAGE.format("We will be back soon").encode()
                headers = dict(answer.headers) | {"Content-Type": "text/html"}
                answer = replace(answer, headers=headers, content=page)
            case "raw":
                answer = replace(answer, content=fault.body.encode())
            case "truncated":
                answer = replace(answer, content=answer.content[: len(answer.content) // 2])
            case "cut-off":
                answer = replace(answer, cut_off=True)
    return answer
