"""The template keeps to what AWS's services and traps demand, and to what the code reads."""

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from cpd_exporter.bootstrap import VISIBILITY_PER_TIMEOUT
from cpd_exporter.model.command import Export, read_command
from cpd_exporter.model.options import Audience, Authentication, Environment, Scope
from cpd_exporter.settings import PREFIX, PlannerSettings, Settings, WorkerSettings
from local.errors import UserError
from local.places import ROOT
from local.stack.template import check, template

TEMPLATE = template()
PARAMETERS = TEMPLATE["Parameters"]
RESOURCES = TEMPLATE["Resources"]
PLANNER, WORKER = RESOURCES["PlannerFunction"], RESOURCES["WorkerFunction"]
FUNCTION = TEMPLATE["Globals"]["Function"]
FUNCTIONS: dict[str, type[Settings]] = {
    "PlannerFunction": PlannerSettings,
    "WorkerFunction": WorkerSettings,
}
DEFAULTS = {name: str(parameter["Default"]) for name, parameter in PARAMETERS.items()}


def properties(name: str) -> dict[str, Any]:
    found: dict[str, Any] = RESOURCES[name].get("Properties", {})
    return found


def of_type(kind: str) -> dict[str, dict[str, Any]]:
    return {name: one for name, one in RESOURCES.items() if one["Type"] == kind}


def variables(function: str) -> dict[str, Any]:
    own = properties(function).get("Environment", {}).get("Variables", {})
    return {**FUNCTION["Environment"]["Variables"], **own}


def statements(role: str) -> list[dict[str, Any]]:
    """All that a role may be given, whatever its conditions say."""
    (policy,) = properties(role)["Policies"]
    return [
        statement["Fn::If"][1] if "Fn::If" in statement else statement
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def permissions(role: str) -> set[tuple[str, str]]:
    """Pairs of an action and the resource it is for, as the template writes it."""
    return {
        (action, str(resource))
        for statement in statements(role)
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    }


@pytest.fixture(autouse=True)
def _parse_the_template_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[check.__module__], "template", lambda: TEMPLATE)


# ---- Functions and their layer


def test_each_function_has_its_handler() -> None:
    for function in FUNCTIONS:
        folder = ROOT / properties(function)["CodeUri"]
        module, handler = FUNCTION["Handler"].split(".")
        assert f"def {handler}(" in (folder / f"{module}.py").read_text()


def test_the_layer_is_an_ordinary_package_with_locked_dependencies_and_nothing_else() -> None:
    layer = RESOURCES["ExporterLayer"]
    processors = layer["Properties"]["CompatibleArchitectures"]
    assert processors == PARAMETERS["Architecture"]["AllowedValues"]
    folder = ROOT / layer["Properties"]["ContentUri"]
    shipped = {path.name for path in folder.iterdir() if path.name != "__pycache__"}
    assert shipped == {"cpd_exporter", "requirements.in", "requirements.txt"}
    requirement = re.compile(r"^[a-z0-9][^\n]*==.*(?:\n    .*)*", re.MULTILINE)
    locked = requirement.findall(locked_requirements(folder))
    assert locked
    assert all("--hash=sha256:" in requirement for requirement in locked)


def locked_requirements(folder: Path) -> str:
    return (folder / "requirements.txt").read_text()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_settings_of_a_function_are_its_environment(function: str) -> None:
    settings = FUNCTIONS[function]
    given = {name for name in variables(function) if name.startswith(PREFIX)}
    assert given == {f"{PREFIX}{field.upper()}" for field in settings.model_fields}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_the_defaults_of_the_parameters_are_settings_that_can_be_read(function: str) -> None:
    def value(written: Any) -> str:
        if isinstance(written, dict):
            return DEFAULTS.get(written.get("Ref", ""), "some-resource")
        return str(written)

    FUNCTIONS[function].read({name: value(v) for name, v in variables(function).items()})


def test_the_planner_gets_the_workers_time_out() -> None:
    for function in FUNCTIONS:
        seconds = int(variables(function)["CPD_WORKER_TIMEOUT_SECONDS"])
        assert seconds == properties("WorkerFunction")["Timeout"] == 300


def test_a_tick_is_killed_before_the_client_of_remote_invoke_asks_again() -> None:
    cold_start, patience = 9, 60
    assert properties("PlannerFunction")["Timeout"] + cold_start < patience


# ---- Schedule, queue and mapping


