"""Each alarm of the template goes off by what it is meant to catch, and is quiet before."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from cpd_exporter import bootstrap
from cpd_exporter.errors import MalformedResponseError
from cpd_exporter.model.refusal import Refusal
from cpd_exporter.model.window import Window
from cpd_exporter.planner.report import TickReport
from cpd_exporter.planner.status import tick_metrics
from cpd_exporter.worker.context import Outcome, WorkReport
from cpd_exporter.worker.metrics import report_metrics
from simulator import InjectedFault
from tests.contracts.account import BUCKET
from tests.support.cloudwatch import CloudWatch
from tests.support.deployment import BASIC, REFLECTION, Deployment, sample, the_error
from tests.support.resolved import STACK
from tests.support.watched import Watched

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
AT = datetime(2026, 3, 15, 12, tzinfo=UTC)

REFUSED = InjectedFault(status=401)
"""The API refuses everything. Unlike an outage, that is not tried again within a call."""


@pytest.fixture
def watched(stack: Deployment) -> Watched:
    """A stack that has exported, whose alarms are quiet."""
    watched = Watched(stack)
    watched.run(HOUR)
    assert watched.in_alarm == set()
    return watched


def empty_secret(stack: Deployment) -> None:
    stack.say(SECRET_ARN=stack.account.secretsmanager.create_secret(Name="empty")["ARN"])


# ---- Silence


def test_no_tick_at_all_is_heard(watched: Watched) -> None:
    watched.wait(15 * MINUTE)
    assert watched.in_alarm == set()
    watched.wait(HOUR)
    assert watched.in_alarm == {"LagAlarm"}


def test_a_refusing_api_is_heard_once_it_lasts_and_ends_with_it(watched: Watched) -> None:
    watched.stack.simulator.behave(faults=(REFUSED,))
    watched.run(45 * MINUTE)
    assert watched.in_alarm == set()
    watched.run(90 * MINUTE)
    assert watched.in_alarm == {"LagAlarm", "TickFailedAlarm"}
    watched.stack.simulator.behave(faults=())
    watched.run(HOUR)
    assert watched.in_alarm == set()


def test_a_schedule_of_half_an_hour_is_no_silence(watched: Watched) -> None:
    for _ in range(8):
        watched.wait(30 * MINUTE)
        watched.planner(sample("planner-schedule"))
        watched.work_off()
        assert watched.in_alarm == set()


def test_a_new_stack_waits_for_its_secret_and_says_so_once(stack: Deployment) -> None:
    empty_secret(stack)
    watched = Watched(stack)
    watched.run(90 * MINUTE)
    assert watched.in_alarm == set()
    assert not stack.logged("ERROR")
    assert "TickFailed" not in stack.metrics()


def test_a_look_at_a_new_stack_is_no_sign_of_life(stack: Deployment) -> None:
    empty_secret(stack)
    assert "put-secret-value" in stack.planner(sample("planner-status"))["summary"]
    assert stack.metric_lines == []
    stack.planner(sample("planner-schedule"))
    assert stack.metrics() == {"LagSeconds": 0}


def test_an_environment_says_only_once_that_the_secret_is_empty(stack: Deployment) -> None:
    empty_secret(stack)
    stack.is_warm = True
    answers = [
        stack.planner(sample(f"planner-{name}")) for name in ("schedule", "export", "status")
    ]
    [warning] = stack.logged("WARNING")
    assert "put-secret-value" in warning["message"]
    assert (
        answers
        == [{"summary": warning["message"], "tenants": [], "notSetUp": warning["message"]}] * 3
    )


def test_a_new_stack_whose_secret_is_wrong_is_heard(stack: Deployment) -> None:
    stack.keep_secret("no JSON")
    watched = Watched(stack)
    watched.run(90 * MINUTE)
    assert watched.in_alarm == {"LagAlarm", "TickFailedAlarm"}


def test_a_secret_that_is_emptied_later_is_heard(watched: Watched) -> None:
    empty_secret(watched.stack)
    answer = watched.stack.planner(sample("planner-export"))
    assert answer["error"]["type"] == "EmptySecretError"
    assert "put-secret-value" in the_error(watched.stack)["message"]
    watched.run(90 * MINUTE)
    assert watched.in_alarm == {"LagAlarm", "TickFailedAlarm"}


def test_a_secret_that_is_filled_in_ends_the_waiting(stack: Deployment) -> None:
    empty_secret(stack)
    watched = Watched(stack)
    watched.run(15 * MINUTE)
    stack.account.secretsmanager.put_secret_value(SecretId="empty", SecretString=json.dumps(BASIC))
    watched.run(15 * MINUTE)
    stack.assert_exact()


# ---- Functions and queues


def test_a_planner_that_crashes_is_heard(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash() -> None:
        raise TypeError("a fault in the code")

    monkeypatch.setattr(bootstrap, "planner", crash)
    watched.planner(sample("planner-schedule"))
    assert watched.in_alarm == {"PlannerErrorsAlarm"}


def test_a_worker_that_fails_for_an_hour_is_heard(watched: Watched) -> None:
    for quarter in range(4):
        assert watched.in_alarm == set(), quarter
        watched.stack.simulator.insert(watched.now - 3 * MINUTE)
        watched.planner(sample("planner-schedule"))
        watched.stack.simulator.behave(faults=(InjectedFault(status=400),))
        watched.work_off()
        watched.stack.simulator.behave(faults=())
        watched.wait(5 * MINUTE)
        watched.planner(sample("planner-schedule"))
        watched.wait(10 * MINUTE)
    assert watched.in_alarm == {"WorkerErrorsAlarm"}


def test_throttled_workers_are_heard() -> None:
    cloudwatch = CloudWatch()
    for quarter in range(1, 5):
        assert not cloudwatch.is_in_alarm("WorkerThrottlesAlarm", AT + 15 * quarter * MINUTE)
        at = AT + (15 * quarter - 1) * MINUTE
        cloudwatch.record("AWS/Lambda", "Throttles", 7, at, FunctionName="WorkerFunction")
    assert cloudwatch.is_in_alarm("WorkerThrottlesAlarm", AT + HOUR)


def test_a_dead_letter_is_heard(watched: Watched) -> None:
    sqs, work = watched.stack.account.sqs, watched.stack.account.queue_url
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]
    redrive = {"deadLetterTargetArn": arn["QueueArn"], "maxReceiveCount": 5}
    sqs.set_queue_attributes(QueueUrl=work, Attributes={"RedrivePolicy": json.dumps(redrive)})
    sqs.send_message(QueueUrl=work, MessageBody='{"kind": "page", "start": "yesterday"}')
    for _ in range(6):
        watched.work_off()
    name = "ApproximateNumberOfMessages"
    held = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=[name])  # type: ignore[list-item]
    watched.cloudwatch.record(
        "AWS/SQS",
        f"{name}Visible",
        int(held["Attributes"][name]),  # type: ignore[index]
        watched.now,
        QueueName="WorkDeadLetterQueue.QueueName",
    )
    assert watched.in_alarm == {"DeadLettersAlarm"}


# ---- What the planner finds


def test_a_hole_is_heard_after_six_hours(watched: Watched) -> None:
    api = watched.stack.simulator
    api.insert(watched.now - 3 * MINUTE)
    watched.planner(sample("planner-schedule"))
    api.behave(faults=(InjectedFault(kind="html"),))
    message = watched.stack.receive()
    assert message is not None
    for _ in range(4):
        with pytest.raises(MalformedResponseError):
            watched.stack.worker(message)
    watched.stack.worker(message)
    api.behave(faults=())
    watched.wait(4 * HOUR)
    watched.run(HOUR, workers=False)
    assert watched.in_alarm == set()
    watched.run(75 * MINUTE, workers=False)
    assert watched.in_alarm == {"HoleAgeAlarm"}


def test_a_refused_event_is_heard_after_six_hours(watched: Watched) -> None:
    timeline = bootstrap.planner().timeline
    window = Window(AT, AT + HOUR)
    refusal = Refusal(window, "an-entry", "too large", watched.now - 5 * HOUR, "entries/key")
    timeline.record_refusal(refusal)
    watched.planner(sample("planner-schedule"))
    assert watched.in_alarm == set()
    watched.run(HOUR + 15 * MINUTE)
    assert watched.in_alarm == {"HoleAgeAlarm"}


def test_held_deletions_are_heard_as_long_as_they_are_held(watched: Watched) -> None:
    stack = watched.stack
    stack.say(MAX_DELETIONS_PER_DAY="0", DELETION_DELAY_SECONDS="0")
    stack.simulator.store.delete(next(iter(stack.simulator.store)).log_entry_id)
    for _ in range(2):
        watched.planner(sample("planner-sweep-lookback") | {"lookback": "P5D"})
        watched.work_off()
    watched.wait(12 * HOUR)
    watched.run(HOUR)
    assert watched.in_alarm == {"HeldDeletionsAlarm"}
    watched.planner(sample("planner-confirm-deletions"))
    watched.work_off()
    watched.wait(3 * HOUR)
    watched.run(HOUR)
    assert watched.in_alarm == set()


# ---- What the worker finds


def a_damaged_object(stack: Deployment) -> None:
    [first, *_] = stack.account.s3.list_objects_v2(Bucket=BUCKET, Prefix="entries/")["Contents"]
    stack.account.s3.put_object(Bucket=BUCKET, Key=first["Key"], Body=b"damaged")


def edits_of_everything(stack: Deployment) -> None:
    for entry in list(stack.simulator.store):
        stack.simulator.store.edit(entry.log_entry_id, viewedAt="just now")


def a_faulty_record(stack: Deployment) -> None:
    spoilt = list(stack.simulator.store)[10]
    stack.simulator.store.edit(spoilt.log_entry_id, isVerified=REFLECTION)


@pytest.mark.parametrize(
    ("spoil", "command", "alarm"),
    [
        (a_damaged_object, "verify", "VerifyDifferencesAlarm"),
        (edits_of_everything, "sweep", "EditedPercentAlarm"),
        (a_faulty_record, "sweep", "QuarantineAlarm"),
    ],
)
def test_what_a_worker_finds_is_heard(
    watched: Watched, spoil: Callable[[Deployment], None], command: str, alarm: str
) -> None:
    spoil(watched.stack)
    start, end = watched.now - timedelta(days=4), watched.now - 10 * MINUTE
    bounds = {"from": f"{start:%Y-%m-%dT00:00:00Z}", "to": f"{end:%Y-%m-%dT%H:%M:%SZ}"}
    watched.planner({"command": command} | bounds)
    watched.work_off()
    watched.run(HOUR)
    assert watched.in_alarm == {alarm}


REPORT = TickReport("t", 0, 0, 0, 0, 0, 0, None, AT, AT, None)


def in_alarm_by(metrics: dict[str, float], service: str, hours: int) -> set[str]:
    """The alarms that go off if a service emits these metrics for so long."""
    cloudwatch = CloudWatch()
    for tick in range(12 * hours):
        at = AT - tick * 5 * MINUTE
        for name, value in ({"LagSeconds": 420.0} | metrics).items():
            own = "planner" if name == "LagSeconds" else service
            dimension = f"{STACK}-{own}"
            cloudwatch.record("CpdExporter", name, value, at, service=dimension)
    return cloudwatch.in_alarm(AT)


@pytest.mark.parametrize(
    ("metrics", "service", "alarms"),
    [
        (tick_metrics(REPORT, AT), "planner", set()),
        (report_metrics(WorkReport(Outcome.DONE)), "worker", set()),
        (
            tick_metrics(TickReport("t", 0, 0, 0, 0, 0, 0, None, AT, AT, None, difference=3), AT),
            "planner",
            {"ReconcileDifferenceAlarm"},
        ),
        (
            tick_metrics(
                TickReport("t", 0, 0, 0, 0, 0, 0, None, AT, AT, None, filter_warning="no sample"),
                AT,
            ),
            "planner",
            {"ApiWarningsAlarm"},
        ),
        (
            tick_metrics(
                TickReport("t", 0, 0, 0, 0, 0, 0, None, AT, AT, None, api_notice="ends in May"),
                AT,
            ),
            "planner",
            {"ApiWarningsAlarm"},
        ),
        (report_metrics(WorkReport(Outcome.GIVEN_UP)), "worker", {"WorkGivenUpAlarm"}),
    ],
)
def test_what_a_report_says_is_heard(
    metrics: dict[str, float], service: str, alarms: set[str]
) -> None:
    assert in_alarm_by(dict(metrics), service, hours=4) == alarms
