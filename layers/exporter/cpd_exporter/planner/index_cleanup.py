"""Removes index objects that no page names any more."""

from datetime import datetime, timedelta
from itertools import islice

from cpd_exporter.model.garbage import IndexGarbage
from cpd_exporter.model.page import Page
from cpd_exporter.ports import HasTimeLeft, PlannerLake, PlannerTimeline

INDEX_GRACE = timedelta(days=1)
"""How long an index object stays after its page was replaced: somebody may be reading it."""

MAX_NOTES_PER_TICK = 50


def remove_unnamed_indexes(
    timeline: PlannerTimeline, lake: PlannerLake, now: datetime, has_time_left: HasTimeLeft
) -> int:
    """Remove the noted objects that no page names; returns how many.

    A sweep that has reserved the page may be about to name an object: that object waits for
    another day. Once the page is free and names another object, nothing can name this one again.
    """
    removed = 0
    for note in islice(timeline.garbage(now - INDEX_GRACE), MAX_NOTES_PER_TICK):
        if not has_time_left():
            break
        in_doubt: dict[str, datetime] = {}
        page: Page | None = None
        for key, start in note.starts.items():
            if page is None or start not in page.window:
                page = timeline.page_at(start)
            if page is None:
                continue
            if page.reserved_by is not None:
                in_doubt[key] = start
            elif page.index_key != key:
                lake.delete_index(key)
                removed += 1
        if in_doubt:
            timeline.note_garbage(IndexGarbage(note.name, now, in_doubt))
        timeline.drop_garbage(note)
    return removed
