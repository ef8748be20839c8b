"""The template's alarms: they watch what somebody writes, reach a topic, and say what to type."""

import re
from pathlib import Path
from typing import Any

import pytest

from local.places import ROOT
from local.stack.template import template
from tests.support.resolved import ACCOUNT, STACK, ResolvedTemplate

OURS = "arn:aws:sns:eu-west-2:111111111111:on-call"
ALARMS = ResolvedTemplate().of_type("AWS::CloudWatch::Alarm")
MAX_DESCRIPTION = 1024

PACKAGE = ROOT / "layers/exporter/cpd_exporter"
SOURCES = {
    f"{STACK}-planner": (ROOT / "functions/planner/app.py", PACKAGE / "planner/status.py"),
    f"{STACK}-worker": (ROOT / "functions/worker/app.py", PACKAGE / "worker/metrics.py"),
}
FROM_AWS = {
    ("AWS/Lambda", "Errors", "FunctionName", "PlannerFunction"),
    ("AWS/Lambda", "Errors", "FunctionName", "WorkerFunction"),
    ("AWS/Lambda", "Throttles", "FunctionName", "WorkerFunction"),
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", "WorkDeadLetterQueue.QueueName"),
}


def written(path: Path) -> set[str]:
    """The names in a source that can be metrics."""
    return set(re.findall(r'"([A-Z]\w+)"', path.read_text()))


def test_alarms_watch_metrics_that_somebody_writes() -> None:
    from_aws = set()
    for alarm in ALARMS.values():
        (dimension,) = alarm["Dimensions"]
        if alarm["Namespace"] == "CpdExporter":
            assert dimension["Name"] == "service"
            assert any(
                alarm["MetricName"] in written(source) for source in SOURCES[dimension["Value"]]
            )
        else:
            name = (alarm["Namespace"], alarm["MetricName"])
            from_aws.add((*name, dimension["Name"], dimension["Value"]))
    assert from_aws == FROM_AWS


def test_the_dimension_is_the_service_name_that_a_function_gets() -> None:
    stack = ResolvedTemplate().resources
    names = {
        stack[f"{name}Function"]["Properties"]["Environment"]["Variables"][
            "POWERTOOLS_SERVICE_NAME"
        ]
        for name in ("Planner", "Worker")
    }
    assert names == SOURCES.keys()


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_says_what_to_type(name: str) -> None:
    description = ALARMS[name]["AlarmDescription"]
    assert re.search(r"^(aws|sam) [a-z]", description, re.MULTILINE)
    assert "${" not in description
    assert len(description) < MAX_DESCRIPTION - 200  # logical names are shorter than real ones


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_is_evaluated_over_no_more_than_cloudwatch_takes(name: str) -> None:
    alarm = ALARMS[name]
    assert alarm["Period"] % 60 == 0
    assert alarm["Period"] * alarm["EvaluationPeriods"] <= 24 * 60 * 60


def actions(stack: ResolvedTemplate) -> set[str]:
    """All topics that alarms tell, going off as well as ending."""
    return {
        topic
        for alarm in stack.of_type("AWS::CloudWatch::Alarm").values()
        for moment in ("AlarmActions", "OKActions")
        for topic in alarm[moment] or ["nobody"]
    }


def policies_of(stack: ResolvedTemplate, topic: str) -> list[dict[str, Any]]:
    return [
        statement
        for policy in stack.of_type("AWS::SNS::TopicPolicy").values()
        if policy["Topics"] == [topic]
        for statement in policy["PolicyDocument"]["Statement"]
    ]


@pytest.mark.parametrize("email", ["", "on-call@example.org"])
def test_alarms_reach_the_stacks_own_topic_where_cloudwatch_may_publish(email: str) -> None:
    stack = ResolvedTemplate({"AlarmEmail": email})
    assert actions(stack) == {stack.outputs["AlarmTopicArn"]["Value"]} == {"AlarmTopic"}
    # CloudWatch cannot use the key alias/aws/sns.
    assert "KmsMasterKeyId" not in stack.of_type("AWS::SNS::Topic")["AlarmTopic"]
    allowed = [one for one in policies_of(stack, "AlarmTopic") if one["Effect"] == "Allow"]
    assert [
        (one["Principal"], one["Action"], one["Resource"], one["Condition"]) for one in allowed
    ] == [
        (
            {"Service": "cloudwatch.amazonaws.com"},
            "sns:Publish",
            "AlarmTopic",
            {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
        )
    ]
    subscriptions = stack.of_type("AWS::SNS::Subscription").values()
    assert [one["Endpoint"] for one in subscriptions] == [email] * bool(email)
    assert {one["TopicArn"] for one in subscriptions} <= {"AlarmTopic"}


def test_a_given_topic_replaces_the_stacks_own() -> None:
    stack = ResolvedTemplate({"AlarmTopicArn": OURS})
    assert actions(stack) == {stack.outputs["AlarmTopicArn"]["Value"]} == {OURS}
    assert "AlarmTopic" not in stack.resources
    assert "AlarmTopicPolicy" not in stack.resources


def test_an_address_and_a_given_topic_exclude_each_other() -> None:
    assert ResolvedTemplate({"AlarmTopicArn": OURS}).is_accepted()
    assert ResolvedTemplate({"AlarmEmail": "on-call@example.org"}).is_accepted()
    both = ResolvedTemplate({"AlarmTopicArn": OURS, "AlarmEmail": "on-call@example.org"})
    assert not both.is_accepted()


def test_a_stack_that_is_paused_on_purpose_may_be_silent() -> None:
    paused = ResolvedTemplate({"ScheduleState": "DISABLED"}).of_type("AWS::CloudWatch::Alarm")
    assert paused["LagAlarm"]["ActionsEnabled"] is False
    assert all(alarm.get("ActionsEnabled", True) for alarm in ALARMS.values())


def test_the_lag_that_counts_is_a_parameter() -> None:
    alarms = ResolvedTemplate({"MaxLagSeconds": "7200"}).of_type("AWS::CloudWatch::Alarm")
    assert alarms["LagAlarm"]["Threshold"] == 7200


# ---- Saved queries


def test_a_saved_query_bears_the_name_of_its_stack() -> None:
    queries = template()["Resources"]
    names = [
        one["Properties"]["Name"]["Fn::Sub"]
        for one in queries.values()
        if one["Type"] == "AWS::Logs::QueryDefinition"
    ]
    assert len(names) == len(set(names)) == 4
    assert all(name.startswith("${AWS::StackName}/") for name in names)
