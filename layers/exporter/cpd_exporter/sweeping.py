"""The sweep: done pages read again, since entries are back-dated, edited and deleted unseen.

    open ──nothing to tell──▶ merged
    open ──overflow──▶ replaced by sweeps of less
    open ──▶ writing ──▶ stored ──▶ merged

The arrows are those of an export. *Merged* is one transaction that puts a single page in the place
of all that the sweep covers: a year of five-minute windows becomes a few pages a month, and the
next sweep of them is cheap. What is known after it follows from what was known before and from the
stored rows, so whoever ends a sweep ends it alike.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import takewhile

from cpd_exporter.claiming import Claim, Outcome, SupersededError, Tools, WorkReport
from cpd_exporter.errors import LakeError, PermanentError, TransientError
from cpd_exporter.knowing import LakeReader
from cpd_exporter.model import known as lake_knowledge
from cpd_exporter.model.entries import Entry, FaultyEntry, fingerprint
from cpd_exporter.model.known import Known, KnownEntry, known_key
from cpd_exporter.model.rows import Change, Row, quarantine
from cpd_exporter.model.timeline import (
    Ask,
    DeletionQuota,
    Missing,
    Page,
    State,
    Write,
    reserving,
    sweep_of,
)
from cpd_exporter.reading import Overflow, Reading, read_window
from cpd_exporter.storing import resume, store, tell

MOST_MISSING = 5000
"""So many missing entries a page can note at most: its item must stay small. What is not noted is
not told either, until others are.
"""

MOST_LOOKUPS = 200
"""Of so many missing entries at most a sweep asks one by one; the rest waits for the next."""

MOST_FAILURES = 3
"""After so many outages no more entries are looked up one by one."""

MOST_CONTROLS = 3
CONTROL_PAGES = 5
"""So many listed entries are asked for by ID, from the first of so many pages that has any."""


@dataclass(slots=True)
class _Sight:
    """What a sweep saw: rows to tell, who is missing, and whom another window has told since."""

    rows: list[Row] = field(default_factory=list)
    missing: dict[str, Missing] = field(default_factory=dict)
    elsewhere: set[str] = field(default_factory=set)
    held: int = 0
    quarantined: int = 0


@dataclass(frozen=True, slots=True)
class _Before:
    """The pages that a sweep covers, and what is known of them."""

    pages: list[Page]
    known: Known
    missing: dict[str, Missing]

    @property
    def told_at(self) -> datetime | None:
        return max((page.told_at for page in self.pages if page.told_at), default=None)

    @property
    def held(self) -> int:
        return sum(page.held for page in self.pages)

    @property
    def confirmed_at(self) -> datetime | None:
        return max((page.confirmed_at for page in self.pages if page.confirmed_at), default=None)


def sweep_pages(claim: Claim) -> WorkReport:
    """Sweep from wherever an earlier attempt left it.

    Raises ``PermanentError`` for what only this sweep meets, besides what ``Tools`` may raise.
    """
    before = _before(claim.tools, _covered(claim))
    rows = resume(claim)
    if rows is None:
        return _look(claim, before)
    return _tell(claim, before, _of_another(rows, before, claim.page.quarantined))


def give_up_sweep(claim: Claim, error: PermanentError) -> WorkReport:
    """After the last attempt: cut down to what is poisoned, and let that go, to be swept another
    time: it is exported, and its neighbours must not wait for it.

    Work that is already writing is tried on, with back-off: an object may be at its key.
    """
    if claim.page.state is State.OPEN:
        pages = _covered(claim)
        attempts = claim.tools.effort.attempts - 1
        is_damage = isinstance(error, LakeError)
        if len(pages) > 1 and (is_damage or claim.suspects(error)):
            _halve(claim, pages, attempts=attempts)
            return WorkReport(Outcome.SPLIT, error=error)
        is_cuttable = len(pages) == 1 and claim.tools.effort.may_split(claim.page)
        if is_cuttable and not is_damage and (parts := claim.suspects(error)) > 1:
            _cut(claim, _before(claim.tools, pages), parts, attempts=attempts)
            return WorkReport(Outcome.SPLIT, error=error)
        asks = list(claim.tools.timeline.asks(claim.page.window))
        freed = [
            Write(page, replace(page, reserved_by=None, revision=claim.tools.new_token()))
            for page in pages
        ]
        if not claim.tools.timeline.commit([*freed, Write(claim.page, None)]):
            raise SupersededError
        for ask in asks:
            claim.tools.timeline.forget(ask)
    else:
        since = claim.page.hole_since or claim.tools.clock()
        claim.move(lease_until=None, error=str(error), hole_since=since)
    return WorkReport(Outcome.HOLE, error=error)


def _covered(claim: Claim) -> list[Page]:
    """The pages that this sweep reserved; they tile its window until it is merged."""
    window = claim.page.window
    pages = list(
        takewhile(
            lambda page: page.window.start < window.end,
            claim.tools.timeline.pages(window.start),
        )
    )
    if not pages or any(page.reserved_by != claim.page.name for page in pages):
        raise SupersededError
    return pages


def _before(tools: Tools, pages: list[Page]) -> _Before:
    known: dict[str, KnownEntry] = {}
    missing: dict[str, Missing] = {}
    for page in pages:
        for id_, entry in LakeReader(tools.lake).known_of(page).items():
            # An entry that moved may be known of two pages: what was told last counts, and from
            # that page alone it may be missing.
            if id_ in known and known[id_].told_at >= entry.told_at:
                continue
            known[id_] = entry
            missing.pop(id_, None)
            if id_ in page.missing:
                missing[id_] = page.missing[id_]
    return _Before(pages, known, missing)


def _look(claim: Claim, before: _Before) -> WorkReport:
    """Read the window and compare it with what is known."""
    tools = claim.tools
    asks = list(tools.timeline.asks(claim.page.window))
    reading = read_window(
        tools.api,
        claim.page.window,
        tools.effort.slack,
        may_split=claim.page.state is State.OPEN and tools.effort.may_split(claim.page),
    )
    if isinstance(reading, Overflow):
        return _divide(claim, before, reading)
    for faulty in reading.faulty:
        tools.lake.put_new(*quarantine(tools.timeline.tenant_id, faulty))
    sight = _compare(claim, before, reading, asks)
    if sight.rows or claim.page.state is State.WRITING:
        if claim.page.state is State.OPEN:
            claim.move(state=State.WRITING, quarantined=len(reading.faulty))
        judged = {row.entry_id: row.fingerprint for row in sight.rows}
        rows = store(claim, sight.rows)
        if {row.entry_id: row.fingerprint for row in rows} != judged:
            # Another attempt's rows: what else it saw is not known here.
            sight, asks = _of_another(rows, before, len(reading.faulty)), []
        else:
            sight.rows = rows
        report = _tell(claim, before, sight)
    else:
        report = _merge(claim, before, sight)
    for ask in asks:
        tools.timeline.forget(ask)
    if report.told.get(Change.DELETED) and _still_confirmed(before, sight):
        tools.timeline.ask(Ask(claim.page.window.start, tools.clock()))  # there are more to tell
    return report


def _of_another(rows: list[Row], before: _Before, quarantined: int) -> _Sight:
    """What is left of another attempt's sight: its rows. Who was missing before still is."""
    told = {row.entry_id for row in rows}
    missing = {id_: gone for id_, gone in before.missing.items() if id_ not in told}
    return _Sight(rows, missing, held=min(before.held, len(missing)), quarantined=quarantined)


