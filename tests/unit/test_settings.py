"""Settings: read once, all faults named at once, no value shown."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from cpd_exporter.errors import ConfigurationError
from cpd_exporter.model.options import Audience, Authentication, Environment, Scope
from cpd_exporter.settings import PlannerSettings, Settings, WorkerSettings
from local.places import ROOT

LEAST = {
    "CPD_ENVIRONMENT": "staging-mea",
    "CPD_AUTHENTICATION": "basic",
    "CPD_SECRET_ARN": "arn:secret",
    "CPD_TIMELINE_TABLE": "state",
    "CPD_QUEUE_URL": "https://queue",
    "CPD_WORKER_TIMEOUT_SECONDS": "120",
    "CPD_WORKER_CONCURRENCY": "4",
}
PLANNER = LEAST | {
    "CPD_FIRST_DATE": "2020-02-29",
    "CPD_SETTLE_SECONDS": "0",
    "CPD_LAKE_BUCKET": "lake",
}
WORKER = LEAST | {"CPD_LAKE_BUCKET": "lake", "CPD_TOPIC_ARN": "arn:topic"}


def test_what_need_not_be_said_has_the_safest_value() -> None:
    settings = Settings.read(LEAST | {"PATH": "/bin", "CPD_UNKNOWN": "x"})
    assert settings.environment is Environment.STAGING_MEA
    assert settings.scope is Scope.READ
    assert settings.token_audience is Audience.PUBLIC
    assert settings.api_url == ""
    assert settings.filter_time_zone == ZoneInfo("UTC")
    assert settings.worker_timeout_seconds == timedelta(minutes=2)


@pytest.mark.parametrize(
    ("calls", "workers", "planner", "seconds"),
    [("0", "4", 0, 0), ("20", "4", 10, 24), ("10", "2", 5, 24), ("601", "4", 300, 240 / 301)],
)
def test_calls_are_divided_between_the_planner_and_the_workers(
    calls: str, workers: str, planner: int, seconds: float
) -> None:
    given = {"CPD_API_CALLS_PER_MINUTE": calls, "CPD_WORKER_CONCURRENCY": workers}
    settings = Settings.read(LEAST | given)
    assert settings.planner_calls_per_minute == planner
    assert settings.seconds_between_calls == seconds
    together = planner + (60 / seconds * int(workers) if seconds else 0)
    assert together == pytest.approx(int(calls))


@pytest.mark.parametrize(("calls", "workers", "least"), [("9", "1", 10), ("19", "4", 20)])
def test_too_few_calls_are_refused_at_the_start(calls: str, workers: str, least: int) -> None:
    given = {"CPD_API_CALLS_PER_MINUTE": calls, "CPD_WORKER_CONCURRENCY": workers}
    with pytest.raises(ConfigurationError, match=f"need at least {least}: lower WorkerConc"):
        Settings.read(LEAST | given)


def test_the_layer_brings_the_time_zones() -> None:
    """Lambda's image may have none."""
    locked = (ROOT / "layers/exporter/requirements.txt").read_text()
    assert "\ntzdata==" in locked


def test_everything_can_be_said() -> None:
    settings = Settings.read(
        LEAST
        | {
            "CPD_API_URL": " https://example.org/base ",
            "CPD_AUTHENTICATION": "oauth2",
            "CPD_SCOPE": "api/all",
            "CPD_TOKEN_AUDIENCE": "webhooks",
            "CPD_FILTER_TIME_ZONE": " Europe/London ",
        }
    )
    assert settings.api_url == "https://example.org/base"
    assert settings.authentication is Authentication.OAUTH2
    assert settings.scope is Scope.ALL
    assert settings.token_audience is Audience.WEBHOOKS
    assert settings.filter_time_zone == ZoneInfo("Europe/London")


