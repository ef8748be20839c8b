"""The months of the timeline, counted."""

from datetime import timedelta

from cpd_exporter.model.page import PageState
from cpd_exporter.model.watermark import Watermark
from cpd_exporter.planner.month_table import read_months
from tests.support.fakes import FakeTimeline
from tests.support.samples import START, TENANT, page

HOUR = timedelta(hours=1)
MONTH = timedelta(days=31)


def test_before_the_first_tick_there_are_no_months() -> None:
    assert read_months(FakeTimeline(TENANT)) == []


def test_each_month_counts_its_pages_by_state() -> None:
    timeline = FakeTimeline(TENANT)
    pages = [
        page(state=PageState.DONE, entries=5, quarantined=2, reserved_by="sweep"),
        page(start=START + HOUR, state=PageState.DONE, entries=4, quarantined=1),
        page(start=START + 2 * HOUR),
        page(start=START + 3 * HOUR, hole_since=START),
        page(start=START + MONTH, state=PageState.DONE, entries=1),
        page(start=START + MONTH + HOUR, state=PageState.STORED),
    ]
    timeline.stored_pages = {each.window.start: each for each in pages}
    end = pages[-1].window.end
    timeline.stored_watermark = Watermark("e" * 16, START, end, START, START)
    assert read_months(timeline) == [
        {
            "month": "2026-03",
            "entries": 9,
            "quarantined": 3,
            "done": 2,
            "undone": 1,
            "holes": 1,
            "swept": 1,
        },
        {
            "month": "2026-04",
            "entries": 1,
            "quarantined": 0,
            "done": 1,
            "undone": 1,
            "holes": 0,
            "swept": 0,
        },
    ]
