"""The page of a status: one file, in which nothing is lost and nothing runs."""

import re
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest

from cpd_exporter.model.job import EndedJob, Job, JobKind, JobOutcome
from cpd_exporter.model.page import PageState
from cpd_exporter.model.watermark import Tick, Watermark
from cpd_exporter.planner.month_table import read_months
from cpd_exporter.planner.status import read_status
from cpd_exporter.planner.summary import summarise
from local.status_page import page, text
from tests.support.fakes import FakeQueue, FakeTimeline
from tests.support.samples import START, TENANT
from tests.support.samples import page as stored_page

NOW = START + timedelta(days=100)
DAY = timedelta(days=1)


@pytest.fixture
def answer() -> dict[str, Any]:
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
    ended = Job("replay:2", JobKind.REPLAY, START, NOW, NOW, NOW - DAY, "r", counts={"replayed": 7})
    timeline.ended[ended.name] = EndedJob.of(ended, NOW, JobOutcome.GIVEN_UP, error="the lake …")
    status = read_status(timeline, FakeQueue(), lambda: NOW)
    status["months"] = read_months(timeline)
    return {"summary": summarise(status, NOW), "tenants": [status]}


class Reader(HTMLParser):
    """Checks that tags close in order, and collects what may load something."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.loads += [name for name, _ in attrs if name in ("src", "href")]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_needs_no_other_file(answer: dict[str, Any]) -> None:
    html = page(answer)
    reader = Reader()
    reader.feed(html)
    assert reader.open == []
    assert reader.loads == []
    assert "script" not in reader.tags
    assert not re.search(r"url\(|@import", html)


def test_the_page_fits_a_phone_and_both_lights(answer: dict[str, Any]) -> None:
    html = page(answer)
    assert 'name="viewport" content="width=device-width, initial-scale=1"' in html
    assert "prefers-color-scheme: dark" in html
    assert "max-width: 40rem" in html
    # No text is smaller than 14 px, so that nobody has to zoom.
    assert min(float(size) for size in re.findall(r"font-size: ([\d.]+)rem", html)) >= 0.875


def test_the_page_marks_months_holes_and_jobs(answer: dict[str, Any]) -> None:
    html = page(answer)
    assert html.count('<li class="done"') >= 2
    assert '<li class="hole" title="2026-06: 0 entries' in html
    assert '<li class="undone" title="2026-04: 2,000 entries' in html
    assert "verify:1" in html
    assert "25.0 %" in html
    assert "7 replayed" in html
    assert "&lt;b&gt;not JSON&lt;/b&gt; &amp; more" in html
    assert "<b>not JSON" not in html


def test_the_text_begins_with_the_summary(answer: dict[str, Any]) -> None:
    lines = text(answer).splitlines()
    assert lines[0] == answer["summary"]
    assert any("verify:1 · 25.0 %" in line for line in lines)


@pytest.mark.parametrize(
    "blind", [{"summary": "attention: no table", "error": {}}, {"summary": "not set up yet: …"}]
)
def test_an_answer_without_a_tenant_is_its_summary(blind: dict[str, Any]) -> None:
    assert text(blind) == blind["summary"]
    assert blind["summary"] in page(blind)


def test_a_new_stack_has_a_page() -> None:
    status = read_status(FakeTimeline(TENANT), FakeQueue(), lambda: datetime.now(UTC))
    answer = {"summary": summarise(status, datetime.now(UTC)), "tenants": [status]}
    assert "nothing is exported yet" in page(answer)
    assert "nothing is exported yet" in text(answer)
