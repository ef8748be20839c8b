"""Decides which missing entries are published as deleted.

An entry is deleted if it was missing twice, at least ``deletion_delay`` apart, if the API answers
404 to its ID, and if the API finds another entry that it lists just then. Deletions beyond
those that a day allows open the tenant's breaker, which holds them until the operator confirms.

An entry that the API has at a date outside the window has left. The sweep publishes its new version
and keeps it in the index, until the page of its new date has it too: till then, nobody else would
publish what becomes of it.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from enum import Enum, auto

from cpd_exporter.errors import PermanentError, TransientError
from cpd_exporter.model.breaker import Breaker, BreakerChange, DayCount
from cpd_exporter.model.entry import Entry, FaultyEntry
from cpd_exporter.model.page import ConditionalWrite, MissingEntry, PageState
from cpd_exporter.model.row import MAX_NAMED_FAULTS, quarantine, quarantined_faults
from cpd_exporter.model.window import Window
from cpd_exporter.worker.attempt import PageClaim
from cpd_exporter.worker.context import WorkerContext
from cpd_exporter.worker.lake_reader import LakeReader
from cpd_exporter.worker.sweep.compare import SweepInput, SweepResult

MAX_MISSING_PER_PAGE = 5000
MAX_MISSING_BYTES = 300_000
"""Missing entries that a page notes: its item holds 400 KB. The rest waits for a later sweep."""

BYTES_PER_MISSING = 40
"""What a missing entry takes in the page's item besides its ID."""

MAX_LOOKUPS_PER_SWEEP = 200
"""Missing entries that a sweep looks up by ID. The rest waits for a later sweep."""

MAX_LOOKUP_OUTAGES = 3
"""Outages after which a sweep looks up no more entries one by one."""

MAX_CONTROLS = 3
"""Listed entries that a control looks up by ID."""

MAX_CONTROL_PAGES = 5
"""Offset pages on which a control searches for listed entries."""

MAX_BREAKER_TRIES = 5
"""Writes of the breaker that may lose against other sweeps."""

NEW_BREAKER = Breaker("")
"""What the breaker is before the first deletion."""

type Found = Entry | FaultyEntry | None


class Verdict(Enum):
    """What the look-up by ID says of a missing entry."""

    GONE = auto()
    """The API answers 404."""

    PRESENT = auto()
    """The listing left the entry out, or its record cannot be understood."""

    LEFT = auto()
    """The entry has a date outside the swept window."""


def classify(found: Found, window: Window) -> Verdict:
    """Judge a look-up of an entry that a sweep of ``window`` did not list."""
    if found is None:
        return Verdict.GONE
    if isinstance(found, FaultyEntry) or found.date in window:
        return Verdict.PRESENT
    return Verdict.LEFT


def decide_deletions(
    claim: PageClaim, before: SweepInput, missing: Sequence[str], result: SweepResult
) -> list[str]:
    """Note the missing entries and those that left in ``result``; returns those to publish as
    deleted now.
    """
    due = _note_missing(claim, before, missing, result)
    if not due:
        return []
    breaker = claim.context.timeline.breaker() or NEW_BREAKER
    waiting = [id_ for id_ in due if not breaker.holds(before.missing[id_])]
    # The longest missing go first, so that no entry waits behind the same others for ever.
    waiting.sort(key=lambda id_: before.missing[id_].since)
    max_lookups = min(MAX_LOOKUPS_PER_SWEEP, claim.context.limits.lookups)
    own = [id_ for id_ in waiting[:max_lookups] if not _hand_over(claim, before, id_, result)]
    gone = _apply_verdicts(claim, _look_up(claim.context, own), result)
    gone = gone if gone and _find_control(claim.context, claim.page.window) else []
    confirmed = [id_ for id_ in gone if breaker.confirms(before.missing[id_])]
    others = [id_ for id_ in gone if id_ not in confirmed]
    if others and not _count_as_published(claim, len(others)):
        if claim.page.state is PageState.OPEN:
            take_back_count(claim)
        _hold(claim, others, result)
        # The next look-ups show the operator the rest soon.
        result.sweep_again = len(waiting) > max_lookups
        others = []
    for id_ in (released := confirmed + others):
        del result.missing[id_]
    return released


def _note_missing(
    claim: PageClaim, before: SweepInput, missing: Sequence[str], result: SweepResult
) -> list[str]:
    """Note since when each entry is missing; returns those that have been for long enough."""
    now, delay = claim.context.clock(), claim.context.limits.deletion_delay
    size = 0
    # Those that were noted before come first: a held deletion stays held.
    for id_ in sorted(missing, key=lambda id_: id_ not in before.missing)[:MAX_MISSING_PER_PAGE]:
        size += len(id_.encode()) + BYTES_PER_MISSING
        if size > MAX_MISSING_BYTES:
            break
        result.missing[id_] = before.missing.get(id_, MissingEntry(now))
    return [
        id_
        for id_ in result.missing
        if id_ in before.missing and now - before.missing[id_].since >= delay
    ]


def _look_up(context: WorkerContext, ids: Sequence[str]) -> dict[str, Found]:
    """The entries by ID, as far as the API answers. One that fails holds up none of the others."""
    try:
        return context.api.entries(ids)
    except (PermanentError, TransientError):
        pass
    found: dict[str, Found] = {}
    outages = 0
    for id_ in ids:
        try:
            found |= context.api.entries([id_])
        except (PermanentError, TransientError) as error:
            outages += isinstance(error, TransientError)
            if outages == MAX_LOOKUP_OUTAGES:
                break
    return found