def test_sweeps_get_their_settings() -> None:
    settings = WorkerSettings.read(WORKER)
    assert settings.deletion_delay_seconds == timedelta(hours=1)
    assert settings.max_deletions_per_day == 500
    settings = WorkerSettings.read(
        WORKER | {"CPD_DELETION_DELAY_SECONDS": "0", "CPD_MAX_DELETIONS_PER_DAY": "0"}
    )
    assert settings.deletion_delay_seconds == timedelta(0)
    assert settings.max_deletions_per_day == 0


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("", set()),
        (" , ", set()),
        ("viewCount", {"viewCount"}),
        (" viewCount, lastSeen ,viewCount,", {"viewCount", "lastSeen"}),
    ],
)
def test_both_functions_leave_the_same_members_out_of_the_fingerprint(
    text: str, names: set[str]
) -> None:
    published = {"CPD_FINGERPRINT_EXCLUDE": text}
    assert PlannerSettings.read(PLANNER | published).fingerprint_exclude == names
    assert WorkerSettings.read(WORKER | published).fingerprint_exclude == names
    assert Settings.read(LEAST).fingerprint_exclude == set()


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2020-02-29", datetime(2020, 2, 29, tzinfo=UTC)),
        ("2020-02-29T23:30:00.900Z", datetime(2020, 2, 29, 23, 30, tzinfo=UTC)),
        ("2020-03-01T01:00:00+02:00", datetime(2020, 2, 29, 23, tzinfo=UTC)),
    ],
)
def test_the_first_date_is_an_instant(text: str, instant: datetime) -> None:
    settings = PlannerSettings.read(PLANNER | {"CPD_FIRST_DATE": text})
    assert settings.first_date == instant
    assert settings.first_date.tzinfo is UTC
    assert settings.settle_seconds == timedelta(0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CPD_ENVIRONMENT", "moon"),
        ("CPD_ENVIRONMENT", ""),
        ("CPD_AUTHENTICATION", "digest"),
        ("CPD_SCOPE", "api/everything"),
        ("CPD_TOKEN_AUDIENCE", "private"),
        ("CPD_SECRET_ARN", ""),
        ("CPD_TIMELINE_TABLE", " "),
        ("CPD_QUEUE_URL", ""),
        ("CPD_FILTER_TIME_ZONE", ""),
        ("CPD_FILTER_TIME_ZONE", "Europe/Atlantis"),
        ("CPD_FILTER_TIME_ZONE", "Europe"),
        ("CPD_FILTER_TIME_ZONE", "+01:00"),
        ("CPD_FILTER_TIME_ZONE", "../UTC"),
        ("CPD_FILTER_TIME_ZONE", "UTC\0"),
        ("CPD_FILTER_TIME_ZONE", "9" * 300),
        ("CPD_SETTLE_SECONDS", "9" * 30),
        ("CPD_WORKER_TIMEOUT_SECONDS", "0"),
        ("CPD_FIRST_DATE", "yesterday"),
        ("CPD_FIRST_DATE", "2020-02-30"),
        ("CPD_FIRST_DATE", "0001-01-01"),
        ("CPD_FIRST_DATE", "2020-02-29T00:00:00"),
        ("CPD_SETTLE_SECONDS", "-1"),
    ],
)
def test_what_is_wrong_is_named_with_a_remedy(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        PlannerSettings.read(PLANNER | {name: value})
    message = str(caught.value)
    assert name in message
    assert "Deploy" in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CPD_DELETION_DELAY_SECONDS", "-1"),
        ("CPD_DELETION_DELAY_SECONDS", ""),
        ("CPD_DELETION_DELAY_SECONDS", "an hour"),
        ("CPD_MAX_DELETIONS_PER_DAY", "-1"),
        ("CPD_MAX_DELETIONS_PER_DAY", "1.5"),
        ("CPD_MAX_DELETIONS_PER_DAY", "all"),
    ],
)
def test_what_is_wrong_in_the_workers_is_named_too(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{name}.*Deploy"):
        WorkerSettings.read(WORKER | {name: value})


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        WorkerSettings.read({"CPD_ENVIRONMENT": "moon"})
    for name in (*LEAST, "CPD_LAKE_BUCKET", "CPD_TOPIC_ARN"):
        assert name in str(caught.value)


def test_each_function_needs_only_its_own() -> None:
    assert PlannerSettings.read(PLANNER).first_date.year == 2020
    assert WorkerSettings.read(WORKER).lake_bucket == "lake"