def _tell(claim: Claim, before: _Before, sight: _Sight) -> WorkReport:
    tell(claim, sight.rows)
    return _merge(claim, before, sight)


def _compare(claim: Claim, before: _Before, reading: Reading, asks: list[Ask]) -> _Sight:
    tools = claim.tools
    told_at = tools.clock()
    if before.told_at is not None:
        # An event's time is later than that of any earlier row of the same page.
        told_at = max(told_at, before.told_at + timedelta(milliseconds=1))
    tenant_id = tools.timeline.tenant_id

    def row(content: dict[str, object], change: Change, version: str) -> Row:
        return Row(content, change, version, tenant_id, told_at)

    sight = _Sight(quarantined=len(reading.faulty))
    last = LakeReader(tools.lake)
    for entry in reading.entries:
        known = before.known.get(entry.id)
        if known is None:
            sight.rows.append(row(entry.content, Change.CREATED, entry.fingerprint))
        elif _is_edited(entry, known, last, tools) or _is_told_elsewhere(entry, known, asks):
            sight.rows.append(row(entry.content, Change.UPDATED, entry.fingerprint))
    present = {entry.id for entry in reading.entries} | {fault.id for fault in reading.faulty}
    missing = [id_ for id_ in before.known if id_ not in present]
    if missing:
        gone = _judge_missing(claim, before, missing, sight)
        for id_ in _let_through(claim, before, gone, sight):
            content = last.last_row(id_, before.known[id_]).content
            sight.rows.append(row(content, Change.DELETED, before.known[id_].fingerprint))
    return sight


