"""A run is complete only if the API, the lake and the notifications agree."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import cast

import pytest

from local.driver import Progress
from local.errors import UserError
from local.lake import LakeCopy
from local.sources import Comparison
from local.subscriber import Subscriber
from local.summary import Summary

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PROGRESS = Progress("t", NOW, NOW, NOW, waiting=0, quarantined=1, holes=())
COPY = LakeCopy(objects=1, quarantined=1, rows=Counter(["a", "b"]))
COMPARISON = Comparison(entries=2, missing=())


def summary(
    *,
    progress: Progress = PROGRESS,
    copy: LakeCopy = COPY,
    events: dict[str, int] | None = None,
    subjects: str = "ab",
    comparison: Comparison = COMPARISON,
) -> Summary:
    received = SimpleNamespace(
        events=Counter(events or {"event-a": 1, "event-b": 1}), subjects=set(subjects)
    )
    return Summary.of(
        progress, copy, cast("Subscriber", received), comparison, api_calls=3, seconds=0.5
    )


def test_a_complete_run_demands_nothing() -> None:
    complete = summary()
    complete.demand_completeness()
    assert complete.as_json() == {
        "entriesInApi": 2,
        "entriesInLake": 2,
        "objects": 1,
        "notifications": 2,
        "distinctNotifications": 2,
        "quarantined": 1,
        "apiCalls": 3,
        "seconds": 0.5,
        "entriesPerSecond": 4.0,
        "problems": [],
    }


def test_a_notification_may_come_twice() -> None:
    twice = summary(events={"event-a": 2, "event-b": 1})
    twice.demand_completeness()
    assert (twice.notifications, twice.distinct_notifications) == (3, 2)


@pytest.mark.parametrize(
    ("incomplete", "problem"),
    [
        (summary(comparison=Comparison(3, ("c",))), "1 entries are missing in the lake: c"),
        (summary(copy=LakeCopy(1, 0, Counter("aab"))), "1 entries are in the lake twice: a"),
        (summary(subjects="a"), "1 entries were stored but not published: b"),
        (summary(subjects="abc"), "1 entries were published but not stored: c"),
        (summary(events={"event-a": 2}), "2 rows, but 1 different notifications"),
        (summary(progress=replace(PROGRESS, holes=("[x, y): bad",))), r"hole \[x, y\): bad"),
    ],
)
def test_whatever_is_missing_is_named(incomplete: Summary, problem: str) -> None:
    with pytest.raises(UserError, match=problem):
        incomplete.demand_completeness()
