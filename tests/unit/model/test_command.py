"""Commands as operators and schedules send them."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cpd_exporter.errors import MalformedInputError
from cpd_exporter.model.command import Export, Replay, Status, read_command
from cpd_exporter.model.timestamps import format_instant
from tests.support.messages import REPLAY, queue_arn

EVENTS = Path(__file__).parents[3] / "events"
SPAN = {"from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z"}
HOURS = {"storedFrom": "2026-01-31T10:00:00Z", "storedTo": "2026-01-31T12:00:00Z"}


def refusal(event: Any) -> str:
    with pytest.raises(MalformedInputError) as caught:
        read_command(event)
    message = str(caught.value)
    assert "\n" not in message
    for foreign in ("pydantic", "input", "Extra", "Field", "valid ", "Value error", "literal"):
        assert foreign not in message
    return message


@pytest.mark.parametrize(
    "event",
    [
        {"command": "export"},
        {"version": "0", "detail-type": "Scheduled Event", "source": "aws.scheduler", "detail": {}},
    ],
)
def test_a_schedule_sends_an_export(event: dict[str, Any]) -> None:
    assert read_command(event) == Export()


@pytest.mark.parametrize("event", [{}, {"Command": "status"}, {"detail-type": "Order"}])
def test_an_event_without_a_command_is_refused(event: dict[str, Any]) -> None:
    assert "no command is named" in refusal(event)


@pytest.mark.parametrize("name", ["worker-page", "worker-sweep", "worker-job"])
def test_a_sample_of_the_workers_is_refused(name: str) -> None:
    event = json.loads((EVENTS / f"{name}.json").read_text())
    assert "send it to the worker" in refusal(event)


def test_status_is_a_command() -> None:
    assert read_command({"command": "status"}) == Status(command="status")


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("P35D", timedelta(days=35)),
        ("PT36H", timedelta(hours=36)),
        ("P1DT1H", timedelta(days=1, hours=1)),
        ("P36525D", timedelta(days=36525)),
    ],
)
def test_a_look_back_is_days_and_hours(text: str, span: timedelta) -> None:
    assert read_command({"command": "sweep", "lookback": text}).lookback == span  # type: ignore[union-attr]


@pytest.mark.parametrize("event", [None, "export", ["export"], 5])
def test_a_command_is_an_object(event: Any) -> None:
    assert '{"command": "status"}' in refusal(event)


@pytest.mark.parametrize(
    ("command", "meant"),
    [
        ("exprot", "export"),
        ("EXPORT", "export"),
        ("Status", "status"),
        ("confirm_deletions", "confirm-deletions"),
        ("backfil", "backfill"),
    ],
)
def test_a_mistyped_command_is_answered_by_the_one_that_was_meant(command: str, meant: str) -> None:
    assert f'did you mean {{"command": "{meant}"' in refusal({"command": command})


@pytest.mark.parametrize("command", [None, "explode", ["export"], {"name": "export"}])
def test_no_command_at_all_is_answered_by_their_names(command: Any) -> None:
    assert "export, status, sweep, backfill, refresh, replay" in refusal({"command": command})


@pytest.mark.parametrize(
    ("event", "fault"),
    [
        ({"command": "export", "from": "2026-01-01"}, 'it takes no "from"'),
        ({"command": "verify", "from": "2026-01-01T00:00:00Z"}, '"to" is missing'),
        ({"command": "verify"} | SPAN | {"colour": 1}, "it has a member that it does not take."),
        ({"command": "verify"} | SPAN | {"form": 1}, 'does not take (did you mean "from"?)'),
        ({"command": "sweep", "FROM": SPAN["from"]}, 'does not take (did you mean "from"?)'),
        ({"command": "status", "Months": True}, 'does not take (did you mean "months"?)'),
        ({"command": "backfill", "from": "2026-01-01"}, '"from" must be a date and time'),
        ({"command": "sweep", "lookback": "35 days ago"}, '"lookback" must be days or hours'),
        ({"command": "sweep", "lookback": 35}, '"lookback" must be days or hours'),
        ({"command": "sweep", "lookback": True}, '"lookback" must be days or hours'),
        *(
            ({"command": "sweep", "lookback": text}, '"lookback" must be days or hours')
            for text in ("35D", "P35", "P", "PT", "P5W", "P1M", "PT35M", "P1.5D", "P0D", "-P1D")
        ),
        ({"command": "sweep"}, 'either "from" (and perhaps "to"), or "lookback"'),
        ({"command": "refresh", "logEntryIds": "abc"}, '"logEntryIds" must be a list'),
        ({"command": "refresh", "logEntryIds": [7]}, '"logEntryIds" must be a list'),
        ({"command": "refresh"}, '"logEntryIds" is missing'),
        ({"command": "cancel", "name": ""}, '"name" must be the name of a job'),
        ({"command": "replay"} | SPAN, 'say to whom: either "subscribers": "all"'),
        (REPLAY | {"queueArn": queue_arn("q")}, "say to whom"),
        (REPLAY | {"subscribers": "some"}, '"subscribers" must be "all"'),
        (REPLAY | {"to": "2025-01-01T00:00:00Z"}, '"to" must be after "from"'),
        ({"command": "replay"} | HOURS, 'say to whom: either "subscribers": "all"'),
        ({"command": "replay"} | HOURS | {"storedTo": 7}, '"storedTo" must be a date and time'),
        ({"command": "ping", "subscribers": "all"}, 'it takes no "subscribers"'),
        ({"command": "ping", "attributes": {"colour": "red"}}, "by name, of the names "),
        ({"command": "ping", "attributes": {"change": ""}}, '"attributes" must be texts of 1 to'),
    ],
)
def test_a_refusal_names_the_fault_and_shows_the_one_form(
    event: dict[str, Any], fault: str
) -> None:
    message = refusal(event)
    assert fault in message
    assert message.startswith(f"{event['command']} is refused: ")
    assert f'Write it as {{"command": "{event["command"]}"' in message


@pytest.mark.parametrize("name", ["q", "Their_queue-2", "q" * 80])
def test_a_replay_may_go_to_one_queue(name: str) -> None:
    command = read_command({"command": "replay"} | SPAN | {"queueArn": queue_arn(name)})
    assert isinstance(command, Replay)
    assert command.queue_arn == queue_arn(name)


def test_a_replay_to_all_says_so() -> None:
    command = read_command(REPLAY)
    assert isinstance(command, Replay)
    assert (command.queue_arn, command.subscribers) == (None, "all")


@pytest.mark.parametrize(
    "arn",
    [
        "",
        "theirs",
        "https://sqs.eu-west-2.amazonaws.com/123456789012/theirs",
        queue_arn(""),
        queue_arn("q" * 81),
        queue_arn("theirs.fifo"),
        queue_arn("größer"),
        queue_arn("theirs\n"),
        queue_arn("theirs", partition="a" * 21),
        queue_arn("theirs", region="r" * 31),
        "arn:aws:sns:eu-west-2:123456789012:topic",
        "arn:aws:sqs:eu-west-2:1234567890123:theirs",
    ],
)
def test_what_is_no_standard_queue_is_refused(arn: str) -> None:
    message = refusal({"command": "replay"} | SPAN | {"queueArn": arn})
    assert '"queueArn" must be the ARN of a standard SQS queue' in message


@pytest.mark.parametrize("span", [HOURS, SPAN])
def test_a_replay_is_of_dates_or_of_what_was_stored(span: dict[str, str]) -> None:
    command = read_command({"command": "replay", "subscribers": "all", **span})
    assert isinstance(command, Replay)
    assert [format_instant(bound) for bound in command.span] == list(span.values())
    assert (command.stored_from is not None) == (span is HOURS)


@pytest.mark.parametrize(
    ("span", "fault"),
    [
        ({}, "either"),
        (HOURS | SPAN, "either"),
        ({"from": SPAN["from"]}, "either"),
        ({"storedFrom": HOURS["storedFrom"]}, "either"),
        ({"from": SPAN["from"], "storedTo": HOURS["storedTo"]}, "either"),
        (HOURS | {"to": SPAN["to"]}, "either"),
        (
            {"storedFrom": HOURS["storedTo"], "storedTo": HOURS["storedFrom"]},
            '"storedTo" must be after "storedFrom"',
        ),
    ],
)
def test_a_replay_of_any_other_span_is_refused(span: dict[str, str], fault: str) -> None:
    message = refusal({"command": "replay", "subscribers": "all", **span})
    assert fault in message
    assert '"storedFrom" and "storedTo"' in message