SCHEDULES = {
    "Tick": ("Schedule", Export()),
    "ShortSweep": ("ShortSweepSchedule", read_command({"command": "sweep", "lookback": "P2D"})),
    "LongSweep": ("LongSweepSchedule", read_command({"command": "sweep", "lookback": "P35D"})),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_is_a_command_and_its_retry_is_the_next_one(name: str) -> None:
    expression, command = SCHEDULES[name]
    assert PLANNER["Properties"]["Events"].keys() == SCHEDULES.keys()
    schedule = PLANNER["Properties"]["Events"][name]
    assert schedule["Type"] == "ScheduleV2"
    settings = schedule["Properties"]
    assert settings["ScheduleExpression"] == {"Ref": expression}
    assert settings["State"] == {"Ref": "ScheduleState"}
    assert settings["RoleArn"] == {"Fn::GetAtt": ["SchedulerRole", "Arn"]}
    # Ticks that are throttled do not pile up: after the tick's own time comes the next one.
    dropped = {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 300}
    assert settings["RetryPolicy"] == PLANNER["Properties"]["EventInvokeConfig"] == dropped
    event = settings["Input"]
    if isinstance(event, dict):
        event = re.sub(r"\$\{(\w+)\}", lambda found: DEFAULTS[found[1]], event["Fn::Sub"])
    assert read_command(json.loads(event)) == command


def test_a_message_stays_hidden_while_it_may_be_in_work() -> None:
    queue = properties("WorkQueue")
    timeout = properties("WorkerFunction")["Timeout"]
    assert queue["VisibilityTimeout"] > timeout
    assert queue["VisibilityTimeout"] == VISIBILITY_PER_TIMEOUT * timeout


def test_a_message_that_fails_often_is_kept_in_the_dead_letter_queue() -> None:
    redrive = properties("WorkQueue")["RedrivePolicy"]
    # Five attempts make a hole of a page, and two workers may die besides.
    assert redrive["maxReceiveCount"] == 10
    assert redrive["deadLetterTargetArn"] == {"Fn::GetAtt": ["WorkDeadLetterQueue", "Arn"]}
    fortnight = 14 * 24 * 60 * 60
    assert properties("WorkDeadLetterQueue")["MessageRetentionPeriod"] == fortnight


def test_the_mapping_bounds_the_load_and_keeps_the_pollers_back_off() -> None:
    (page,) = WORKER["Properties"]["Events"].values()
    assert page["Type"] == "SQS"
    assert page["Properties"]["BatchSize"] == 1
    assert "FunctionResponseTypes" not in page["Properties"]
    assert page["Properties"]["ScalingConfig"] == {
        "MaximumConcurrency": {"Ref": "WorkerConcurrency"}
    }
    assert "ReservedConcurrentExecutions" not in WORKER["Properties"]
    bounds = PARAMETERS["WorkerConcurrency"]
    assert (bounds["MinValue"], bounds["MaxValue"]) == (2, 1000)


# ---- Stores


def test_the_table_finds_undone_work_consistently_and_can_be_restored() -> None:
    table = properties("TimelineTable")
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
    # A global index could not be read consistently.
    assert "GlobalSecondaryIndexes" not in table
    (index,) = table["LocalSecondaryIndexes"]
    assert index["IndexName"] == "undone"
    assert [key["AttributeName"] for key in index["KeySchema"]] == ["pk", "undone"]
    assert index["Projection"]["ProjectionType"] == "ALL"


def test_the_secret_is_created_without_a_value() -> None:
    assert properties("CredentialsSecret").keys() == {"Description", "KmsKeyId"}


# ---- Permissions


def test_each_function_has_a_role_of_its_own_with_one_policy() -> None:
    roles = {properties(function)["Role"]["Fn::GetAtt"][0] for function in FUNCTIONS}
    assert roles == {"PlannerRole", "WorkerRole"} == of_type("AWS::IAM::Role").keys() - OTHERS
    assert all("ManagedPolicyArns" not in properties(role) for role in roles)


OTHERS = {"CurrentTableRole", "SchedulerRole"}
"""The roles of AWS's own services."""


@pytest.mark.parametrize("role", ["PlannerRole", "WorkerRole", *sorted(OTHERS)])
def test_permissions_name_their_action_and_their_resource(role: str) -> None:
    for action, resource in permissions(role):
        assert "*" not in action
        # Traces belong to no resource.
        assert resource != "*" or action.startswith("xray:")


def test_the_planner_may_do_what_it_does_and_no_more() -> None:
    assert {action for action, _ in permissions("PlannerRole")} == {
        "dynamodb:DeleteItem",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "dynamodb:Scan",
        "dynamodb:UpdateItem",
        "kms:Decrypt",  # with KmsKeyArn
        "kms:GenerateDataKey",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "s3:DeleteObject",
        "s3:PutObject",
        "secretsmanager:GetSecretValue",
        "sqs:GetQueueAttributes",
        "sqs:SendMessage",
        "xray:PutTelemetryRecords",  # with Tracing=Active
        "xray:PutTraceSegments",
    }


def test_nobody_may_delete_an_object_but_the_planner_an_index() -> None:
    deletable = {
        (role, resource)
        for role in ("PlannerRole", "WorkerRole")
        for action, resource in permissions(role)
        if action.startswith("s3:Delete")
    }
    assert deletable == {("PlannerRole", str({"Fn::Sub": "${LakeBucket.Arn}/index/*"}))}


def test_the_worker_may_do_what_it_does_and_no_more() -> None:
    assert {action for action, _ in permissions("WorkerRole")} == {
        "dynamodb:DeleteItem",
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
        "kms:Decrypt",  # with KmsKeyArn
        "kms:GenerateDataKey",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "s3:GetObject",
        "s3:ListBucket",
        "s3:PutObject",
        "secretsmanager:GetSecretValue",
        "sns:Publish",
        "sqs:ChangeMessageVisibility",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
        "sqs:GetQueueUrl",
        "sqs:ReceiveMessage",
        "sqs:SendMessage",
        "xray:PutTelemetryRecords",  # with Tracing=Active
        "xray:PutTraceSegments",
    }
    writable = {r for action, r in permissions("WorkerRole") if action == "s3:PutObject"}
    assert writable == {
        str({"Fn::Sub": "${LakeBucket.Arn}/entries/*"}),
        str({"Fn::Sub": "${LakeBucket.Arn}/index/*"}),
        str({"Fn::Sub": "${LakeBucket.Arn}/quarantine/*"}),
        str({"Fn::Sub": "${LakeBucket.Arn}/readings/*"}),
        str({"Fn::Sub": "${LakeBucket.Arn}/reports/*"}),
    }


def test_the_worker_may_send_to_the_queues_that_are_named_for_replays_and_to_no_others() -> None:
    to = {r for action, r in permissions("WorkerRole") if action == "sqs:SendMessage"}
    # Only the planner sends to the work queue.
    assert to == {str({"Ref": "ReplayQueueArns"})}
    (policy,) = properties("WorkerRole")["Policies"]
    conditional = [s["Fn::If"] for s in policy["PolicyDocument"]["Statement"] if "Fn::If" in s]
    (may_replay,) = (if_ for if_ in conditional if if_[0] == "ReplaysToQueues")
    condition, _, otherwise = may_replay
    assert otherwise == {"Ref": "AWS::NoValue"}
    joined = {"Fn::Join": ["", {"Ref": "ReplayQueueArns"}]}
    assert TEMPLATE["Conditions"][condition] == {"Fn::Not": [{"Fn::Equals": [joined, ""]}]}


def test_a_queue_to_replay_to_is_a_standard_one() -> None:
    theirs = "arn:aws:sqs:eu-west-2:123456789012:theirs"
    check({"ReplayQueueArns": theirs})
    check({"ReplayQueueArns": f"{theirs},{theirs}-too"})
    with pytest.raises(UserError, match="standard"):
        check({"ReplayQueueArns": f"{theirs},{theirs}.fifo"})


# ---- Parameters and outputs


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_parameter_explains_itself_and_refuses_nonsense(name: str) -> None:
    parameter = PARAMETERS[name]
    assert parameter["Description"]
    assert parameter["ConstraintDescription"]
    check({name: DEFAULTS[name]})
    with pytest.raises(UserError, match=re.escape(parameter["ConstraintDescription"])):
        check({name: "-1" if parameter["Type"] == "Number" else "no such thing"})


@pytest.mark.parametrize(
    ("name", "choices"),
    [
        ("Environment", Environment),
        ("Authentication", Authentication),
        ("Scope", Scope),
        ("TokenAudience", Audience),
    ],
)
def test_the_choices_are_those_that_the_code_knows(name: str, choices: type[Any]) -> None:
    assert set(PARAMETERS[name]["AllowedValues"]) == {choice.value for choice in choices}


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com",
        "https://",
        "https://host?query",
        "https://user@host",
        "http://127.0.0.1.example.com/",
    ],
)
def test_an_api_url_is_https_or_on_this_machine(url: str) -> None:
    with pytest.raises(UserError):
        check({"ApiUrl": url})
    for fine in (
        "https://host/base",
        "http://127.0.0.1:8080",
        "http://localhost:1/",
        "http://[::1]",
    ):
        check({"ApiUrl": fine})


