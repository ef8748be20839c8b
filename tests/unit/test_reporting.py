"""The status, as the operator gets it."""

import json
from datetime import timedelta

from cpd_exporter.model.page import PageState
from cpd_exporter.model.refusal import Refusal
from cpd_exporter.model.watermark import Tick, Watermark
from cpd_exporter.planner import status as reporting
from tests.support.fakes import FakeTimeline
from tests.support.samples import START, TENANT, page

HOUR = timedelta(hours=1)
NOW = START + 10 * HOUR


def test_before_the_first_tick_there_is_nothing_to_tell() -> None:
    told = reporting.read_status(FakeTimeline(TENANT), lambda: NOW)
    assert told == {
        "tenantId": TENANT,
        "exportedFrom": None,
        "exportedThrough": None,
        "plannedThrough": None,
        "lagSeconds": None,
        "pages": {"open": 0, "writing": 0, "stored": 0},
        "sweeps": {"open": 0, "writing": 0, "stored": 0},
        "jobs": [],
        "deletionsHeld": 0,
        "deletionsHeldSince": None,
        "heldDeletions": [],
        "quarantined": 0,
        "holes": [],
        "lastTick": None,
    }


def test_the_status_tells_watermark_lag_states_holes_and_last_tick() -> None:
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
    )  # fmt: skip
    timeline.record_refusal(Refusal(pages[0].window, "abc", "too large", START + 9 * HOUR))
    told = reporting.read_status(timeline, lambda: NOW)
    assert told == {
        "tenantId": TENANT,
        "exportedFrom": "2026-03-01T12:00:00Z",
        "exportedThrough": "2026-03-01T14:00:00Z",
        "plannedThrough": "2026-03-01T19:00:00Z",
        "lagSeconds": 8 * 3600,
        "pages": {"open": 3, "writing": 1, "stored": 1},
        "sweeps": {"open": 0, "writing": 0, "stored": 0},
        "jobs": [],
        "deletionsHeld": 0,
        "deletionsHeldSince": None,
        "heldDeletions": [],
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
            },
        ],
        "lastTick": {"at": "2026-03-01T21:59:00Z", "error": "the API is not well"},
    }
    assert json.loads(json.dumps(told)) == told
