"""Driving the export: when it is complete, when hopeless, when stuck."""

import io
import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from cpd_exporter.adapters.aws.secret import stored_credentials
from cpd_exporter.errors import ConfigurationError
from cpd_exporter.model.options import Authentication
from local import driver
from local.driver import Progress, SecretError, export_all, without_remedy
from local.errors import UserError
from local.stack.account import EmulatedAccount
from local.stack.deploy import DeployedStack

ORIGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
HOLE = {"start": "a", "end": "b", "error": "poisoned", "since": "c", "attempts": 5}
OUTAGE = {"error": {"type": "TransientError", "message": "answered 503"}}
TIMED_OUT = {"errorMessage": "Task timed out after 50.00 seconds"}
CRASHED = {"errorMessage": "KeyError"}
REMEDY = "put the right values into the secret: aws secretsmanager put-secret-value --secret-id arn"
TICK: dict[str, Any] = {"tenants": [{"tenantId": "t"}]}


@pytest.fixture(autouse=True)
def _time_passes_by_sleeping(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    monkeypatch.setattr(driver, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=sleep))


def status(
    exported: timedelta, planned: timedelta, *, waiting: int = 0, holes: Sequence[Any] = ()
) -> dict[str, Any]:
    return {
        "tenants": [
            {
                "tenantId": "t",
                "exportedFrom": ORIGIN.isoformat(),
                "exportedThrough": (ORIGIN + exported).isoformat(),
                "plannedThrough": (ORIGIN + planned).isoformat(),
                "pages": {"open": waiting + len(holes), "writing": 0, "stored": 0},
                "backfillPages": {"open": 0, "writing": 0, "stored": 0},
                "quarantined": 0,
                "holes": list(holes),
                "moreHoles": 0,
            }
        ]
    }


def export(ticks: Sequence[Any], looks: Sequence[Any], **options: Any) -> tuple[Progress, int]:
    """Where the export ends, and after how many ticks. The last answer of each kind stays."""
    exports = 0

    def endlessly(answers: Sequence[Any]) -> Iterator[Any]:
        yield from answers
        while True:
            yield answers[-1]

    answers = {"export": endlessly(ticks), "status": endlessly(looks)}

    def invoke(FunctionName: str, Payload: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        nonlocal exports
        command = json.loads(Payload)["command"]
        exports += command == "export"
        answer = next(answers[command])
        failed = {"FunctionError": "Unhandled"} if "errorMessage" in answer else {}
        return {"Payload": io.BytesIO(json.dumps(answer).encode())} | failed

    account = cast("EmulatedAccount", SimpleNamespace(functions=SimpleNamespace(invoke=invoke)))
    stack = DeployedStack(account, {"PlannerFunctionName": "planner"}, Path("the.log"))
    return export_all(stack, show=lambda _: None, **options), exports


def test_is_complete_when_the_watermark_is_where_the_plan_had_caught_up_with_the_clock() -> None:
    looks = [
        status(0 * DAY, 90 * DAY, waiting=8),
        status(0 * DAY, 90 * DAY, waiting=3),
        status(0 * DAY, 90 * DAY),
        status(90 * DAY, 90 * DAY + SECOND),
    ]
    progress, ticks = export([TICK], looks)
    assert progress.exported_through == ORIGIN + 90 * DAY
    assert ticks == 2


def test_a_plan_that_still_grows_by_days_is_not_complete() -> None:
    looks = [
        status(0 * DAY, 30 * DAY),
        status(30 * DAY, 60 * DAY),
        status(60 * DAY, 90 * DAY),
        status(90 * DAY, 90 * DAY + SECOND),
    ]
    progress, ticks = export([TICK], looks)
    assert progress.exported_through == ORIGIN + 90 * DAY
    assert ticks == 4


def test_a_planner_whose_time_was_over_goes_on_with_the_next_tick() -> None:
    looks = [
        status(0 * DAY, 90 * DAY),
        TIMED_OUT,
        status(90 * DAY, 90 * DAY),
    ]
    progress, ticks = export([TICK, TIMED_OUT, TICK], looks)
    assert progress.exported_through == ORIGIN + 90 * DAY
    assert ticks == 3


def test_a_planner_that_crashes_ends_it() -> None:
    with pytest.raises(UserError, match=r"the planner crashed: KeyError \(its log: the.log\)"):
        export([CRASHED], [status(0 * DAY, 90 * DAY)])


def test_entries_that_go_on_arriving_do_not_keep_it_from_ending() -> None:
    looks = [
        status(0 * DAY, 90 * DAY),
        status(80 * DAY, 90 * DAY + SECOND, waiting=1),
        status(90 * DAY, 90 * DAY + 2 * SECOND, waiting=1),
    ]
    progress, _ = export([TICK], looks)
    assert progress.exported_through == ORIGIN + 90 * DAY


def test_an_address_where_nothing_answers_is_named_within_a_minute() -> None:
    with pytest.raises(
        UserError, match=r"no page came from the API within 45 s: answered 503.*--api-url"
    ):
        export([OUTAGE], [{"tenants": [status(0 * DAY, 0 * DAY)["tenants"][0]]}])


def test_an_outage_is_waited_out_and_is_no_plan_that_has_caught_up() -> None:
    looks = [
        status(0 * DAY, 30 * DAY),
        *[status(30 * DAY, 30 * DAY)] * 30,
        status(30 * DAY, 90 * DAY),
        status(90 * DAY, 90 * DAY + SECOND),
    ]
    progress, _ = export([TICK, OUTAGE, OUTAGE, TICK], looks)
    assert progress.exported_through == ORIGIN + 90 * DAY


def test_what_an_operator_has_to_mend_ends_it_at_once() -> None:
    refused = {"error": {"type": "AccessError", "message": "the credentials are refused"}}
    with pytest.raises(UserError, match="the credentials are refused"):
        export([refused], [status(0 * DAY, 0 * DAY)])


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (
            f"the token endpoint refuses the client: {REMEDY}",
            "the token endpoint refuses the client",
        ),
        (f"is the tenant ID right? If it is the tenant ID, {REMEDY}", "is the tenant ID right?"),
        (f"deploy with Authentication=auto, or {REMEDY}", "deploy with Authentication=auto"),
    ],
)
def test_no_command_for_a_real_account_is_shown(message: str, said: str) -> None:
    refused = {"error": {"type": "AccessError", "message": message}}
    with pytest.raises(SecretError) as ended:
        export([refused], [status(0 * DAY, 0 * DAY)])
    assert str(ended.value) == said


