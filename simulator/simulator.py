"""The simulated service without HTTP: its calls, its faults, and a record of both."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from random import Random
from threading import RLock
from typing import Any

import simplejson

from simulator.access import NOT_STORED, AccessControl, Credentials
from simulator.behaviour import Behaviour, Endpoint, InjectedFault, ScheduledChange
from simulator.calls import ApiAnswer, ApiRequest, RecordedCall
from simulator.entry_writer import EntryWriter
from simulator.faults import refusal_of, repeat_entry, spoil
from simulator.minutes import MinutesPage, SummaryQuery, minutes_page_of
from simulator.offset_pages import EntriesPage, Query, date_range, offset_page_of
from simulator.refusal import Refused
from simulator.source import EPOCH, EntryStore, StoredEntry, rfc3339, to_ms


def _ignore(call: RecordedCall) -> None:
    """The hook after a call, unless a test sets another."""


def utc_now() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)


class Simulator:
    """The service with one tenant. Safe to call from several threads at once.

    Tests without HTTP call `list_entries` and `get_entry`. Faults that refuse raise `Refused`.
    Faults of HTTP itself (a cut-off body, HTML, slowness) have no effect there. Tests may change
    `store`, `behaviour` and `credentials` at any time; a new behaviour starts counting anew.
    `after_call` runs after each answer, before the caller receives it.
    """

    def __init__(
        self,
        store: EntryStore,
        behaviour: Behaviour | None = None,
        *,
        credentials: Credentials | None = None,
        clock: Callable[[], datetime] = utc_now,
        seed: int = 1,
        after_call: Callable[[RecordedCall], None] = _ignore,
    ) -> None:
        self.store = store
        self.after_call = after_call
        self._clock = clock
        self._seed = seed
        # Separate generators, so that one kind of chance does not shift another.
        self._chance = Random(f"chance {seed}")  # noqa: S311 - reproducible by intent
        self._choice = Random(f"choice {seed}")  # noqa: S311 - as above
        self._writer = EntryWriter(Random(f"writer {seed}"))  # noqa: S311 - as above
        self._access = AccessControl(credentials or Credentials(), Random(f"tokens {seed}"))  # noqa: S311
        self._calls: list[RecordedCall] = []
        self._lock = RLock()
        self.behaviour = behaviour or Behaviour()

    # ── switches and record ──────────────────────────────────────────────────────────────────

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
        """From now on, every token granted so far gets status 401."""
        with self._lock:
            self._access.revoke_tokens()

    def now(self) -> datetime:
        """The service's own clock."""
        return self._clock() + timedelta(seconds=self.behaviour.clock_skew_seconds)

    @property
    def calls(self) -> tuple[RecordedCall, ...]:
        """All calls so far, in order."""
        with self._lock:
            return tuple(self._calls)

    def count(self, endpoint: Endpoint | None = None, status: int | None = None) -> int:
        """Count the calls, of one endpoint or status if given."""
        return sum(
            endpoint in (None, call.endpoint) and status in (None, call.status)
            for call in self.calls
        )

    def forget_calls(self) -> None:
        """Start counting calls anew."""
        with self._lock:
            self._calls.clear()

    def insert(self, at: datetime, **fields: Any) -> StoredEntry:
        """Add a made-up entry of this date; `fields` replace made-up ones."""
        with self._lock:
            return self.store.add(self._writer.write(to_ms(at), **fields))

    def change(self, change: ScheduledChange, days: int) -> list[str]:
        """Make changes among the entries of the last days; returns the IDs of those changed."""
        with self._lock:
            before = len(self.store.history)
            first, end = (
                to_ms(self.now() - timedelta(days=days)),
                to_ms(self.now() - timedelta(hours=1)),
            )
            for _ in range(change.count):
                self._change_once(change, first, end)
            written = self.store.history[before:]
        entries = [one.after or one.before for one in written]
        return [entry.log_entry_id for entry in entries if entry]

    # ── the calls, without HTTP ──────────────────────────────────────────────────────────────

    def list_entries(self, query: Query) -> EntriesPage:
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

    def summarise(self, query: SummaryQuery) -> MinutesPage:
        """`GET /cpdUserLogSummaries`."""
        with self._answering("summaries", query.period.parameters) as call:
            self._refuse(call.due)
            return self._sum_up(query, call.due)

    # ── the calls, as HTTP brings them ───────────────────────────────────────────────────────

    def answer(self, request: ApiRequest) -> ApiAnswer:
        """Answer one request, faults included. No request of a client makes it raise."""
        due: Sequence[InjectedFault] = ()
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
            answer = spoil(self._answer(200, content, headers), due)
        except Refused as refused:
            headers = refused.headers | {"Content-Type": refused.media_type}
            answer = self._answer(refused.status, refused.content, headers)
        return replace(answer, delay=sum(fault.seconds for fault in due if fault.kind == "slow"))

    def not_found(self, message: str) -> ApiAnswer:
        """The answer to a path outside the API."""
        return self._answer(404, Refused(404, message).content, {})

    def _answer(self, status: int, content: str, headers: Mapping[str, str]) -> ApiAnswer:
        common = {
            "Date": format_datetime(self.now().astimezone(UTC), usegmt=True),
            "Content-Type": "application/json",
        }
        return ApiAnswer(status, common | dict(headers), content.encode())

    # ── common to all calls ──────────────────────────────────────────────────────────────────────

    @contextmanager
    def _answering(self, endpoint: Endpoint, query: Mapping[str, str]) -> Iterator["_Answering"]:
        """Wrap a call: find the faults that are due, and afterwards record it and run the hook.

        The lock lets one call in at a time, so that a seed decides everything. The hook runs
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
                    call = RecordedCall(endpoint, status, dict(query), answering.entries, faults)
                    self._calls.append(call)
        finally:
            self.after_call(call)

    def _due(self, endpoint: Endpoint) -> Iterator[InjectedFault]:
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

    def _refuse(self, due: Sequence[InjectedFault]) -> None:
        for fault in due:
            if fault.kind == "status":
                raise refusal_of(fault, self.now())

    def _token(self, request: ApiRequest) -> str:
        tenant_id, headers, body = request.tenant_id, request.headers, request.body
        granted = self._access.grant(tenant_id, headers, body, self.behaviour, self.now())
        return simplejson.dumps(granted)

    def _get(self, log_entry_id: str) -> StoredEntry:
        entry = self.store.get(log_entry_id)
        if entry is None:
            raise Refused(404, "CPD entry not found")
        return entry

    def _list(self, query: Query, due: Sequence[InjectedFault]) -> EntriesPage:
        kinds = {fault.kind for fault in due}
        dates = date_range(query, self.behaviour)
        found: list[StoredEntry] = []
        if "nothing" not in kinds:
            found = self.store.between(*((None, None) if "ignore-filter" in kinds else dates))
        listing = offset_page_of(found, query, self.behaviour, self._salt(query))
        if kinds & {"repeat", "repeat-edited"}:
            listing = repeat_entry(listing, edited="repeat-edited" in kinds)
        self._change(*dates)
        return listing

    def _sum_up(self, query: SummaryQuery, due: Sequence[InjectedFault]) -> MinutesPage:
        found: list[StoredEntry] = []
        if "nothing" not in {fault.kind for fault in due}:
            found = self.store.between(*date_range(query.period, self.behaviour))
        return minutes_page_of(found, query, self.behaviour, self._salt(query.period, "summaries"))

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
            # Changes count in the faults' counter, under negative keys.
            if turn and (change.times is None or self._struck[~index] < change.times):
                self._struck[~index] += 1
                for _ in range(change.count):
                    self._change_once(change, first_ms, end_ms)

    def _change_once(
        self, change: ScheduledChange, first_ms: int | None, end_ms: int | None
    ) -> None:
        if change.kind == "insert":
            self.insert(self.now())
            return
        everything = self.store.between(None, None)
        if change.kind == "back-date":
            span = (everything[0].at_ms, everything[-1].at_ms) if everything else (0, 1)
            low = span[0] if first_ms is None else first_ms
            high = max(low + 1, span[1] if end_ms is None else end_ms)
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
    due: tuple[InjectedFault, ...]
    entries: int = 0
