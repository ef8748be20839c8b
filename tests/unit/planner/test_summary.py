"""The first line of a status."""

from datetime import timedelta
from typing import Any

import pytest

from cpd_exporter.model.timestamps import format_instant
from cpd_exporter.planner.status import read_status
from cpd_exporter.planner.summary import age, summarise
from tests.support.fakes import FakeQueue, FakeTimeline
from tests.support.samples import START, TENANT

NOW = START
OLD = {"start": "", "end": "", "seconds": 600}


def status(**changes: Any) -> dict[str, Any]:
    """A status of a stack that is up to date, with changes."""
    plain = read_status(FakeTimeline(TENANT), FakeQueue(), lambda: NOW)
    at = {"at": format_instant(NOW - timedelta(minutes=1)), "error": None}
    through = format_instant(NOW - timedelta(minutes=2))
    return plain | {"exportedThrough": through, "lagSeconds": 120, "lastTick": at} | changes


def given_up(at: str) -> list[dict[str, Any]]:
    return [{"outcome": "given up", "endedAt": at, "error": "E"}]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "up to date: exported through 2026-03-01T11:58:00Z, 2 min ago"),
        ({"exportedThrough": None, "lastTick": None}, "nothing is exported yet"),
        ({"pages": {"open": 2}, "jobs": [{}]}, "at work: .*; left to do: 2 pages, 1 job$"),
        ({"backfillPages": {"open": 1}}, "left to do: 1 page of a backfill$"),
        ({"lastTick": {"at": "2026-03-01T10:00:00Z", "error": None}}, "no tick has ended for 2 h"),
        ({"lastTick": {"at": "2026-03-01T10:00:00Z", "error": "no"}}, "the last tick failed: no"),
        (
            {"queue": {"waiting": 3, "inFlight": 0}, "oldestPage": OLD},
            "update-event-source-mapping",
        ),
        ({"queue": {"waiting": 3, "inFlight": 1}, "oldestPage": OLD}, "up to date"),
        ({"queue": {"error": "sqs is gone"}}, "attention: sqs is gone"),
        ({"untouched": 4}, "the work queue lost 4 messages"),
        ({"failing": [{"error": "sns:Publish", "count": 2}]}, "2 pieces .* tried again: sns"),
        ({"holes": [{"since": "s", "error": "why"}]}, "1 hole, one since s: why"),
        (
            {"unread": [{"since": "s", "error": "why"}], "unreadPages": 2},
            "2 pages could not be swept in full, one since s: why",
        ),
        ({"deletionsHeld": 5, "deletionsHeldSince": "s"}, "confirm-deletions"),
        ({"quarantined": 1}, "1 record in quarantine.* ask Thrive to mend"),
        ({"apiNotice": "ends in May"}, "the API says of itself: ends in May"),
        ({"filterWarning": {"message": "no sample"}}, "filter check is incomplete: no sample"),
        ({"reconciliation": {"difference": 3}}, "differ by 3"),
        ({"endedJobs": given_up("2026-03-01T11:00:00Z")}, "attention: E"),
        ({"endedJobs": given_up("2026-02-27T11:00:00Z")}, "up to date"),
    ],
)
def test_the_line_names_the_cause(changes: dict[str, Any], line: str) -> None:
    with pytest.raises(ValueError, match=line):
        raise ValueError(summarise(status(**changes), NOW))


def test_of_what_fails_the_line_counts_all_and_names_the_first() -> None:
    failing = [{"error": "sns:Publish", "count": 2}, {"error": "s3:PutObject", "count": 1}]
    line = summarise(status(failing=failing), NOW)
    assert "3 pieces of work failed and will be tried again, 2 of them: sns:Publish" in line
    assert ("sns:Publish" in line, "s3:PutObject" in line) == (True, False)


def test_of_pages_that_no_sweep_could_read_in_full_the_line_names_the_first() -> None:
    unread = [{"since": "s", "error": "why"}, {"since": "t", "error": "because"}]
    line = summarise(status(unread=unread, unreadPages=2), NOW)
    assert line == "attention: 2 pages could not be swept in full, one since s: why"


def test_the_line_stays_short() -> None:
    changes = {"untouched": 1, "quarantined": 1, "apiNotice": "a", "refusedEvents": 0}
    more = {"reconciliation": {"difference": 1}}
    assert summarise(status(**changes, **more), NOW).endswith("; and 1 more")


@pytest.mark.parametrize(
    ("seconds", "words"), [(119, "119 s"), (120, "2 min"), (7200, "2 h"), (200_000, "2 days")]
)
def test_an_age_is_in_words(seconds: int, words: str) -> None:
    assert age(seconds) == words
