"""Jobs and pages, word by word as the operator reads them."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cpd_exporter.model.job import EndedJob, Job, JobKind, JobOutcome, LookUp
from cpd_exporter.model.watermark import Watermark
from cpd_exporter.planner.description import ended_job, job_under_way, quarantined
from tests.support.samples import START, page

DAY = timedelta(days=1)
NOW = START + 40 * DAY
TEN_HOURS_AGO = NOW - timedelta(hours=10)
VERIFY = Job(
    "verify", JobKind.VERIFY, START, START + 30 * DAY, START + 10 * DAY, TEN_HOURS_AGO, "r",
    counts={"entries": 7}, error="the API is not well",
)  # fmt: skip


def test_a_job_says_how_far_it_is_and_when_it_will_end() -> None:
    assert job_under_way(VERIFY, None, NOW) == {
        "name": "verify",
        "start": "2026-03-01T12:00:00Z",
        "end": "2026-03-31T12:00:00Z",
        "cursor": "2026-03-11T12:00:00Z",
        "since": "2026-04-10T02:00:00Z",
        "percent": 33.3,
        "rate": "1 days an hour",
        "secondsLeft": 20 * 3600,
        "counts": {"entries": 7},
        "error": "the API is not well",
    }


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({"cursor": START - DAY}, {"percent": 0.0, "cursor": "2026-03-01T12:00:00Z"}),
        ({"requested_at": NOW}, {"rate": None, "secondsLeft": None}),
        ({"requested_at": NOW - timedelta(seconds=1)}, {"rate": "36,000 days an hour"}),
        ({"end": START}, {"percent": None}),
        # A row of the last day may be written later: such a replay reads on to the present.
        ({"kind": JobKind.REPLAY_STORED}, {"percent": 25.0, "secondsLeft": 30 * 3600}),
        (
            {"kind": JobKind.REFRESH, "entry_ids": ("a", "b", "c", "d"), "position": 1},
            {
                "percent": 25.0,
                "rate": "0.1 entries an hour",
                "secondsLeft": 30 * 3600,
                "position": 1,
                "entries": 4,
            },
        ),
        (
            {"kind": JobKind.PING, "queue_arn": "arn", "attributes": {"change": "created"}},
            {"queueArn": "arn", "attributes": {"change": "created"}},
        ),
    ],
)
def test_each_kind_of_job_has_its_own_measure(
    changes: dict[str, Any], shown: dict[str, Any]
) -> None:
    described = job_under_way(replace(VERIFY, **changes), None, NOW)
    assert {name: described[name] for name in shown} == shown


def test_a_backfill_is_as_far_as_the_export_reaches_back() -> None:
    job = replace(VERIFY, kind=JobKind.BACKFILL, cursor=START)
    exported_from = START + 20 * DAY
    watermark = Watermark("e" * 16, START, NOW, exported_from, NOW)
    described = job_under_way(job, watermark, NOW)
    assert (described["cursor"], described["percent"]) == ("2026-03-21T12:00:00Z", 33.3)


def test_an_ended_job_says_what_became_of_it() -> None:
    ended = EndedJob.of(VERIFY, NOW, JobOutcome.GIVEN_UP, report="reports/a", error="no use")
    assert ended_job(ended) == {
        "name": "verify",
        "outcome": "given up",
        "endedAt": "2026-04-10T12:00:00Z",
        "seconds": 36_000,
        "counts": {"entries": 7},
        "report": "reports/a",
        "error": "no use",
    }


def test_an_ended_refresh_lists_first_what_needs_a_look() -> None:
    entry_ids = tuple(map(str, range(102)))
    found = (*[LookUp.REQUESTED] * 100, LookUp.UNKNOWN, LookUp.OUTSIDE)
    job = replace(VERIFY, kind=JobKind.REFRESH, entry_ids=entry_ids, found=found)
    entries = ended_job(EndedJob.of(job, NOW))["entries"]
    assert list(entries)[:3] == ["100", "101", "0"]
    assert (entries["100"], entries["0"]) == (LookUp.UNKNOWN.value, LookUp.REQUESTED.value)
    assert len(entries) == 100


def test_a_quarantined_record_is_named_by_key_fault_and_page() -> None:
    pages = [page(faults={"quarantine/a": "no date"}), page(start=START + DAY)]
    assert quarantined(pages) == [
        {
            "start": "2026-03-01T12:00:00Z",
            "end": "2026-03-01T13:00:00Z",
            "key": "quarantine/a",
            "fault": "no date",
        }
    ]
