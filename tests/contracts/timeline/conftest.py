"""Pages and sweeps for the timeline's contract."""

import pytest

from cpd_exporter.adapters.aws.timeline import DynamoDbTimeline
from cpd_exporter.model.page import (
    Page,
)
from cpd_exporter.ports import Timeline
from tests.contracts.account import TABLE
from tests.support.fakes import FakeTimeline
from tests.support.timelines import ORIGIN, START, TENANT, days


@pytest.fixture(params=["in memory", "DynamoDB"])
def timeline(request: pytest.FixtureRequest) -> Timeline:
    if request.param == "in memory":
        return FakeTimeline(TENANT)
    account = request.getfixturevalue("account")
    return DynamoDbTimeline(account.dynamodb, TABLE, TENANT)


@pytest.fixture
def planned(timeline: Timeline) -> list[Page]:
    """Three pages of a day each."""
    timeline.begin(START)
    pages = days(0, 3)
    assert timeline.append(pages, after=ORIGIN)
    return pages
