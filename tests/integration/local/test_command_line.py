"""The command line, as a shell starts it."""

import json
import subprocess
import sys

import pytest

from local.places import ROOT
from tests.support.command_lines import ended_with

STATUS = '{"command": "status"}'


def test_help_imports_no_client() -> None:
    code = (
        "import sys; from local.cli.app import app\n"
        "slow = {'boto3', 'httpx', 'rich', 'uvicorn', 'moto'} & set(sys.modules)\n"
        "assert not slow, slow"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)  # noqa: S603


def test_make_passes_json_on_as_it_is() -> None:
    made = subprocess.run(  # noqa: S603  # the project's own Makefile
        ["make", "--dry-run", "send", f"ARGS={STATUS}"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    [line] = [line for line in made.splitlines() if "local send" in line]
    assert line.endswith('send --typed "$ARGS"')
    shown = subprocess.run(  # noqa: S603
        ["make", "--no-print-directory", "-f", "-", "show", f"ARGS={STATUS}"],  # noqa: S607
        input='export ARGS\nshow:\n\t@printf %s "$$ARGS"\n',
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert json.loads(shown) == {"command": "status"}


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (
            ["run", "--entries", "ten"],
            "--entries: it must be a whole number; see `make run ARGS=--help`",
        ),
        (["run", "--entries", "0"], "--entries: it must be at least 1; see `make run ARGS=--help`"),
        (["up", "--port", "70000"], "--port: it must be at most 65535; see `make up ARGS=--help`"),
        (
            ["run", "--first-date", "soon"],
            "--first-date: 'soon' is no day such as 2026-03-01; see `make run ARGS=--help`",
        ),
        (
            ["run", "--auth", "x"],
            "--auth: 'x' is not one of 'auto', 'basic', 'oauth2'; see `make run ARGS=--help`",
        ),
        (["runn"], "there is no command 'runn' (did you mean 'run'?); see `make help`"),
        (["change"], "the kind is missing; see `make change ARGS=--help`"),
        (["send", "{}", "x"], "it has no use for x; see `make send ARGS=--help`"),
        (["run", "--entries"], "--entries needs a value"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else "",
)
def test_a_mistyped_command_line_is_answered_in_one_line(
    typed: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ended_with(2, typed, monkeypatch, capsys) == f"Error: {said}\n"
