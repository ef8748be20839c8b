"""The status, as the operator gets it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from cpd_exporter.model.breaker import Breaker
from cpd_exporter.model.page import MissingEntry, Page, PageState
from cpd_exporter.model.reconciliation import Reconciliation, ReconciliationStep
from cpd_exporter.model.refusal import Refusal
from cpd_exporter.model.watermark import FilterWarning, Tick, Watermark
from cpd_exporter.planner import status as reporting
from cpd_exporter.planner.report import Answer, TickReport
from tests.support.fakes import FakeQueue, FakeTimeline
from tests.support.samples import START, TENANT, page

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
NOW = START + 10 * HOUR


def test_before_the_first_tick_there_is_nothing_to_report() -> None:
    published = reporting.read_status(FakeTimeline(TENANT), FakeQueue(), lambda: NOW)
    assert published == {
        "tenantId": TENANT,
        "exportedFrom": None,
        "exportedThrough": None,
        "plannedThrough": None,
        "lagSeconds": None,
        "pages": {"open": 0, "writing": 0, "stored": 0},
        "morePages": False,
        "sweeps": {"open": 0, "writing": 0, "stored": 0},
        "jobs": [],
        "moreJobs": 0,
        "endedJobs": [],
        "backfillPages": {"open": 0, "writing": 0, "stored": 0},
        "lastWorkAt": None,
        "oldestPage": None,
        "queue": {"waiting": 0, "inFlight": 0},
        "untouched": 0,
        "failing": [],
        "quarantinedRecords": [],
        "deletionsHeld": 0,
        "deletionsHeldSince": None,
        "heldDeletions": [],
        "unread": [],
        "unreadPages": 0,
        "quarantined": 0,
        "holes": [],
        "moreHoles": 0,
        "refusedEvents": 0,
        "fullSweep": None,
        "reconciliation": None,
        "filterCheckedAt": None,
        "filterWarning": None,
        "apiNotice": None,
        "lastTick": None,
    }


def test_the_status_reports_watermark_lag_states_holes_and_last_tick() -> None:
    timeline = FakeTimeline(TENANT)
    states = (
        PageState.DONE,
        PageState.DONE,
        PageState.OPEN,
        PageState.WRITING,
        PageState.STORED,
        PageState.OPEN,
    )
    pages = [
        page(start=START + hour * HOUR, state=state, quarantined=hour)
        for hour, state in enumerate(states)
    ]
    pages.append(
        page(start=START + 6 * HOUR, error="not JSON", hole_since=START + 8 * HOUR, attempts=5)
    )
    timeline.stored_pages = {each.window.start: each for each in pages}
    timeline.stored_watermark = Watermark(
        "e" * 16, START, START + 7 * HOUR, START, START + 2 * HOUR,
        last_tick=Tick(NOW - timedelta(minutes=1), "the API is not well"),
        filter_checked_at=START + 8 * HOUR,
        filter_warning=FilterWarning(START + 9 * HOUR, "timed out"),
    )  # fmt: skip
    timeline.record_refusal(Refusal(pages[0].window, "abc", "too large", START + 9 * HOUR, "k"))
    published = reporting.read_status(timeline, FakeQueue(), lambda: NOW)
    assert published == {
        "tenantId": TENANT,
        "exportedFrom": "2026-03-01T12:00:00Z",
        "exportedThrough": "2026-03-01T14:00:00Z",
        "plannedThrough": "2026-03-01T19:00:00Z",
        "lagSeconds": 8 * 3600,
        "pages": {"open": 3, "writing": 1, "stored": 1},
        "morePages": False,
        "sweeps": {"open": 0, "writing": 0, "stored": 0},
        "jobs": [],
        "moreJobs": 0,
        "endedJobs": [],
        "backfillPages": {"open": 0, "writing": 0, "stored": 0},
        "lastWorkAt": None,
        "oldestPage": None,
        "queue": {"waiting": 0, "inFlight": 0},
        "untouched": 0,
        "failing": [],
        "quarantinedRecords": [],
        "deletionsHeld": 0,
        "deletionsHeldSince": None,
        "heldDeletions": [],
        "unread": [],
        "unreadPages": 0,
        "quarantined": 15,
        "holes": [
            {
                "start": "2026-03-01T18:00:00Z",
                "end": "2026-03-01T19:00:00Z",
                "error": "not JSON",
                "since": "2026-03-01T20:00:00Z",
                "attempts": 5,
            },
            {
                "start": "2026-03-01T12:00:00Z",
                "end": "2026-03-01T13:00:00Z",
                "error": "entry abc: too large",
                "since": "2026-03-01T21:00:00Z",
                "object": "k",
            },
        ],
        "moreHoles": 0,
        "refusedEvents": 1,
        "fullSweep": None,
        "reconciliation": None,
        "filterCheckedAt": "2026-03-01T20:00:00Z",
        "filterWarning": {"at": "2026-03-01T21:00:00Z", "message": "timed out"},
        "apiNotice": None,
        "lastTick": {"at": "2026-03-01T21:59:00Z", "error": "the API is not well"},
    }
    assert json.loads(json.dumps(published)) == published


class CountingTimeline(FakeTimeline):
    """``read`` counts the pages that a stream over the whole timeline gave."""

    read = 0

    def pages(self, start: datetime, end: datetime | None = None) -> Iterator[Page]:
        for one in super().pages(start, end):
            self.read += 1
            yield one


def test_the_status_reads_no_page_that_is_done_and_has_no_flag() -> None:
    timeline = CountingTimeline(TENANT)
    pages = [page(60, start=START + n * MINUTE, state=PageState.DONE) for n in range(1000)]
    pages[7] = replace(pages[7], quarantined=3)
    missing = {"a": MissingEntry(START, held_at=NOW), "b": MissingEntry(START)}
    pages[8] = replace(pages[8], quarantined=1, missing=missing)
    pages[-1] = replace(pages[-1], state=PageState.OPEN, quarantined=1)
    timeline.stored_pages = {one.window.start: one for one in pages}
    timeline.stored_breaker = Breaker("1", opened_at=NOW)
    end = pages[-1].window.end
    timeline.stored_watermark = Watermark("e" * 16, START, end, START, end)
    published = reporting.read_status(timeline, FakeQueue(), lambda: end)
    assert published["pages"] == {"open": 1, "writing": 0, "stored": 0}
    assert published["quarantined"] == 5
    assert (published["deletionsHeld"], len(published["heldDeletions"])) == (1, 1)
    assert published["deletionsHeldSince"] == "2026-03-01T22:00:00Z"
    assert timeline.read == 0


def test_the_status_reads_a_bounded_number_of_flagged_pages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(reporting, "MAX_FLAGGED_PAGES", 2)
    monkeypatch.setattr(reporting, "MAX_LISTED_HELD_PAGES", 1)
    timeline = FakeTimeline(TENANT)
    missing = {"a": MissingEntry(START, held_at=NOW)}
    for n in range(3):
        faulty = page(60, start=START + n * MINUTE, state=PageState.DONE, quarantined=1)
        holding = page(60, start=START + (n + 3) * MINUTE, state=PageState.DONE, missing=missing)
        timeline.stored_pages |= {one.window.start: one for one in (faulty, holding)}
    timeline.stored_breaker = Breaker("1", opened_at=NOW)
    timeline.stored_watermark = Watermark("e" * 16, START, NOW, START, NOW)
    published = reporting.read_status(timeline, FakeQueue(), lambda: NOW)
    assert (published["quarantined"], published["deletionsHeld"]) == (2, 2)
    assert len(published["heldDeletions"]) == 1


def test_a_comparison_with_the_totals_says_how_far_it_is() -> None:
    timeline = FakeTimeline(TENANT)
    comparison = Reconciliation(
        START, NOW, NOW, ReconciliationStep.LOCATE, difference=4, differs_since=START + HOUR
    )
    timeline.stored_watermark = Watermark(
        "e" * 16, START, NOW, START, NOW, reconciliation=comparison
    )
    published = reporting.read_status(timeline, FakeQueue(), lambda: NOW)
    assert published["reconciliation"] == {
        "begun": "2026-03-01T12:00:00Z",
        "step": "locate",
        "differsSince": "2026-03-01T13:00:00Z",
        "difference": 4,
    }


def test_an_answer_tells_the_whole_tick() -> None:
    tick = TickReport(TENANT, 1, 2, 3, 4, 5, 6, None, NOW, START, None, held=7, api_notice="n")
    assert reporting.answer_json(Answer({"requested": "verify"}, tick)) == {
        "tenants": [
            {
                "tenantId": TENANT,
                "planned": 1,
                "sent": 2,
                "undone": 3,
                "sweeps": 4,
                "jobs": 5,
                "holes": 6,
                "deletionsHeld": 7,
                "plannedThrough": "2026-03-01T22:00:00Z",
                "exportedThrough": "2026-03-01T12:00:00Z",
                "filterWarning": None,
                "apiNotice": "n",
                "requested": "verify",
            }
        ]
    }


def test_the_log_says_how_old_the_oldest_reading_is() -> None:
    report = TickReport("t", 0, 0, 0, 0, 0, 0, None, NOW, NOW - HOUR, None)
    fields = {"lagSeconds": 3600, "holeAgeSeconds": None, "reconcileDifference": 0}
    assert reporting.tick_fields(report, NOW) == fields | {"oldestReadingSeconds": None}
    read = replace(report, oldest_reading=NOW - 2 * HOUR, oldest_hole=NOW - MINUTE)
    fields |= {"holeAgeSeconds": 60, "oldestReadingSeconds": 7200}
    assert reporting.tick_fields(read, NOW) == fields


def test_what_was_held_under_a_breaker_that_is_gone_is_not_held() -> None:
    timeline = FakeTimeline(TENANT)
    missing = {"a": MissingEntry(START, held_at=NOW)}
    timeline.stored_pages[START] = page(state=PageState.DONE, missing=missing)
    published = reporting.read_status(timeline, FakeQueue(), lambda: NOW)
    assert (published["deletionsHeld"], published["heldDeletions"]) == (0, [])
