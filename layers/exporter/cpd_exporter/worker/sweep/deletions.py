"""Decides which missing entries are published as deleted.

An entry is deleted if it was missing twice, at least ``deletion_delay`` apart, if the API answers
404 to its ID, and if the API finds another entry that it lists just then. Deletions beyond
those that a day allows open the tenant's breaker, which holds them until the operator confirms.

An entry that the API has at a date outside the window has left. The sweep publishes its new version
and keeps it in the index, until the page of its new date has it too: till then, nobody else would
publish what becomes of it. A sweep looks an entry up when it first misses it too: it notes where
the entry has gone, because a later look-up may answer 404, right or wrong. Then the page of that
date publishes the deletion, if it has the entry.
"""

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum, auto

from cpd_exporter.model.entry import Entry, FaultyEntry
from cpd_exporter.model.page import MissingEntry, Page, PageState
from cpd_exporter.model.page_index import PageIndex
from cpd_exporter.model.row import MAX_NAMED_FAULTS, quarantine, quarantined_faults
from cpd_exporter.model.window import Window
from cpd_exporter.worker.attempt import PageClaim
from cpd_exporter.worker.context import WorkerContext
from cpd_exporter.worker.lake_reader import LakeReader
from cpd_exporter.worker.sweep.compare import SweepInput, SweepResult
from cpd_exporter.worker.sweep.day_limit import NEW_BREAKER, count_as_published, hold
from cpd_exporter.worker.sweep.look_up import Found, finds_control, look_up

MAX_MISSING_PER_PAGE = 5000
MAX_MISSING_BYTES = 300_000
"""Missing entries that a page notes: its item holds 400 KB. The rest waits for a later sweep."""

BYTES_PER_MISSING = 80
"""What a missing entry takes in the page's item besides its ID."""

MAX_LOOKUPS_PER_SWEEP = 200
"""Missing entries that a sweep looks up by ID. The rest waits for a later sweep."""


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
    """Note in ``result`` the missing entries, and those that the API has nevertheless; returns
    those to publish as deleted now.
    """
    context, window = claim.context, claim.page.window
    due = _note_missing(claim, before, missing, result)
    breaker = (due and context.timeline.breaker()) or NEW_BREAKER
    waiting = [id_ for id_ in due if not breaker.holds(before.missing[id_])]
    max_lookups = min(MAX_LOOKUPS_PER_SWEEP, context.limits.lookups)
    new = [id_ for id_ in result.missing if id_ not in before.missing]
    _note_moves(claim, new[: max(0, max_lookups - len(waiting))], result)
    # The longest missing go first, so that no entry waits behind the same others for ever.
    waiting.sort(key=lambda id_: before.missing[id_].since)
    own = [id_ for id_ in waiting[:max_lookups] if not _hand_over(claim, before, id_, result)]
    gone = _apply_verdicts(claim, _look_up_due(claim, own, result), result)
    gone = [id_ for id_ in gone if not _is_on_another_page(claim, before, id_)]
    if gone and not finds_control(context, window):
        result.unjudged += len(gone)
        result.error = f"the API finds by ID neither {gone[0]} nor any entry that it lists"
        gone = []
    confirmed = [id_ for id_ in gone if breaker.confirms(before.missing[id_])]
    others = [id_ for id_ in gone if id_ not in confirmed]
    if others and not count_as_published(claim, len(others)):
        hold(claim, others, result)
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


def _note_moves(claim: PageClaim, ids: Sequence[str], result: SweepResult) -> None:
    """Look up entries that were not missing before, and note the dates of those that left.

    One over which the API fails is not noted: the next sweep misses it for the first time again.
    """
    found, failed = look_up(claim.context, claim.page.window, ids)
    for id_ in failed:
        del result.missing[id_]
    for id_, entry in found.items():
        if isinstance(entry, Entry) and entry.date not in claim.page.window:
            result.missing[id_] = replace(result.missing[id_], moved_to=entry.date)


def _look_up_due(claim: PageClaim, ids: Sequence[str], result: SweepResult) -> dict[str, Found]:
    """Look up entries that are due. One over which the API fails is due later than all others."""
    found, failed = look_up(claim.context, claim.page.window, ids)
    for id_, error in failed.items():
        result.missing[id_] = replace(result.missing[id_], since=claim.context.clock())
        result.unjudged += 1
        result.error = f"missing entry {id_} cannot be looked up: {error}"
    return found


def _is_on_another_page(claim: PageClaim, before: SweepInput, id_: str) -> bool:
    """Whether the page of the date to which an entry moved has it, and so its deletion too.

    If that page knows that the entry has moved on, it has the deletion only where its row is the
    later one: two pages would wait for each other otherwise.
    """
    own, moved_to, window = before.index[id_], before.missing[id_].moved_to, claim.page.window
    page = claim.context.timeline.page_at(moved_to) if moved_to and moved_to not in window else None
    there = _index_of(claim.context, page).get(id_)
    if page is None or there is None:
        return False
    missing = page.missing.get(id_)
    has_left = missing is not None and missing.moved_to is not None
    is_later = (there.stored_at, page.window.start) > (own.stored_at, window.start)
    return is_later or not has_left


def _index_of(context: WorkerContext, page: Page | None) -> PageIndex:
    """The index of a page; empty if the page is not done."""
    is_done = page and page.state is PageState.DONE
    return LakeReader(context.lake).read_index(page) if page and is_done else {}


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
        left_for = entry.date if isinstance(entry, Entry) and verdict is Verdict.LEFT else None
        is_present = verdict is Verdict.PRESENT
        result.missing[id_] = MissingEntry(
            context.clock(), is_present=is_present, moved_to=left_for
        )
        if isinstance(entry, FaultyEntry):
            context.lake.put_new(*quarantine(context.timeline.tenant_id, entry))
            result.quarantined += 1
            if len(result.faults) < MAX_NAMED_FAULTS:
                result.faults |= quarantined_faults(context.timeline.tenant_id, [entry])
        elif entry is not None:
            result.unlisted.append(entry)
    return gone


def _hand_over(claim: PageClaim, before: SweepInput, id_: str, result: SweepResult) -> bool:
    """Leave an entry that left to the page of its new date, if that has it: in the version
    that was published here, or in a later row.
    """
    indexed = before.index[id_]
    left = indexed.date not in claim.page.window
    page = claim.context.timeline.page_at(indexed.date) if left else None
    there = _index_of(claim.context, page).get(id_)
    if there is None:
        return False
    is_same = (there.date, there.fingerprint) == (indexed.date, indexed.fingerprint)
    if not (is_same or there.stored_at > indexed.stored_at):
        return False
    del result.missing[id_]
    result.handed_over.add(id_)
    return True
