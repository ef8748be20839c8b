"""Decides which missing entries are published as deleted.

An entry is deleted if the API twice answers 404 to its ID, at least ``deletion_delay`` apart, while
the entry is missing in each listing, and if the API then finds another entry that it lists.
Deletions beyond those that a day allows open the tenant's breaker, which holds them until the
operator confirms.

An entry that the API has at a date outside the window has left. The sweep publishes its new version
and keeps it in the index, until the page of its new date has it too: till then, nobody else would
publish what becomes of it. Of an entry that left and was deleted, the page of its last date
publishes the deletion, if it has the entry.
"""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from enum import Enum, auto
from itertools import zip_longest

from cpd_exporter.errors import LakeError
from cpd_exporter.model.breaker import Breaker
from cpd_exporter.model.entry import Entry, FaultyEntry, Found
from cpd_exporter.model.page import MissingEntry
from cpd_exporter.model.row import MAX_NAMED_FAULTS, quarantine, quarantined_faults
from cpd_exporter.model.window import Window
from cpd_exporter.worker.attempt import PageClaim
from cpd_exporter.worker.sweep.compare import SweepInput, SweepResult
from cpd_exporter.worker.sweep.day_limit import NEW_BREAKER, count_as_published, hold
from cpd_exporter.worker.sweep.look_up import MAX_LOOK_UPS, LookUps
from cpd_exporter.worker.sweep.other_pages import OtherPages

MAX_MISSING_PER_PAGE = 5000
MAX_MISSING_BYTES = 300_000
"""Missing entries that a page notes: its item holds 400 KB. The rest waits for a later sweep."""

BYTES_PER_MISSING = 80
"""What a missing entry takes in the page's item besides its ID."""


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
    return _Decision(claim, before, result).decide(missing)


