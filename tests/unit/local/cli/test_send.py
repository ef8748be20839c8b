"""What `send` reads as a command."""

from pathlib import Path

import pytest

from local.cli.options import SendOptions
from local.cli.send import read_event, send
from local.errors import UserError


@pytest.mark.parametrize("command", ["missing.json", "[]", "list.json", "no json}"])
def test_a_command_that_is_none_is_refused(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(UserError, match="the command is"):
        read_event(command)


def test_a_folder_is_no_command(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is a folder: name a file in it"):
        read_event(str(tmp_path))


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "status.json").write_text('{"command": "status"}', "utf-8-sig")
    assert read_event(str(tmp_path / "status.json")) == {"command": "status"}


def test_an_error_says_that_the_command_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {"error": {"type": "E", "message": "no answer"}, "accepted": {"requested": "backfill"}}
    monkeypatch.setattr("local.cli.send.at_port", lambda _: None)
    monkeypatch.setattr("local.cli.send.invoke", lambda *_: answer)
    with pytest.raises(UserError, match=r'no answer\. The command is stored .* "backfill"'):
        send(SendOptions('{"command": "status"}'))


def test_a_secret_is_mended_by_what_up_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    message = "refused: put the right values into the secret: aws secretsmanager put-secret-value"
    monkeypatch.setattr("local.cli.send.at_port", lambda _: None)
    monkeypatch.setattr("local.cli.send.invoke", lambda *_: {"error": {"message": message}})
    with pytest.raises(UserError, match=r"^refused\. Start `make up` anew with .*CPD_API_SECRET$"):
        send(SendOptions('{"command": "status"}'))