def test_the_command_that_is_taken_out_is_the_exporters_own() -> None:
    none = SimpleNamespace(get_secret_value=lambda **_: {"SecretString": "{}"})
    for way in Authentication:
        with pytest.raises(ConfigurationError) as ended:
            stored_credentials(cast("Any", none), "arn", way).read()
        assert "aws " in str(ended.value)
        assert "aws " not in without_remedy(str(ended.value))


def test_a_crash_of_the_planner_is_reported() -> None:
    account = SimpleNamespace(
        functions=SimpleNamespace(
            invoke=lambda **_: {
                "FunctionError": "Unhandled",
                "Payload": io.BytesIO(b'{"errorMessage": "No module named \'httpx\'"}'),
            }
        )
    )
    stack = DeployedStack(
        cast("EmulatedAccount", account), {"PlannerFunctionName": "planner"}, Path("the.log")
    )
    with pytest.raises(UserError, match=r"No module named 'httpx' \(its log: the.log\)"):
        export_all(stack, show=lambda _: None)


def test_stuck_is_reported_with_what_waits_and_where_the_reason_is() -> None:
    # Ticks go on planning the time that passes.
    looks = [status(0 * DAY, 90 * DAY + n * SECOND, waiting=3) for n in range(300)]
    with pytest.raises(
        UserError, match=r"nothing happened for 30 s, with 3 pages waiting.*the\.log"
    ):
        export([TICK], looks, max_idle_seconds=30)


def test_stuck_in_an_outage_is_reported_with_the_outage() -> None:
    with pytest.raises(UserError, match="answered 503"):
        export([OUTAGE], [status(0 * DAY, 0 * DAY)], max_idle_seconds=30)


def test_an_api_that_is_none_is_reported_soon() -> None:
    nonsense = {"error": {"type": "MalformedResponseError", "message": "answered no JSON"}}
    with pytest.raises(UserError, match=r"no page came from the API within 15 s: answered no JSON"):
        export([nonsense], [{"tenants": [{"exportedThrough": None}]}])


def test_holes_are_passed_over_and_named() -> None:
    looks = [
        status(0 * DAY, 90 * DAY, holes=[HOLE]),
        status(90 * DAY, 90 * DAY + SECOND, holes=[HOLE]),
    ]
    progress, _ = export([TICK], looks)
    assert progress.waiting == 0
    assert progress.holes == ("[a, b): poisoned",)
