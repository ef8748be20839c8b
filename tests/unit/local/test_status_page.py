"""The page of a status: one file, in which nothing is lost and nothing runs."""

import re
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest

from cpd_exporter.planner.status import read_status
from cpd_exporter.planner.summary import summarise
from local.places import ROOT
from local.status_page import (
    DOLLARS_A_MILLION_ENTRIES,
    DOLLARS_AN_IDLE_MONTH,
    page,
    text,
)
from tests.support.fakes import FakeQueue, FakeTimeline
from tests.support.samples import TENANT
from tests.support.status_answers import troubled_answer


@pytest.fixture
def answer() -> dict[str, Any]:
    return troubled_answer()


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
    assert "ping:3 ·  ·" in "\n".join(lines)


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
    assert "None" not in text(answer)


def test_months_come_last_without_the_empty_ones_before_the_first_entry(
    answer: dict[str, Any],
) -> None:
    [status] = answer["tenants"]
    [first, *_] = status["months"]
    empty = first | {"entries": 0, "undone": 0, "holes": 0}
    status["months"] = [empty | {"month": "2001-01"}, empty, *status["months"], empty]
    html = page(answer)
    assert "2 months before have no entry." in html
    assert "2001-01" not in html
    assert html.count('<li class="done" title') == 3
    assert html.index("<h2>Holes") < html.index("<h2>Months")


def test_no_line_breaks_within_an_instant(answer: dict[str, Any]) -> None:
    assert '">at work: exported through <time>' in page(
        answer | {"summary": f"at work: exported through {answer['tenants'][0]['exportedThrough']}"}
    )
    assert "<td><time>2026-06-04T12:00:00Z</time></td>" in page(answer)


def test_the_costs_are_those_of_the_page_on_costs() -> None:
    sums = re.findall(r"\| \*\*all\*\* \| \| \*\*([\d.]+)\*\*", (ROOT / "docs/cost.md").read_text())
    assert [round(float(one), 2) for one in sums] == [
        DOLLARS_AN_IDLE_MONTH,
        DOLLARS_A_MILLION_ENTRIES,
    ]
