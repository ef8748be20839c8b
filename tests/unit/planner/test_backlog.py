"""Which pages find room in the queue, and in which order."""

from collections import deque
from dataclasses import replace
from datetime import timedelta

import pytest

from cpd_exporter.model.resend_policy import ResendPolicy
from cpd_exporter.model.watermark import Watermark
from cpd_exporter.planner import backlog as backlog_module
from cpd_exporter.planner.backlog import Backlog, pages_to_send, read_backlog
from cpd_exporter.planner.limits import PlannerLimits
from cpd_exporter.planner.slicer import SlicePolicy
from tests.support.fakes import FakeTimeline
from tests.support.samples import START, TENANT, page

LIMITS = PlannerLimits(
    origin=START,
    resend_policy=ResendPolicy(in_queue=timedelta(minutes=6)),
    slice_policy=SlicePolicy(settle=timedelta(minutes=2)),
    max_outstanding_pages=40,
)


def test_pages_that_an_outage_struck_come_behind_sound_and_past_ones() -> None:
    at = [START + timedelta(hours=hour) for hour in range(4)]
    struck = page(start=at[0], error="504", lease_until=START, attempts=1)
    sound = page(start=at[1], error="rows contradict each other", attempts=1)
    past, new = page(start=at[2]), page(start=at[3])
    backlog = Backlog(due_again=deque([sound, struck]), outages=1)
    assert pages_to_send(backlog, [new], [past], LIMITS) == [new, sound, past, struck]


def test_the_more_pages_met_an_outage_the_less_is_sent() -> None:
    due = deque(page(start=START + timedelta(hours=hour)) for hour in range(60))
    sent = [
        len(pages_to_send(Backlog(due_again=due, outages=n), [], [], LIMITS)) for n in (0, 1, 9)
    ]
    assert sent == sorted(sent, reverse=True)
    assert len(set(sent)) == 3


def test_beyond_its_bound_a_tick_reads_the_newest_pages_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(backlog_module, "MAX_UNDONE_PAGES", 3)
    timeline = FakeTimeline(TENANT)
    for hour in range(10):
        start = START + timedelta(hours=hour)
        timeline.stored_pages[start] = page(start=start, generation=2)
    end = START + timedelta(hours=10)
    watermark = Watermark("e" * 16, START, end, START, START)
    limits = replace(LIMITS, max_outstanding_pages=2)
    read = read_backlog(timeline, watermark, limits, end)
    assert [one.window.end for one in read.due_again] == [end - timedelta(hours=1), end]
