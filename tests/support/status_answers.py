"""Answers to `status`, as a stack in trouble gives them."""

from datetime import timedelta
from typing import Any

from cpd_exporter.model.job import EndedJob, Job, JobKind, JobOutcome
from cpd_exporter.model.page import PageState
from cpd_exporter.model.watermark import Tick, Watermark
from cpd_exporter.planner.month_table import read_months
from cpd_exporter.planner.status import read_status
from cpd_exporter.planner.summary import summarise
from tests.support.fakes import FakeQueue, FakeTimeline
from tests.support.samples import START, TENANT
from tests.support.samples import page as stored_page

NOW = START + timedelta(days=100)
DAY = timedelta(days=1)


def troubled_answer() -> dict[str, Any]:
    """Months in each state, a hole, a job under way and one that was given up."""
    timeline = FakeTimeline(TENANT)
    states = (PageState.DONE, PageState.OPEN, PageState.DONE)
    for month, state in enumerate(states):
        one = stored_page(start=START + 31 * month * DAY, state=state, entries=1000 * (month + 1))
        timeline.stored_pages[one.window.start] = one
    failed = stored_page(
        start=START + 95 * DAY, hole_since=NOW - DAY, error="<b>not JSON</b> & more", attempts=5
    )
    timeline.stored_pages[failed.window.start] = failed
    timeline.stored_watermark = Watermark(
        "e" * 16, START, NOW, START, START + DAY, last_tick=Tick(NOW)
    )
    job = Job("verify:1", JobKind.VERIFY, START, NOW, START + 25 * DAY, NOW - DAY, "r")
    timeline.add_job(job)
    timeline.add_job(Job("ping:3", JobKind.PING, NOW, NOW, NOW, NOW, "r"))
    ended = Job("replay:2", JobKind.REPLAY, START, NOW, NOW, NOW - DAY, "r", counts={"replayed": 7})
    timeline.ended[ended.name] = EndedJob.of(ended, NOW, JobOutcome.GIVEN_UP, error="the lake …")
    status = read_status(timeline, FakeQueue(), lambda: NOW)
    status["months"] = read_months(timeline)
    return {"summary": summarise(status, NOW), "tenants": [status]}


def long_answer() -> dict[str, Any]:
    """The same of ten years, with an error of many words and one of a single long one."""
    answer = troubled_answer()
    [status] = answer["tenants"]
    [_, first, *_] = status["months"]
    status["months"] = [
        first | {"month": f"{2016 + number // 12}-{number % 12 + 1:02}", "entries": 997 * number}
        for number in range(120)
    ]
    [hole] = status["holes"]
    words = "the API listed an entry of another day: is FilterTimeZone right? " * 4
    status["holes"] = [hole | {"error": words}, hole | {"error": "x" * 300}]
    for one in (*status["jobs"], *status["endedJobs"]):
        one["error"] = words
    return answer
