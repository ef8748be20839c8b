"""What the planner and the worker note of the API's answers survives storage."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cpd_exporter.adapters.aws.timeline import DynamoDbTimeline
from cpd_exporter.model.page import Page, PageState
from cpd_exporter.model.reconciliation import Reconciliation, ReconciliationStep
from cpd_exporter.model.watermark import FollowUpSweep, FullSweep, Watermark
from cpd_exporter.model.window import Window
from cpd_exporter.ports import Timeline
from tests.contracts.account import TABLE
from tests.support.fakes import FakeTimeline

TENANT = "eu-west-2_AbcdEfghI"
ORIGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
NOW = datetime(2026, 3, 15, 12, 0, 0, 123456, tzinfo=UTC)
START = Watermark("timeline", ORIGIN, ORIGIN, ORIGIN, ORIGIN)
COMPARED = Reconciliation(NOW, NOW, ORIGIN)


@pytest.fixture(params=["in memory", "DynamoDB"])
def timeline(request: pytest.FixtureRequest) -> Timeline:
    if request.param == "in memory":
        return FakeTimeline(TENANT)
    account = request.getfixturevalue("account")
    return DynamoDbTimeline(account.dynamodb, TABLE, TENANT)


@pytest.mark.parametrize("counted", [None, 0, 7])
def test_a_page_keeps_its_count_and_its_last_reading(
    timeline: Timeline, counted: int | None
) -> None:
    timeline.begin(START)
    window = Window(ORIGIN, ORIGIN + DAY)
    page = Page(window, 1, "timeline", "planned", counted=counted, read_at=NOW)
    assert timeline.append([page], after=ORIGIN)
    assert timeline.page(ORIGIN) == page
    done = replace(page, state=PageState.DONE, read_at=NOW + DAY, revision="done")
    assert timeline.update(page, done)
    assert timeline.page(ORIGIN) == done


@pytest.mark.parametrize(
    ("member", "first", "second"),
    [
        (
            "full_sweep",
            FullSweep(NOW, ORIGIN, NOW),
            FullSweep(NOW, ORIGIN + DAY, NOW, previous_at=NOW - DAY),
        ),
        (
            "follow_up",
            FollowUpSweep(ORIGIN, NOW, NOW),
            FollowUpSweep(ORIGIN, NOW, NOW, requested_at=NOW + DAY),
        ),
        (
            "reconciliation",
            COMPARED,
            replace(
                COMPARED, step=ReconciliationStep.LOCATE, least=5, most=10**12, found=2, sweeps=1
            ),
        ),
        (
            "reconciliation",
            replace(COMPARED, differs_since=NOW),
            replace(COMPARED, step=ReconciliationStep.DONE, difference=4),
        ),
    ],
)
def test_the_watermark_keeps_what_is_read_again(
    timeline: Timeline, member: str, first: Any, second: Any
) -> None:
    timeline.begin(START)
    was = START
    for value in (first, second):
        becomes = replace(was, **{member: value})
        assert timeline.update_watermark(was, becomes)
        assert timeline.watermark() == becomes
        was = becomes
    assert not timeline.update_watermark(START, replace(START, **{member: first}))
