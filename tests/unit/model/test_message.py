"""Messages of the work queue."""

import json

import pytest

from cpd_exporter.errors import MalformedInputError
from cpd_exporter.model.message import JobMessage, PageMessage, message_for, read_message
from tests.support.messages import REPLAY, queue_arn
from tests.support.samples import TENANT, page
from tests.support.world import World

MESSAGE = {
    "kind": "page",
    "tenantId": TENANT,
    "start": "2026-03-01T12:00:00Z",
    "end": "2026-03-01T13:00:00Z",
    "generation": 1,
}


def test_the_longest_command_that_is_allowed_still_fits_into_a_message() -> None:
    arn = queue_arn("q" * 80, partition="a" * 20, region="r" * 30)
    world = World()
    world.planner.tick()
    name = world.command(REPLAY | {"subscribers": None, "queueArn": arn})["requested"]
    work = JobMessage(tenant_id=TENANT, name=name)
    assert read_message(work.model_dump_json(by_alias=True)) == work


def read_page_work(body: str) -> PageMessage:
    work = read_message(body)
    assert isinstance(work, PageMessage)
    return work


def test_a_message_names_its_page_and_comes_back_as_it_was() -> None:
    work = message_for(page(generation=3), TENANT)
    body = work.model_dump_json(by_alias=True)
    assert json.loads(body) == MESSAGE | {"generation": 3}
    assert read_message(body) == work
    assert read_page_work(body).window == page().window


def test_a_message_means_one_generation_of_one_window() -> None:
    work = read_page_work(json.dumps(MESSAGE))
    assert work.names(page())
    assert not work.names(page(generation=2))
    assert not work.names(page(3599))


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
                {"chainLength": 0},
                {"extra": 1},
            )
        ),
        *(json.dumps({k: v for k, v in MESSAGE.items() if k != name})
          for name in ("tenantId", "start", "end", "generation")),
    ],
)  # fmt: skip
def test_a_foreign_message_is_refused_and_its_fate_is_named(body: str) -> None:
    with pytest.raises(MalformedInputError, match="dead-letter queue") as caught:
        read_message(body)
    assert "nothing is lost" in str(caught.value)
    assert "\n" not in str(caught.value)
