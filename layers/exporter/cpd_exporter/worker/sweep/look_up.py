"""Looks missing entries up by ID, and finds out whether such look-ups can be believed."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import batched, islice

from cpd_exporter.errors import LookUpError, PermanentError, TransientError
from cpd_exporter.model.entry import Entry, Found
from cpd_exporter.model.page import Page, PageState
from cpd_exporter.model.window import Window
from cpd_exporter.source.by_id import find_by_id
from cpd_exporter.worker.attempt import PageClaim

MAX_LOOK_UPS = 200
"""Missing entries that a sweep looks up by ID. The rest waits for a later sweep."""

LOOK_UP_TIME, CONTROL_TIME = timedelta(seconds=60), timedelta(seconds=30)
"""How long a sweep asks for missing entries, and then for a control: well within its lease."""

MAX_OUTAGES = 3
"""Failures after which entries are looked up only if the API finds a control."""

MAX_FAILURES = 20
"""Failures after which a sweep looks no more entries up: each takes seconds."""

MAX_CONTROLS = 3
"""Listed entries of one listing that a control looks up."""

MAX_CONTROL_PAGES = 5
"""Offset pages of an unfiltered listing on which a control searches for listed entries."""

MAX_PAGES_BESIDE = 100
"""Pages on either side of a window among which a control searches for one with entries."""


@dataclass(slots=True)
class LookUps:
    """The look-ups of one sweep: which entries the API ``found`` (``None``: it answers 404), and
    over which it ``failed``.
    """

    claim: PageClaim
    found: dict[str, Found] = field(default_factory=dict)
    failed: dict[str, LookUpError] = field(default_factory=dict)

    def ask(self, ids: Sequence[str]) -> None:
        """Ask for entries, in this order, until time or failures end it: what is not asked for
        then is neither found nor failed.

        One that fails holds up none of the others, up to ``MAX_FAILURES``, unless the API finds no
        control either.
        """
        if not ids:
            return
        self.claim.renew_lease()
        at_once = self.claim.context.limits.lookups_at_once
        until, is_well = self._now + LOOK_UP_TIME, False
        for some in batched(ids, at_once, strict=False):
            found, failed = find_by_id(self.claim.context.api, some)
            self.found |= found
            self.failed |= failed
            if len(self.failed) >= MAX_FAILURES or self._now >= until:
                break
            if len(self.failed) >= MAX_OUTAGES and not is_well:
                if not self.finds_control():
                    break
                is_well = True

    def finds_control(self) -> bool:
        """Whether the API finds by ID an entry that it lists: in the window, beside it, or
        anywhere.

        An API that answers 404 to every ID shows no deletion. One that cannot list everything can
        list a window.
        """
        failures, until = 0, self._now + CONTROL_TIME
        for ids in self._controls():
            is_answered = False
            for id_ in ids:
                found, failed = find_by_id(self.claim.context.api, [id_])
                if found.get(id_) is not None:
                    return True
                is_answered = is_answered or id_ in found
                failures += len(failed)
                if failures == MAX_OUTAGES or self._now >= until:
                    return False
            if is_answered:
                return False
        return False

    def _controls(self) -> Iterator[list[str]]:
        """Entries that the API lists, by place. A place that it cannot list is passed over."""
        for place in self._places():
            with suppress(PermanentError, TransientError):
                for number in range(1, 2 if place else MAX_CONTROL_PAGES + 1):
                    listing = self.claim.context.api.query(place, page=number, per_page=100)
                    listed = [one.id for one in listing.records if isinstance(one, Entry)]
                    if ids := listed[:MAX_CONTROLS]:
                        yield ids
                        break

    def _places(self) -> Iterator[Window | None]:
        timeline, window = self.claim.context.timeline, self.claim.page.window
        yield window
        yield from _with_entries(timeline.pages_before(window.start))
        yield from _with_entries(timeline.pages(window.end))
        yield None

    @property
    def _now(self) -> datetime:
        return self.claim.context.clock()


def _with_entries(pages: Iterable[Page]) -> Iterator[Window]:
    """The window of the first page that has entries, if there is one nearby."""
    near = islice(pages, MAX_PAGES_BESIDE)
    done = (page.window for page in near if page.state is PageState.DONE and page.entries)
    return islice(done, 1)
