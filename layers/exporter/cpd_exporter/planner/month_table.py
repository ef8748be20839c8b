"""Each month of the timeline in a line: for a look that may read all of it."""

from collections import Counter
from itertools import islice
from typing import Any

from cpd_exporter.model.page import Page, PageState
from cpd_exporter.planner.backlog import MAX_UNDONE_PAGES
from cpd_exporter.ports import PageStore


def read_months(timeline: PageStore) -> list[dict[str, Any]]:
    """Count pages by state and entries of each month, the oldest first.

    It reads all pages, up to ``MAX_UNDONE_PAGES``: the newest, where there are more.
    """
    watermark = timeline.watermark()
    if watermark is None:
        return []
    months: dict[str, Counter[str]] = {}
    for page in islice(timeline.pages_before(watermark.planned_through), MAX_UNDONE_PAGES):
        counts = months.setdefault(f"{page.window.start:%Y-%m}", Counter())
        counts["entries"] += page.entries
        counts["quarantined"] += page.quarantined
        counts["swept"] += page.reserved_by is not None
        counts[_state(page)] += 1
    names = ("entries", "quarantined", "done", "undone", "holes", "swept")
    return [
        {"month": month} | {name: counts[name] for name in names}
        for month, counts in sorted(months.items())
    ]


def _state(page: Page) -> str:
    if page.hole_since is not None:
        return "holes"
    return "done" if page.state is PageState.DONE else "undone"
