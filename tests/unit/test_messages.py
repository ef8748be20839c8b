"""Commands and messages: what is understood, and what is refused in clear words."""

import json
from typing import Any

import pytest

from cpd_exporter.errors import MalformedInputError
from cpd_exporter.model.command import Export, Replay, Status, read_command
from cpd_exporter.model.message import JobMessage, PageMessage, message_for, read_message
from tests.support.samples import TENANT, page
from tests.support.world import World

MESSAGE = {
    "kind": "page",
    "tenantId": TENANT,
    "start": "2026-03-01T12:00:00Z",
    "end": "2026-03-01T13:00:00Z",
    "generation": 1,
    "chainLength": 0,
}


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


REPLAY = {"command": "replay", "from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z"}


def queue_arn(name: str, *, partition: str = "aws", region: str = "eu-west-2") -> str:
    return f"arn:{partition}:sqs:{region}:123456789012:{name}"


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


def test_the_longest_command_that_is_allowed_still_fits_into_a_message() -> None:
    arn = queue_arn("q" * 80, partition="a" * 20, region="r" * 30)
    world = World()
    world.planner.tick()
    name = world.command(REPLAY | {"queueArn": arn})["requested"]
    work = JobMessage(tenant_id=TENANT, name=name)
    assert read_message(work.model_dump_json(by_alias=True)) == work


def read_page_work(body: str) -> PageMessage:
    work = read_message(body)
    assert isinstance(work, PageMessage)
    return work


def test_a_message_names_its_page_and_comes_back_as_it_was() -> None:
    work = message_for(page(generation=3), TENANT, chain_length=2)
    body = work.model_dump_json(by_alias=True)
    assert json.loads(body) == MESSAGE | {"generation": 3, "chainLength": 2}
    assert read_message(body) == work
    assert read_page_work(body).window == page().window


def test_a_message_means_one_generation_of_one_window() -> None:
    work = read_page_work(json.dumps(MESSAGE))
    assert work.names(page())
    assert not work.names(page(generation=2))
    assert not work.names(page(3599))


def test_a_message_without_hops_is_the_planners() -> None:
    unhopped = {name: value for name, value in MESSAGE.items() if name != "chainLength"}
    assert read_page_work(json.dumps(unhopped)).chain_length == 0


@pytest.mark.parametrize(
    "body",
    [
        "",
        "hello",
        "null",
        "[]",
        "{}",
        "[" * 100_000,
        '{"kind": "page"',
        *(
            json.dumps(MESSAGE | changes)
            for changes in (
                {"kind": "sweep of the floor"},
                {"tenantId": ""},
                {"tenantId": "../../other"},
                {"tenantId": "a\nb"},
                {"tenantId": None},
                {"start": "2026-03-01"},
                {"start": 1772366400},
                {"start": None},
                {"start": "2026-03-01T12:00:00.500Z"},
                {"end": "2026-03-01T12:00:00Z"},
                {"end": "2026-03-01T11:00:00Z"},
                {"end": "2026-03-01T13:00:00"},
                {"generation": 0},
                {"generation": "1"},
                {"generation": 1.5},
                {"generation": True},
                {"chainLength": -1},
                {"extra": 1},
            )
        ),
        *(json.dumps({k: v for k, v in MESSAGE.items() if k != name})
          for name in ("tenantId", "start", "end", "generation")),
    ],
)  # fmt: skip
def test_a_foreign_message_is_refused_and_its_fate_is_told(body: str) -> None:
    with pytest.raises(MalformedInputError, match="dead-letter queue") as caught:
        read_message(body)
    assert "nothing is lost" in str(caught.value)
    assert "\n" not in str(caught.value)
