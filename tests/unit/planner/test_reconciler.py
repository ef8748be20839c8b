"""The daily comparison: what a new one takes over, and which months it finds."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import count

from cpd_exporter.model.entry import Listing
from cpd_exporter.model.page import PageState
from cpd_exporter.model.reconciliation import Reconciliation, ReconciliationStep
from cpd_exporter.model.watermark import FollowUpSweep, Watermark
from cpd_exporter.model.window import Window
from cpd_exporter.planner.reconciler import RECONCILE_INTERVAL, Reconciler
from tests.support.fakes import FakeTimeline
from tests.support.samples import TENANT, listing, page
from tests.support.scripted_api import ScriptedApi

JANUARY, FEBRUARY, MARCH, END = (datetime(2026, month, 1, tzinfo=UTC) for month in (1, 2, 3, 4))
NOW = END + timedelta(days=9)
YESTERDAY = NOW - RECONCILE_INTERVAL


class CountingApi(ScriptedApi):
    """Counts so many entries in each month, and lists none."""

    def __init__(self, totals: Mapping[datetime, int]) -> None:
        super().__init__()
        self.totals = totals

    def query(self, window: Window | None, *, page: int = 1, per_page: int = 1000) -> Listing:
        assert window is not None
        within = window.widened(timedelta(seconds=1))
        total = sum(n for month, n in self.totals.items() if within.start < month < window.end)
        self.answers = [listing(total=total)]
        return super().query(window, page=page, per_page=per_page)


def timeline_with(last: Reconciliation | None) -> FakeTimeline:
    """Three months, each a page of ten entries."""
    timeline = FakeTimeline(TENANT)
    for start, end in ((JANUARY, FEBRUARY), (FEBRUARY, MARCH), (MARCH, END)):
        seconds = (end - start) // timedelta(seconds=1)
        timeline.stored_pages[start] = page(seconds, start=start, state=PageState.DONE, entries=10)
    timeline.stored_watermark = Watermark(
        "e" * 16, JANUARY, END, JANUARY, END,
        follow_up=FollowUpSweep(JANUARY, END, YESTERDAY, requested_at=YESTERDAY),
        reconciliation=last,
    )  # fmt: skip
    return timeline


def advance(
    timeline: FakeTimeline, totals: Mapping[datetime, int], *, has_time_left: bool = True
) -> Reconciliation:
    tokens = map(str, count())
    watermark = timeline.stored_watermark
    assert watermark is not None
    api = CountingApi(totals)
    Reconciler(api, timeline, lambda: NOW, tokens.__next__, lambda: has_time_left).advance(
        watermark
    )
    after = timeline.stored_watermark
    assert after is not None
    assert after.reconciliation is not None
    return after.reconciliation


def test_a_new_comparison_keeps_the_last_difference_until_it_knows_better() -> None:
    done = ReconciliationStep.DONE
    last = Reconciliation(YESTERDAY, END, END, done, difference=3, differs_since=YESTERDAY)
    begun = advance(timeline_with(last), {}, has_time_left=False)
    assert begun == Reconciliation(NOW, END, JANUARY, difference=3, differs_since=YESTERDAY)


def test_the_first_comparison_begins_without_a_difference() -> None:
    assert advance(timeline_with(None), {}, has_time_left=False) == Reconciliation(
        NOW, END, JANUARY, difference=0
    )


def test_only_the_month_that_differs_is_swept() -> None:
    last = Reconciliation(
        YESTERDAY, END, END, ReconciliationStep.DONE, differs_since=YESTERDAY - timedelta(days=1)
    )
    timeline = timeline_with(last)
    found = advance(timeline, {JANUARY: 10, FEBRUARY: 12, MARCH: 10})
    assert (found.difference, found.sweeps) == (2, 1)
    assert [job.name for job in timeline.jobs()] == ["sweep:reconcile:2026-02"]