class _Decision:
    """What becomes of the missing entries of one sweep."""

    def __init__(self, claim: PageClaim, before: SweepInput, result: SweepResult) -> None:
        self._claim, self._before, self._result = claim, before, result
        self._now, self._delay = claim.context.clock(), claim.context.limits.deletion_delay
        self._look_ups = LookUps(claim)
        self._others = OtherPages(claim.context, claim.page.window)

    def decide(self, missing: Sequence[str]) -> list[str]:
        """Note the missing entries, and ask for those that wait; returns the deleted ones."""
        result, known = self._result, self._result.missing
        self._note(missing)
        is_held = any(entry.held_at for entry in known.values())
        breaker = (self._claim.context.timeline.breaker() if is_held else None) or NEW_BREAKER
        waiting = self._waiting(breaker)
        self._look_ups.ask(self._hand_over(waiting[:MAX_LOOK_UPS]))
        unanswered = [id_ for id_ in self._look_ups.found if not known[id_].is_answered]
        gone = self._gone()
        if gone and not self._look_ups.finds_control():
            result.unjudged += len(gone)
            result.error = f"the API finds by ID neither {gone[0]} nor any entry that it lists"
            gone = []
        self._note_failed()
        done = len(self._look_ups.found) + len(self._look_ups.failed) + len(result.handed_over)
        # Nothing new is missing, and the next look-ups are of others: so this ends.
        is_growing = any(id_ not in self._before.missing for id_ in known)
        result.sweep_again = len(waiting) > done and bool(unanswered or gone) and not is_growing
        confirmed = [id_ for id_ in gone if breaker.confirms(known[id_])]
        unconfirmed = [id_ for id_ in gone if id_ not in confirmed]
        if unconfirmed and not count_as_published(self._claim, len(unconfirmed)):
            hold(self._claim, unconfirmed, result)
            unconfirmed = []
        for id_ in (released := confirmed + unconfirmed):
            del known[id_]
        return released

    def _note(self, missing: Sequence[str]) -> None:
        """Note what is missing, as far as a page can."""
        noted, size = self._before.missing, 0
        # Those that were noted before come first: a held deletion stays held.
        for id_ in sorted(missing, key=lambda id_: id_ not in noted)[:MAX_MISSING_PER_PAGE]:
            size += len(id_.encode()) + BYTES_PER_MISSING
            if size > MAX_MISSING_BYTES:
                break
            self._result.missing[id_] = noted.get(id_, MissingEntry(self._now))

    def _waiting(self, breaker: Breaker) -> list[str]:
        """The entries to ask for now, those first that were asked for longest ago, so that none
        waits behind the same others for ever. Those that the API had when it was last asked, which
        may be many for good, alternate with the others.
        """
        known = self._result.missing
        waiting = [
            id_
            for id_, entry in known.items()
            if not breaker.holds(entry) and (not entry.is_answered or self._is_due(entry))
        ]
        waiting.sort(key=lambda id_: known[id_].failed_at or known[id_].since)
        there = [id_ for id_ in waiting if known[id_].is_answered and not known[id_].is_gone]
        others = [id_ for id_ in waiting if not known[id_].is_answered or known[id_].is_gone]
        return [id_ for pair in zip_longest(others, there) for id_ in pair if id_ is not None]

    def _is_due(self, entry: MissingEntry) -> bool:
        return self._now - entry.since >= self._delay

    def _hand_over(self, ids: Sequence[str]) -> list[str]:
        """Hand entries over that the pages of their new dates follow; returns the others."""
        own: list[str] = []
        for id_ in ids:
            # The sweep of a page whose index is damaged says so itself.
            with suppress(LakeError):
                if self._others.follow(id_, self._before.index[id_]):
                    del self._result.missing[id_]
                    self._result.handed_over.add(id_)
                    continue
            own.append(id_)
        return own

    def _gone(self) -> list[str]:
        """Apply what the API answered; returns the entries whose deletion is ours to publish."""
        gone: list[str] = []
        for id_, answer in self._look_ups.found.items():
            known = self._result.missing[id_]
            if not (answer is None and known.is_gone):
                self._apply(id_, answer)
            elif not self._is_left_to_another_page(id_, known):
                gone.append(id_)
                self._result.missing[id_] = replace(known, failed_at=None)
        return gone

    def _apply(self, id_: str, answer: Found) -> None:
        """Note an answer. The first one to an ID is only noted: the page to which the entry moved
        may publish it.

        Nobody can publish a record that cannot be understood, so its entry's last version stays the
        current one. Quarantine keeps the record: perhaps no window lists it.
        """
        result, known, window = self._result, self._result.missing[id_], self._claim.page.window
        verdict = classify(answer, window)
        if verdict is Verdict.GONE:
            result.missing[id_] = MissingEntry(self._now, is_gone=True, moved_to=known.moved_to)
            return
        moved_to = answer.date if isinstance(answer, Entry) and verdict is Verdict.LEFT else None
        is_present = verdict is Verdict.PRESENT
        result.missing[id_] = MissingEntry(self._now, is_present=is_present, moved_to=moved_to)
        if not known.is_answered:
            return
        if isinstance(answer, FaultyEntry):
            context = self._claim.context
            context.lake.put_new(*quarantine(context.timeline.tenant_id, answer))
            result.quarantined += 1
            if len(result.faults) < MAX_NAMED_FAULTS:
                result.faults |= quarantined_faults(context.timeline.tenant_id, [answer])
        elif answer is not None:
            result.unlisted.append(answer)

    def _is_left_to_another_page(self, id_: str, known: MissingEntry) -> bool:
        """Whether the page to which an entry moved, before it was gone, publishes the deletion."""
        if known.moved_to is None:
            return False
        own = self._before.index[id_]
        try:
            is_left = self._others.publish_deletion(id_, own, known.moved_to)
        except LakeError as error:
            self._result.unjudged += 1
            self._result.error = f"missing entry {id_} cannot be judged: {error}"
            is_left = True
        if is_left:
            self._result.missing[id_] = replace(known, since=self._now, failed_at=None)
        return is_left

    def _note_failed(self) -> None:
        """Note over which entries the API fails, and say so of all that are due."""
        result, failed = self._result, self._look_ups.failed
        for id_ in failed:
            result.missing[id_] = replace(result.missing[id_], failed_at=self._now)
        unread = [id_ for id_, one in result.missing.items() if one.failed_at and self._is_due(one)]
        if unread:
            result.unjudged += len(unread)
            *_, id_ = [one for one in unread if one in failed] or unread
            reason = f"{failed[id_]}" if id_ in failed else "the API fails over it"
            result.error = f"missing entry {id_} cannot be looked up: {reason}"