def test_outputs_are_what_operators_and_subscribers_need() -> None:
    assert TEMPLATE["Outputs"].keys() == {
        "AlarmTopicArn",
        "CredentialsSecretArn",
        "LakeBucketName",
        "LakeDatabaseName",
        "LakeWorkgroupName",
        "NotificationsTopicArn",
        "WorkDeadLetterQueueUrl",
        "WorkQueueUrl",
        "PagesQueueUrl",
        "PagesDeadLetterQueueUrl",
        "PlannerFunctionName",
        "TimelineTableName",
        "WorkerFunctionName",
    }


def test_the_dashboard_is_off_by_default_since_it_costs_more_than_all_else() -> None:
    [dashboard] = [one for one in RESOURCES.values() if one["Type"] == "AWS::CloudWatch::Dashboard"]
    assert (dashboard["Condition"], DEFAULTS["Dashboard"]) == ("HasDashboard", "DISABLED")
    body = dashboard["Properties"]["DashboardBody"]["Fn::Sub"]
    widgets = json.loads(re.sub(r"\$\{[\w:.]+\}", "x", body))["widgets"]
    metrics = {metric[1] for one in widgets for metric in one["properties"].get("metrics", [])}
    alarmed = {
        one["Properties"]["MetricName"]
        for one in RESOURCES.values()
        if one["Type"] == "AWS::CloudWatch::Alarm"
    }
    assert metrics <= alarmed
    assert {one["type"] for one in widgets} == {"metric", "log"}
