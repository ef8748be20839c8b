"""Decides which missing entries are published as deleted.

An entry is deleted if it was missing twice, at least ``deletion_delay`` apart, if the API answers
404 to its ID, and if the API finds another entry that it lists just then. More deletions than a day
allows wait for the operator.
"""

from collections.abc import Sequence
from contextlib import suppress
from enum import Enum, auto

from cpd_exporter.errors import PermanentError, TransientError
from cpd_exporter.model.deletion_quota import DeletionQuota
from cpd_exporter.model.entry import Entry, FaultyEntry
from cpd_exporter.model.page import MissingEntry, PageState
from cpd_exporter.model.page_index import IndexEntry
from cpd_exporter.model.sweep_request import SweepRequest
from cpd_exporter.model.window import Window
from cpd_exporter.worker.attempt import PageClaim
from cpd_exporter.worker.context import WorkerContext
from cpd_exporter.worker.lake_reader import LakeReader
from cpd_exporter.worker.sweep.compare import SweepInput, SweepResult

MAX_MISSING_PER_PAGE = 5000
"""Missing entries that a page notes: its item must stay small. The rest waits for a later sweep."""

MAX_LOOKUPS_PER_SWEEP = 200
"""Missing entries that a sweep looks up by ID. The rest waits for a later sweep."""

MAX_LOOKUP_OUTAGES = 3
"""Outages after which a sweep looks up no more entries one by one."""

MAX_CONTROLS = 3
"""Listed entries that a control looks up by ID."""

MAX_CONTROL_PAGES = 5
"""Offset pages on which a control searches for listed entries."""

type Found = Entry | FaultyEntry | None


class Verdict(Enum):
    """What the look-up by ID says of a missing entry."""

    GONE = auto()
    """The API answers 404."""

    FAULTY = auto()
    """The record has no readable date, so no window lists it. It is present."""

    HIDDEN = auto()
    """The entry is in the swept window, and the listing left it out."""

    MOVED = auto()
    """The entry has a date in another window."""


def classify(found: Found, window: Window) -> Verdict:
    """Judge a look-up of an entry that a sweep of ``window`` did not list."""
    if found is None:
        return Verdict.GONE
    if found.date is None:
        return Verdict.FAULTY
    return Verdict.HIDDEN if found.date in window else Verdict.MOVED


def decide_deletions(
    claim: PageClaim, before: SweepInput, missing: Sequence[str], result: SweepResult
) -> list[str]:
    """Note the missing entries in ``result``, and return those to publish as deleted now.

    Entries that moved get a sweep request for the window that they moved to.
    """
    due = _note_missing(claim, before, missing, result)
    if before.held and not before.confirmed_at:
        result.held = min(before.held, len(due))
        return []
    # The longest missing go first, so that no entry waits behind the same others for ever.
    due = sorted(due, key=lambda id_: before.missing[id_].since)[:MAX_LOOKUPS_PER_SWEEP]
    gone = _apply_verdicts(claim, before, _look_up(claim.context, due), result)
    confirmed = gone if gone and _find_control(claim.context) else []
    return _release(claim, before, confirmed, result)


def _note_missing(
    claim: PageClaim, before: SweepInput, missing: Sequence[str], result: SweepResult
) -> list[str]:
    """Note since when each entry is missing; returns those that have been for long enough."""
    now, delay = claim.context.clock(), claim.context.limits.deletion_delay
    for id_ in missing[:MAX_MISSING_PER_PAGE]:
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


def _apply_verdicts(
    claim: PageClaim, before: SweepInput, found: dict[str, Found], result: SweepResult
) -> list[str]:
    """Keep in ``result`` what the look-ups say; returns the entries that are gone."""
    context, now = claim.context, claim.context.clock()
    gone: list[str] = []
    for id_, entry in found.items():
        match classify(entry, claim.page.window):
            case Verdict.GONE:
                gone.append(id_)
            case Verdict.FAULTY:
                del result.missing[id_]
            case Verdict.HIDDEN:
                result.missing[id_] = MissingEntry(now)
            case Verdict.MOVED:
                moved_to = entry.date if entry else None
                result.missing[id_] = MissingEntry(now, moved_to=moved_to)
                if _find_newer_row(context, before.index[id_], id_, result.missing[id_]):
                    _leave_to_other_page(result, id_)
                elif moved_to:
                    stored_after = before.index[id_].stored_at
                    request = SweepRequest(moved_to, context.clock(), id_, stored_after)
                    context.timeline.request_sweep(request)
    published_there = [
        id_ for id_ in gone if _find_newer_row(context, before.index[id_], id_, result.missing[id_])
    ]
    for id_ in published_there:
        _leave_to_other_page(result, id_)
    return [id_ for id_ in gone if id_ not in result.moved_away]


def _find_newer_row(
    context: WorkerContext, indexed: IndexEntry, id_: str, missing: MissingEntry
) -> bool:
    """Look whether the page of the window that the entry moved to has published it since."""
    page = context.timeline.page_at(missing.moved_to) if missing.moved_to else None
    if page is None or page.state is not PageState.DONE:
        return False
    there = LakeReader(context.lake).index_of(page).get(id_)
    return there is not None and there.stored_at > indexed.stored_at


def _leave_to_other_page(result: SweepResult, id_: str) -> None:
    """Drop an entry here: the page that it moved to has it."""
    del result.missing[id_]
    result.moved_away.add(id_)


def _find_control(context: WorkerContext) -> bool:
    """Look whether the API finds by ID an entry that it lists.

    An API that answers 404 to every ID shows no deletion.
    """
    with suppress(PermanentError, TransientError):
        for offset_page in range(1, MAX_CONTROL_PAGES + 1):
            listed = context.api.query(None, page=offset_page, per_page=100).records
            controls = [record.id for record in listed if isinstance(record, Entry)][:MAX_CONTROLS]
            if controls:
                return any(found is not None for found in context.api.entries(controls).values())
    return False


def _release(
    claim: PageClaim, before: SweepInput, gone: Sequence[str], result: SweepResult
) -> list[str]:
    """The deletions to publish now: the confirmed ones, and as many others as the day allows.

    Held deletions stay held: a new day alone releases nothing.
    """
    confirmed_at = before.confirmed_at
    confirmed = [id_ for id_ in gone if confirmed_at and result.missing[id_].since <= confirmed_at]
    counted = [id_ for id_ in gone if id_ not in confirmed]
    released = confirmed + counted
    if counted and not _count_against_quota(claim, len(counted)):
        released, result.held = confirmed, len(result.missing) - len(confirmed)
    for id_ in released:
        del result.missing[id_]
    return released


def _count_against_quota(claim: PageClaim, deletions: int) -> bool:
    """Count these deletions as the day's, unless they exceed its quota."""
    context = claim.context
    day = f"{context.clock():%Y-%m-%d}"
    quota = context.timeline.deletion_quota(day)
    published = dict(quota.published) if quota else {}
    published[claim.page.name] = deletions
    if sum(published.values()) > context.limits.max_deletions:
        return False
    changed = DeletionQuota(day, published, context.new_token())
    if not context.timeline.update_deletion_quota(quota, changed):
        raise TransientError("another sweep counts deletions at this moment", retry_after=1)
    return True
