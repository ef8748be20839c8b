"""Both functions as Lambda calls them: what an operator must mend, and malformed input."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from cpd_exporter.errors import (
    AccessError,
    ConfigurationError,
    EmptySecretError,
    ExporterError,
    MalformedInputError,
)
from simulator import Credentials
from tests.support.deployment import (
    API_SECRET,
    BASIC,
    CLIENT,
    CREDENTIALS,
    TENANT,
    Deployment,
    LambdaContext,
    _names,
    sample,
    the_error,
)


def empty_secret(stack: Deployment) -> None:
    name = f"empty-{next(_names)}"
    stack.say(SECRET_ARN=stack.account.secretsmanager.create_secret(Name=name)["ARN"])


def missing_scope(stack: Deployment) -> None:
    """A token that the endpoint gives, and that allows no reading."""
    stack.keep_secret(json.dumps(CLIENT))
    stack.say(AUTHENTICATION="oauth2", SCOPE="api/write")


def refused_scope(stack: Deployment) -> None:
    stack.keep_secret(json.dumps(CLIENT))
    stack.say(AUTHENTICATION="oauth2")
    stack.simulator.behave(scopes=frozenset({"api/webhooks"}))


def wrong_client(stack: Deployment) -> None:
    stack.keep_secret(json.dumps(CLIENT | {"clientSecret": "canary-but-wrong"}))
    stack.say(AUTHENTICATION="oauth2")


TO_MEND: dict[str, tuple[Callable[[Deployment], None], type[ExporterError], str]] = {
    "empty secret": (empty_secret, EmptySecretError, "put-secret-value"),
    "no JSON": (
        lambda stack: stack.keep_secret("canary, not JSON"),
        ConfigurationError,
        "put-secret-value",
    ),
    "no tenant": (
        lambda stack: stack.keep_secret(json.dumps({"apiSecret": API_SECRET})),
        ConfigurationError,
        "tenantId: missing",
    ),
    "the other authentication": (
        lambda stack: stack.keep_secret(json.dumps(CLIENT)),
        ConfigurationError,
        "holds a client, but this run signs in with an API secret",
    ),
    "wrong secret": (
        lambda stack: stack.keep_secret(json.dumps(BASIC | {"apiSecret": "canary-but-wrong"})),
        AccessError,
        "put-secret-value",
    ),
    "wrong client": (wrong_client, AccessError, "put-secret-value"),
    "missing scope": (missing_scope, AccessError, "api/write"),
    "refused scope": (refused_scope, AccessError, "api/read"),
    "unknown environment": (
        lambda stack: stack.say(ENVIRONMENT="moon"),
        ConfigurationError,
        "CPD_ENVIRONMENT",
    ),
    "plain HTTP": (
        lambda stack: stack.say(API_URL="http://example.org"),
        ConfigurationError,
        "https://",
    ),
}


@pytest.mark.parametrize("name", [name for name in TO_MEND if name != "empty secret"])
def test_the_planner_says_what_to_mend(stack: Deployment, name: str) -> None:
    spoil, kind, remedy = TO_MEND[name]
    spoil(stack)
    answer = stack.planner(sample("planner-export"))
    assert answer["error"]["type"] == kind.__name__
    assert "accepted" not in answer
    assert remedy in answer["error"]["message"]
    assert the_error(stack)["message"] == answer["error"]["message"]
    assert stack.metrics()["TickFailed"] == 1
    assert stack.receive() is None


@pytest.mark.parametrize(("spoil", "kind", "remedy"), TO_MEND.values(), ids=TO_MEND.keys())
def test_the_worker_says_what_to_mend_and_drops_its_message(
    stack: Deployment, spoil: Callable[[Deployment], None], kind: type[ExporterError], remedy: str
) -> None:
    stack.planner(sample("planner-export"))
    message = stack.receive()
    assert message is not None
    spoil(stack)
    stack.worker(message)
    error = the_error(stack)
    assert remedy in error["message"]
    assert error["error"] == kind.__name__
    assert not stack.metrics().keys() & {"TickFailed", "WorkGivenUp"}
    assert not stack.lake


def test_what_was_mended_goes_on_by_itself(stack: Deployment) -> None:
    stack.keep_secret("nothing yet")
    assert "error" in stack.planner(sample("planner-export"))
    stack.keep_secret(json.dumps(BASIC))
    stack.planner(sample("planner-export"))
    stack.keep_secret("nothing again")
    stack.work_off()
    assert not stack.lake
    stack.keep_secret(json.dumps(BASIC))
    stack.later(minutes=10)
    stack.planner(sample("planner-export"))
    stack.work_off()
    stack.assert_exact()


def test_a_rotated_secret_is_read_again(stack: Deployment) -> None:
    planner = stack.load("planner")
    planner.handler(sample("planner-export"), LambdaContext())
    stack.simulator.credentials = Credentials(TENANT, "canary-rotated", "c", "s")
    try:
        stack.keep_secret(json.dumps(BASIC | {"apiSecret": "canary-rotated"}))
        assert "tenants" in planner.handler(sample("planner-export"), LambdaContext())
    finally:
        stack.simulator.credentials = CREDENTIALS


@pytest.mark.parametrize(
    "event",
    [
        {"command": "exprot"},
        {"command": None},
        [],
        "export",
        None,
        {"command": "sweep"},
        {"command": "backfill", "from": "long ago"},
        {"command": "refresh", "logEntryIds": []},
        sample("planner-replay") | {"queueArn": "arn:aws:sqs:eu-west-2:123456789012:theirs.fifo"},
        sample("planner-verify") | {"to": "2025-12-31T00:00:00Z"},
    ],
)
def test_a_malformed_command_is_answered_with_what_is_allowed(
    stack: Deployment, event: Any
) -> None:
    answer = stack.planner(event)
    assert answer["error"]["type"] == "MalformedInputError"
    assert '{"command": "' in answer["error"]["message"]
    assert the_error(stack)["message"] == answer["error"]["message"]
    # Whoever sent it reads the answer: the export goes on, so nobody has to be called.
    assert "TickFailed" not in stack.metrics()
    assert stack.receive() is None


PAGE = json.loads(sample("worker-page")["Records"][0]["body"])


@pytest.mark.parametrize(
    ("body", "remedy"),
    [
        ("hello", "dead-letter queue"),
        ("{}", "dead-letter queue"),
        (json.dumps(PAGE | {"start": "yesterday"}), "dead-letter queue"),
        (json.dumps(PAGE | {"end": PAGE["start"]}), "dead-letter queue"),
        (json.dumps(PAGE | {"tenantId": "eu-west-2_Foreigner"}), "was the secret changed"),
    ],
)
def test_a_message_that_is_not_the_planners_goes_to_the_dead_letters(
    stack: Deployment, body: str, remedy: str
) -> None:
    message = stack.send(body)
    with pytest.raises(MalformedInputError, match=remedy):
        stack.worker(message)
    assert remedy in the_error(stack)["message"]
    # At once in sight again, until the queue has had enough of it.
    hidden = stack.hidden_seconds(message)
    assert hidden is not None
    assert hidden <= 0