def _is_edited(entry: Entry, known: KnownEntry, last: LakeReader, tools: Tools) -> bool:
    if entry.fingerprint == known.fingerprint:
        return False
    # The fingerprint may differ only because other members are left out of it since.
    told = last.last_row(entry.id, known)
    return fingerprint(told.content, tools.effort.volatile) != entry.fingerprint


def _is_told_elsewhere(entry: Entry, known: KnownEntry, asks: list[Ask]) -> bool:
    """Whether another page told this entry after this one did, before it came back here."""
    return any(
        ask.entry_id == entry.id and ask.told_after and ask.told_after >= known.told_at
        for ask in asks
    )


def _judge_missing(claim: Claim, before: _Before, missing: list[str], sight: _Sight) -> list[str]:
    """The entries that may be told as deleted: missing for long enough, and the API says that they
    are not there, while it finds one that is.
    """
    tools, now = claim.tools, claim.tools.clock()
    earlier = before.missing
    due: list[str] = []
    for id_ in missing[:MOST_MISSING]:
        sight.missing[id_] = earlier.get(id_, Missing(now))
        if id_ in earlier and now - earlier[id_].since >= tools.effort.deletion_delay:
            due.append(id_)
    if before.held and not before.confirmed_at:
        sight.held = min(before.held, len(due))
        return []
    # Whoever was found last time waits for those who were not asked about yet.
    due = sorted(due, key=lambda id_: earlier[id_].since)[:MOST_LOOKUPS]
    gone: list[str] = []
    for id_, found in _look_up(tools, due).items():
        if found is None:
            gone.append(id_)
        else:
            _judge_found(claim, before, id_, found, sight)
    gone = [id_ for id_ in gone if not _is_told_by(tools, before.known[id_], id_, sight)]
    return gone if gone and _finds_control(tools) else []


def _look_up(tools: Tools, ids: list[str]) -> dict[str, Entry | FaultyEntry | None]:
    """The entries by ID that the API could be asked about. Of the others nothing is told, and what
    else the sweep saw goes through.
    """
    try:
        return tools.api.entries(ids)
    except (PermanentError, TransientError):
        pass
    found: dict[str, Entry | FaultyEntry | None] = {}
    failures = 0
    for id_ in ids:
        try:
            found |= tools.api.entries([id_])
        except (PermanentError, TransientError) as error:
            failures += isinstance(error, TransientError)
            if failures == MOST_FAILURES:
                break  # it is the API that is not well
    return found