def _apply_verdicts(claim: PageClaim, found: dict[str, Found], result: SweepResult) -> list[str]:
    """Keep in ``result`` what the look-ups say; returns the entries that are gone.

    Nobody can publish a record that cannot be understood, so its entry's last version stays the
    current one. Quarantine keeps the record: perhaps no window lists it.
    """
    context, window = claim.context, claim.page.window
    gone: list[str] = []
    for id_, entry in found.items():
        verdict = classify(entry, window)
        if verdict is Verdict.GONE:
            gone.append(id_)
            continue
        result.missing[id_] = MissingEntry(context.clock())
        if isinstance(entry, FaultyEntry):
            context.lake.put_new(*quarantine(context.timeline.tenant_id, entry))
            result.quarantined += 1
            if len(result.faults) < MAX_NAMED_FAULTS:
                result.faults |= quarantined_faults(context.timeline.tenant_id, [entry])
        elif entry is not None and verdict is Verdict.LEFT:
            result.left.append(entry)
    return gone


def _hand_over(claim: PageClaim, before: SweepInput, id_: str, result: SweepResult) -> bool:
    """Leave an entry that left to the page of its new date, if that has it: in the version
    that was published here, or in a later row.
    """
    context, indexed = claim.context, before.index[id_]
    page = None if indexed.date in claim.page.window else context.timeline.page_at(indexed.date)
    if page is None or page.state is not PageState.DONE:
        return False
    there = LakeReader(context.lake).read_index(page).get(id_)
    if there is None:
        return False
    is_same = (there.date, there.fingerprint) == (indexed.date, indexed.fingerprint)
    if not (is_same or there.stored_at > indexed.stored_at):
        return False
    del result.missing[id_]
    result.handed_over.add(id_)
    return True


def _find_control(context: WorkerContext, window: Window) -> bool:
    """Look whether the API finds by ID an entry that it lists, in the window or anywhere.

    An API that answers 404 to every ID shows no deletion. One that cannot list everything can list
    a window.
    """
    for place, offset_pages in ((window, 1), (None, MAX_CONTROL_PAGES)):
        with suppress(PermanentError, TransientError):
            for offset_page in range(1, offset_pages + 1):
                listed = context.api.query(place, page=offset_page, per_page=100).records
                controls = [record.id for record in listed if isinstance(record, Entry)]
                if controls:
                    found = context.api.entries(controls[:MAX_CONTROLS])
                    return any(entry is not None for entry in found.values())
    return False


def _count_as_published(claim: PageClaim, deletions: int) -> bool:
    """Count these deletions as the day's, unless they exceed what a day allows.

    The count of this sweep's earlier attempt is in the sweep's own item, so nothing counts twice.
    """
    context = claim.context
    day = f"{context.clock():%Y-%m-%d}"
    for _ in range(MAX_BREAKER_TRIES):
        stored = context.timeline.breaker()
        breaker = stored or NEW_BREAKER
        if breaker.published:
            day = max(day, breaker.published.day)  # midnight may have passed since
        counted = claim.page.deletions_counted.on(day) if claim.page.deletions_counted else 0
        published = breaker.published_on(day) + max(0, deletions - counted)
        if breaker.opened_at is not None or published > context.limits.max_deletions:
            return False
        after = replace(breaker, published=DayCount(day, published), revision=context.new_token())
        change = BreakerChange(stored, after)
        if deletions <= counted or claim.count_deletions(DayCount(day, deletions), change):
            return True
    raise TransientError("other sweeps count deletions at this moment", retry_after=1)


def take_back_count(claim: PageClaim) -> None:
    """Take back what an open sweep counted, before it is divided or given up.

    It has stored no row, and whoever publishes these deletions counts them again.
    """
    counted = claim.page.deletions_counted
    for _ in range(MAX_BREAKER_TRIES):
        stored = claim.context.timeline.breaker()
        if not counted or not stored or not stored.published_on(counted.day):
            return
        left = max(0, stored.published_on(counted.day) - counted.deletions)
        revision = claim.context.new_token()
        after = replace(stored, published=DayCount(counted.day, left), revision=revision)
        if claim.count_deletions(DayCount(counted.day, 0), BreakerChange(stored, after)):
            return
    raise TransientError("other sweeps count deletions at this moment", retry_after=1)


def _hold(claim: PageClaim, ids: Sequence[str], result: SweepResult) -> None:
    """Hold deletions back, later than the last confirmation."""
    breaker, held_at = claim.context.timeline.breaker() or NEW_BREAKER, claim.context.clock()
    if breaker.confirmed_through is not None:
        # The clocks of two machines differ.
        held_at = max(held_at, breaker.confirmed_through + datetime.resolution)
    for id_ in ids:
        result.missing[id_] = replace(result.missing[id_], held_at=held_at)
    result.held_at = held_at


def merge_held(
    claim: PageClaim, writes: Sequence[ConditionalWrite], held_at: datetime | None
) -> None:
    """Do the writes of a merge that holds deletions, and open the breaker for those since
    ``held_at``. A merge that carries older ones along writes the breaker too, so that a
    confirmation which counts them meanwhile begins again.

    If the operator confirmed deletions meanwhile, the merge fails: no confirmation covers a
    deletion that it did not see.
    """
    for _ in range(MAX_BREAKER_TRIES):
        stored = claim.context.timeline.breaker()
        breaker = stored or NEW_BREAKER
        through = breaker.confirmed_through
        if held_at is not None and through is not None and held_at <= through:
            break
        opened_at, revision = breaker.opened_at or held_at, claim.context.new_token()
        after = replace(breaker, opened_at=opened_at, revision=revision)
        if claim.commit(writes, BreakerChange(stored, after)):
            return
    raise TransientError("the breaker changes at this moment", retry_after=1)
