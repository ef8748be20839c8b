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
"""Outages after which entries are looked up only if the API finds a control."""

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
) -> tuple[dict[str, Found], LookUpError | None]:
    """The entries by ID, as far as the API answers, and the error of the last that it does not.

    One that fails holds up none of the others, unless the API finds no control either.
    """
    if not ids:
        return {}, None
    with suppress(PermanentError, TransientError):
        return context.api.entries(ids), None
    found: dict[str, Found] = {}
    last: LookUpError | None = None
    outages = 0
    for id_ in ids:
        try:
            found |= context.api.entries([id_])
        except (PermanentError, TransientError) as error:
            last = error
            outages += isinstance(error, TransientError)
            if outages == MAX_OUTAGES and not finds_control(context, window):
                break
    return found, last


def finds_control(context: WorkerContext, window: Window) -> bool:
    """Whether the API finds by ID an entry that it lists: in the window, beside it, or anywhere.

    An API that answers 404 to every ID shows no deletion. One that cannot list everything can list
    a window.
    """
    for place in _places(context, window):
        with suppress(PermanentError, TransientError):
            for number in range(1, 2 if place else MAX_CONTROL_PAGES + 1):
                records = context.api.query(place, page=number, per_page=100).records
                controls = [one.id for one in records if isinstance(one, Entry)]
                answers = list(_answers(context, controls[:MAX_CONTROLS]))
                if answers:
                    return any(answer is not None for answer in answers)
    return False


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


def _answers(context: WorkerContext, ids: Sequence[str]) -> Iterator[Found]:
    """What the API answers, up to the first entry; a look-up that fails is no answer."""
    for id_ in ids:
        with suppress(PermanentError, TransientError):
            found = context.api.entries([id_])[id_]
            yield found
            if found is not None:
                return
