"""The command line in this process, for what it refuses."""

import sys

import pytest

from local.cli.app import main


def ended_with(
    code: int,
    arguments: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> str:
    """What a command prints that ends with this exit code."""
    monkeypatch.setattr(sys, "argv", ["local", *arguments])
    monkeypatch.setattr("local.cli.app.exit_on_signals", lambda: None)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == code
    return capsys.readouterr().err
