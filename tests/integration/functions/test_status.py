"""What an operator sees of work: records that are refused, and jobs."""

import json
from datetime import UTC, datetime, timedelta

from tests.support.deployment import REFLECTION, sample
from tests.support.watched import Watched


def test_a_quarantined_record_and_a_refused_event_name_their_keys(up_to_date: Watched) -> None:
    spoilt = list(up_to_date.stack.simulator.store)[10]
    up_to_date.stack.simulator.store.edit(spoilt.log_entry_id, isVerified=REFLECTION)
    up_to_date.planner({"command": "sweep", "lookback": "P5D"})
    up_to_date.work_off()
    answer = up_to_date.look()
    [record] = answer["tenants"][0]["quarantinedRecords"]
    stored = up_to_date.stack.account.s3.get_object(Bucket="the-lake", Key=record["key"])
    assert json.loads(stored["Body"].read().splitlines()[0])["fault"] == record["fault"]
    assert "isVerified" in record["fault"]
    assert "1 record in quarantine" in answer["summary"]


def test_a_job_that_ended_leaves_what_became_of_it(up_to_date: Watched) -> None:
    edited = next(iter(up_to_date.stack.simulator.store)).log_entry_id
    day = f"{datetime.now(UTC) - timedelta(days=2):%Y-%m-%dT00:00:00Z}"
    until = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%dT00:00:00Z}"
    up_to_date.planner({"command": "refresh", "logEntryIds": ["6" * 24, edited]})
    up_to_date.planner({"command": "verify", "from": day, "to": until})
    up_to_date.work_off()
    up_to_date.planner({"command": "backfill", "from": "2023-01-01T00:00:00Z"})
    up_to_date.planner({"command": "cancel", "name": "backfill"})
    backfill, verify, refresh, *_ = up_to_date.look()["tenants"][0]["endedJobs"]
    assert (backfill["name"], backfill["outcome"]) == ("backfill", "cancelled")
    assert verify["outcome"] == "done"
    assert verify["report"].startswith("reports/")
    assert verify["counts"]["differences"] == 0
    assert refresh["counts"] == {"requested": 1, "unknown": 1}
    assert refresh["entries"] == {
        "6" * 24: "the API has no such entry",
        edited: "its page is swept next",
    }


def test_a_job_under_way_says_how_far_it_is(up_to_date: Watched) -> None:
    up_to_date.stack.simulator.insert(datetime(2022, 6, 1, tzinfo=UTC))
    up_to_date.planner({"command": "backfill", "from": "2021-01-01T00:00:00Z"})
    up_to_date.wait(timedelta(hours=1))
    up_to_date.planner(sample("planner-schedule"))
    [state] = up_to_date.look()["tenants"]
    [job] = state["jobs"]
    assert job["cursor"] == state["exportedFrom"]
    assert 0 <= job["percent"] <= 100
    assert job["secondsLeft"] is None or job["secondsLeft"] >= 0