def _judge_found(
    claim: Claim, before: _Before, id_: str, found: Entry | FaultyEntry, sight: _Sight
) -> None:
    """An entry that is not listed, but there: elsewhere, unless it has no date any more."""
    date = found.date
    if date is None:
        del sight.missing[id_]  # faulty, so it is no wonder that no window lists it
        return
    now = claim.tools.clock()
    if date in claim.page.window:
        sight.missing[id_] = Missing(now)  # the listing was wrong, or hides it: tell nothing
        return
    sight.missing[id_] = Missing(now, moved_to=date)
    if not _is_told_by(claim.tools, before.known[id_], id_, sight):
        told_after = before.known[id_].told_at
        claim.tools.timeline.ask(Ask(date, claim.tools.clock(), id_, told_after))


def _is_told_by(tools: Tools, known: KnownEntry, id_: str, sight: _Sight) -> bool:
    """Whether the window that the entry moved to has told it since: then it is that one's."""
    moved_to = sight.missing[id_].moved_to
    page = tools.timeline.page_at(moved_to) if moved_to else None
    if page is None or page.state is not State.DONE:
        return False
    there = LakeReader(tools.lake).known_of(page).get(id_)
    if there is None or there.told_at <= known.told_at:
        return False
    del sight.missing[id_]
    sight.elsewhere.add(id_)
    return True


def _finds_control(tools: Tools) -> bool:
    """Whether the API finds an entry that it lists: one that answers 404 to all proves nothing."""
    with suppress(PermanentError, TransientError):
        for page in range(1, CONTROL_PAGES + 1):
            listed = tools.api.query(None, page=page, per_page=100).records
            controls = [record.id for record in listed if isinstance(record, Entry)][:MOST_CONTROLS]
            if controls:
                return any(found is not None for found in tools.api.entries(controls).values())
    return False


def _let_through(claim: Claim, before: _Before, gone: list[str], sight: _Sight) -> list[str]:
    """The deletions that may be told now: as many in a day as the operator finds normal, and those
    that were confirmed. What once is held stays so: a new day alone lets nothing through.
    """
    confirmed_at = before.confirmed_at
    confirmed = [id_ for id_ in gone if confirmed_at and sight.missing[id_].since <= confirmed_at]
    counted = [id_ for id_ in gone if id_ not in confirmed]
    through = confirmed + counted
    if counted and not _within_quota(claim, len(counted)):
        through, sight.held = confirmed, len(sight.missing) - len(confirmed)
    for id_ in through:
        del sight.missing[id_]
    return through


def _within_quota(claim: Claim, deletions: int) -> bool:
    """Count these deletions against the day's, unless that is more than is let through unseen."""
    tools = claim.tools
    day = f"{tools.clock():%Y-%m-%d}"
    quota = tools.timeline.deletion_quota(day)
    told = dict(quota.told) if quota else {}
    told[claim.page.name] = deletions
    if sum(told.values()) > tools.effort.most_deletions:
        return False
    changed = DeletionQuota(day, told, tools.new_token())
    if not tools.timeline.update_deletion_quota(quota, changed):
        raise TransientError("another sweep told deletions at this very moment", retry_after=1)
    return True


def _merge(claim: Claim, before: _Before, sight: _Sight) -> WorkReport:
    """Put one page in the place of all that were swept."""
    tools, sweep = claim.tools, claim.page
    now_known = lake_knowledge.after(before.known, sight.rows, claim.key)
    for id_ in sight.elsewhere:
        del now_known[id_]
    told_at = max((row.exported_at for row in sight.rows), default=before.told_at)
    merged = Page(
        window=sweep.window,
        generation=sweep.generation,
        epoch=sweep.epoch,
        revision=tools.new_token(),
        state=State.DONE,
        entries=len(now_known),
        quarantined=sight.quarantined,
        updated_at=tools.clock(),
        told_at=told_at,
        missing=sight.missing,
        held=sight.held,
        confirmed_at=_still_confirmed(before, sight),
    )
    merged = _with_knowledge(tools, merged, before, now_known)
    first, *rest = before.pages
    writes = [
        Write(first, merged),
        *(Write(page, None) for page in rest),
        Write(sweep, None),
    ]
    if not tools.timeline.commit(writes):
        raise SupersededError
    told = Counter(row.change for row in sight.rows)
    return WorkReport(
        Outcome.DONE, told, sight.quarantined, known=len(before.known), held=sight.held
    )


