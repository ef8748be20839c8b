"""What `send` reads as a command."""

from pathlib import Path

import pytest

from local.cli.send import read_event
from local.errors import UserError


@pytest.mark.parametrize("command", ["missing.json", "[]", ".", "no json}"])
def test_a_command_that_is_none_is_refused(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(UserError, match="the command is"):
        read_event("list.json" if command == "[]" else command)
