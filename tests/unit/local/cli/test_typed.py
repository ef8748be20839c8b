"""`make send ARGS=…` works as it is typed."""

import pytest

from local.cli.send import read_event
from local.cli.typed import arguments
from local.errors import UserError

STATUS = '{"command": "status"}'


@pytest.mark.parametrize(
    ("typed", "divided"),
    [
        (STATUS, [STATUS]),
        (f"'{STATUS}' --port 4566", [STATUS, "--port", "4566"]),
        (f"--port 4566 {STATUS}", ["--port", "4566", STATUS]),
        ("events/a.json --port 4566", ["events/a.json", "--port", "4566"]),
        ('"a folder/status.json"', ["a folder/status.json"]),
        ("[1, 2] --port 4566", ["[1, 2]", "--port", "4566"]),
        ("", []),
    ],
)
def test_json_stays_whole_and_the_rest_is_divided(typed: str, divided: list[str]) -> None:
    assert arguments(["send", "--typed", typed]) == ["send", *divided]


def test_other_arguments_are_left_alone() -> None:
    assert arguments(["send", STATUS, "--port", "1"]) == ["send", STATUS, "--port", "1"]


@pytest.mark.parametrize("typed", ["status", "{command: status}", '{"command": "status"', "[1]"])
def test_what_is_no_json_is_answered_by_what_was_meant(typed: str) -> None:
    [_, command] = arguments(["send", "--typed", typed])
    with pytest.raises(UserError) as refused:
        read_event(command)
    assert str(refused.value).endswith('write it as {"command": "status"}')