def _still_confirmed(before: _Before, sight: _Sight) -> datetime | None:
    """The operator's word holds until all that it was given for is told, or back again."""
    confirmed_at = before.confirmed_at
    if confirmed_at and any(gone.since <= confirmed_at for gone in sight.missing.values()):
        return confirmed_at
    return None


def _with_knowledge(tools: Tools, merged: Page, before: _Before, now_known: Known) -> Page:
    """The page with a place where what is known of it stands: an old one if nothing changed."""
    holders = [page for page in before.pages if page.entries]
    if not now_known:
        return merged
    if len(holders) == 1 and now_known == before.known:
        return replace(merged, object=holders[0].object, known=holders[0].known)
    return _write_knowledge(tools, merged, now_known)


def _write_knowledge(tools: Tools, page: Page, known: Known) -> Page:
    body = lake_knowledge.encode(known)
    key = known_key(tools.timeline.tenant_id, page.name, body)
    tools.lake.put_new(key, body)
    return replace(page, known=key)


def _divide(claim: Claim, before: _Before, overflow: Overflow) -> WorkReport:
    """A sweep that outgrew one response: two of half the pages, or its one page in parts."""
    tools, pages = claim.tools, before.pages
    if len(pages) > 1:
        _halve(claim, pages)
    else:
        _cut(claim, before, tools.effort.parts(overflow))
    return WorkReport(Outcome.SPLIT)


def _cut(claim: Claim, before: _Before, parts: int, *, attempts: int = 0) -> None:
    revision = claim.tools.new_token()
    writes = list(_cutting(claim, before, parts, revision=revision, attempts=attempts))
    if not claim.tools.timeline.commit(writes):
        raise SupersededError


def _halve(claim: Claim, pages: list[Page], *, attempts: int = 0) -> None:
    revision = claim.tools.new_token()
    half = len(pages) // 2
    low, high = (
        replace(
            sweep_of(some, revision=revision),
            generation=claim.page.generation + 1,
            attempts=attempts,
        )
        for some in (pages[:half], pages[half:])
    )
    writes = [
        *reserving(pages[:half], low, revision=revision, instead_of=claim.page),
        *reserving(pages[half:], high, revision=revision),
    ]
    if not claim.tools.timeline.commit(writes):
        raise SupersededError


def _cutting(
    claim: Claim, before: _Before, parts: int, *, revision: str, attempts: int
) -> Iterator[Write]:
    """The writes that cut a done page into done pages, each with its share of what is known, and
    each with a sweep of its own.
    """
    tools, sweep, page = claim.tools, claim.page, before.pages[0]
    for window in page.window.cut(parts, floor=tools.effort.finest):
        known = {id_: entry for id_, entry in before.known.items() if entry.date in window}
        missing = {id_: gone for id_, gone in page.missing.items() if id_ in known}
        part = replace(
            page,
            window=window,
            generation=sweep.generation,
            revision=revision,
            object=None,
            known=None,
            entries=len(known),
            quarantined=0,
            missing=missing,
            held=min(page.held, len(missing)),
            sent_at=None,
        )
        if known:
            part = _write_knowledge(tools, part, known)
        part_sweep = replace(sweep_of([part], revision=revision), attempts=attempts)
        is_first = window.start == page.window.start
        yield Write(page if is_first else None, replace(part, reserved_by=part_sweep.name))
        yield Write(sweep if is_first else None, part_sweep)
