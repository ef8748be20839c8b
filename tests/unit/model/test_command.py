"""Commands as operators and schedules send them."""

from typing import Any

import pytest

from cpd_exporter.errors import MalformedInputError
from cpd_exporter.model.command import Export, Replay, Status, read_command
from cpd_exporter.model.timestamps import format_instant
from tests.support.messages import REPLAY, queue_arn


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"command": "export"},
        {"version": "0", "detail-type": "Scheduled Event", "detail": {}},
    ],
)
def test_an_event_without_a_command_is_an_export(event: dict[str, Any]) -> None:
    assert read_command(event) == Export()


def test_status_is_a_command() -> None:
    assert read_command({"command": "status"}) == Status(command="status")


@pytest.mark.parametrize(
    "event",
    [
        None,
        "export",
        ["export"],
        5,
        {"command": None},
        {"command": "exprot"},
        {"command": "EXPORT"},
        {"command": ["export"]},
        {"command": {"name": "export"}},
        {"command": "export", "from": "2026-01-01"},
    ],
)
def test_any_other_command_is_refused_with_all_that_is_allowed(event: Any) -> None:
    with pytest.raises(MalformedInputError) as caught:
        read_command(event)
    message = str(caught.value)
    assert '{"command": "export"}' in message
    assert '{"command": "status"}' in message
    assert "\n" not in message


@pytest.mark.parametrize("name", ["q", "Their_queue-2", "q" * 80])
def test_a_replay_may_go_to_one_queue(name: str) -> None:
    command = read_command(REPLAY | {"queueArn": queue_arn(name)})
    assert isinstance(command, Replay)
    assert command.queue_arn == queue_arn(name)


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
    with pytest.raises(MalformedInputError, match="queueArn"):
        read_command(REPLAY | {"queueArn": arn})


_HOURS = {"storedFrom": "2026-01-31T10:00:00Z", "storedTo": "2026-01-31T12:00:00Z"}
_DAYS = {"from": "2026-01-01T00:00:00Z", "to": "2026-01-31T00:00:00Z"}


@pytest.mark.parametrize("span", [_HOURS, _DAYS])
def test_a_replay_is_of_dates_or_of_what_was_stored(span: dict[str, str]) -> None:
    command = read_command({"command": "replay", **span})
    assert isinstance(command, Replay)
    assert [format_instant(bound) for bound in command.span] == list(span.values())
    assert (command.stored_from is not None) == (span is _HOURS)


@pytest.mark.parametrize(
    "span",
    [
        {},
        _HOURS | _DAYS,
        {"from": _DAYS["from"]},
        {"storedFrom": _HOURS["storedFrom"]},
        {"from": _DAYS["from"], "storedTo": _HOURS["storedTo"]},
        _HOURS | {"to": _DAYS["to"]},
        {"storedFrom": _HOURS["storedTo"], "storedTo": _HOURS["storedFrom"]},
    ],
)
def test_a_replay_of_any_other_span_is_refused(span: dict[str, str]) -> None:
    with pytest.raises(MalformedInputError, match="storedFrom"):
        read_command({"command": "replay", **span})
