"""Looks missing entries up by ID, and finds out whether such look-ups can be believed."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice

from cpd_exporter.errors import PermanentError, TransientError
from cpd_exporter.model.entry import Entry, FaultyEntry
from cpd_exporter.model.page import Page, PageState
from cpd_exporter.model.window import Window
from cpd_exporter.worker.context import WorkerContext

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

type Found = Entry | FaultyEntry | None
type LookUpError = PermanentError | TransientError


def look_up(
    context: WorkerContext, window: Window, ids: Sequence[str]
) -> tuple[dict[str, Found], dict[str, LookUpError]]:
    """The entries by ID, and the errors of those over which the API fails.

    One that fails holds up none of the others, up to ``MAX_FAILURES``, unless the API finds no
    control either. What is not asked for then is in neither.
    """
    if not ids:
        return {}, {}
    with suppress(PermanentError, TransientError):
        return context.api.entries(ids), {}
    found: dict[str, Found] = {}
    failed: dict[str, LookUpError] = {}
    for id_ in ids:
        try:
            found |= context.api.entries([id_])
        except (PermanentError, TransientError) as error:
            failed[id_] = error
            is_out = len(failed) == MAX_OUTAGES and not finds_control(context, window)
            if is_out or len(failed) == MAX_FAILURES:
                break
    return found, failed


def finds_control(context: WorkerContext, window: Window) -> bool:
    """Whether the API finds by ID an entry that it lists: in the window, beside it, or anywhere.

    An API that answers 404 to every ID shows no deletion. One that cannot list everything can list
    a window.
    """
    failures = 0
    for ids in _controls(context, window):
        is_answered = False
        for id_ in ids:
            try:
                if context.api.entries([id_])[id_] is not None:
                    return True
                is_answered = True
            except (PermanentError, TransientError):
                failures += 1
                if failures == MAX_OUTAGES:
                    return False
        if is_answered:
            return False
    return False


def _controls(context: WorkerContext, window: Window) -> Iterator[list[str]]:
    """Entries that the API lists, by place. A place that it cannot list is passed over."""
    for place in _places(context, window):
        with suppress(PermanentError, TransientError):
            for number in range(1, 2 if place else MAX_CONTROL_PAGES + 1):
                records = context.api.query(place, page=number, per_page=100).records
                if ids := [one.id for one in records if isinstance(one, Entry)][:MAX_CONTROLS]:
                    yield ids
                    break


def _places(context: WorkerContext, window: Window) -> Iterator[Window | None]:
    timeline = context.timeline
    yield window
    yield from _with_entries(timeline.pages_before(window.start))
    yield from _with_entries(timeline.pages(window.end))
    yield None


def _with_entries(pages: Iterable[Page]) -> Iterator[Window]:
    """The window of the first page that has entries, if there is one nearby."""
    near = islice(pages, MAX_PAGES_BESIDE)
    done = (page.window for page in near if page.state is PageState.DONE and page.entries)
    return islice(done, 1)
