"""Refusals that are tried again, and jobs with IDs: what the fake and DynamoDB both do."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cpd_exporter.adapters.aws.timeline import DynamoDbTimeline
from cpd_exporter.model.job import Job, JobKind
from cpd_exporter.model.refusal import Refusal
from cpd_exporter.model.window import Window
from cpd_exporter.ports import Timeline
from tests.contracts.account import TABLE
from tests.support.fakes import FakeTimeline

TENANT = "eu-west-2_AbcdEfghI"
ORIGIN = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 3, 15, 12, 0, 0, 123456, tzinfo=UTC)
WINDOW = Window(ORIGIN, ORIGIN + timedelta(days=1))
FIRST = Refusal(WINDOW, "64b7f0c2a1", "too large", NOW, "entries/a")


@pytest.fixture(params=["in memory", "DynamoDB"])
def timeline(request: pytest.FixtureRequest) -> Timeline:
    if request.param == "in memory":
        return FakeTimeline(TENANT)
    return DynamoDbTimeline(request.getfixturevalue("account").dynamodb, TABLE, TENANT)


def test_refusals_of_two_objects_are_two(timeline: Timeline) -> None:
    second = replace(FIRST, object="entries/b", since=NOW + timedelta(hours=1))
    for refusal in (FIRST, second):
        timeline.record_refusal(refusal)
    assert sorted(timeline.refusals(), key=lambda one: one.object) == [FIRST, second]


def test_an_attempt_is_kept_whole(timeline: Timeline) -> None:
    timeline.record_refusal(FIRST)
    tried = replace(FIRST.tried(NOW), error="policy")
    for _ in range(2):
        timeline.update_refusal(FIRST, tried)
    assert list(timeline.refusals()) == [tried]
    timeline.record_refusal(FIRST)
    assert list(timeline.refusals()) == [tried]


def test_an_accepted_one_is_dropped_alone_and_comes_back_by_no_late_attempt(
    timeline: Timeline,
) -> None:
    other = replace(FIRST, entry_id="other")
    for refusal in (FIRST, other):
        timeline.record_refusal(refusal)
    for _ in range(2):
        timeline.update_refusal(FIRST, None)
    timeline.update_refusal(FIRST, FIRST.tried(NOW))
    assert list(timeline.refusals()) == [other]


def test_a_refresh_keeps_its_ids_in_order_and_its_position(timeline: Timeline) -> None:
    ids = tuple(f"{number:024x}" for number in range(1000, 0, -1))
    job = Job("refresh:1", JobKind.REFRESH, NOW, NOW, NOW, NOW, "r1", entry_ids=ids)
    timeline.add_job(job)
    assert list(timeline.jobs()) == [job]
    further = replace(job, position=50, revision="r2")
    assert timeline.update_job(job, further)
    assert list(timeline.jobs()) == [further]


def test_a_refresh_of_the_longest_ids_fits_an_item(timeline: Timeline) -> None:
    ids = tuple(f"{number:06}" + "x" * 250 for number in range(1000))
    job = Job("refresh:1", JobKind.REFRESH, NOW, NOW, NOW, NOW, "r1", entry_ids=ids)
    timeline.add_job(job)
    assert list(timeline.jobs()) == [job]
