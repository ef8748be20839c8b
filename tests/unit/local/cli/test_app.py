"""What the commands refuse before anything is started."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from local.cli.app import app
from local.errors import UserError
from local.sources import Made
from tests.support.command_lines import ended_with


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for variable in ("CPD_API_SECRET", "CPD_CLIENT_ID", "CPD_CLIENT_SECRET"):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--environment", "staging"], "Tenant ID is missing: give it by --tenant-id"),
        (["--environment", "staging", "--tenant-id", "t"], "Client ID is missing.*CPD_CLIENT_ID"),
        (
            ["--environment", "staging", "--tenant-id", "t", "--auth", "basic"],
            "API secret is missing.*CPD_API_SECRET",
        ),
        (
            ["--api-url", "https://api", "--tenant-id", "t", "--auth", "oauth2"],
            "Client ID is missing: give it by CPD_CLIENT_ID",
        ),
        (["--api-url", "ftp://api", "--tenant-id", "t"], "--api-url is 'ftp://api', but must be"),
        (["--tenant-id", "t"], "--tenant-id needs --environment or --api-url"),
        (["--api-calls-per-minute", "-1"], "--api-calls-per-minute is '-1', but must be 0 to"),
        (["--api-calls-per-minute", "9"], "--api-calls-per-minute must be 0, or at least 10"),
        (["--settle-seconds", "-1"], "--settle-seconds is '-1', but must be"),
        (
            ["--filter-time-zone", "+01:00"],
            "--filter-time-zone is '\\+01:00', but must be the name",
        ),
        (["--filter-time-zone", "Europe/Lodnon"], "--filter-time-zone is .* IANA"),
        (["--first-date", "1969-12-31"], "--first-date is '1969-12-31', but .* from 1970"),
    ],
)
@pytest.mark.parametrize("command", ["run", "up"])
@pytest.mark.usefixtures("here")
def test_what_is_missing_or_wrong_is_named(
    command: str, arguments: list[str], problem: str
) -> None:
    result = CliRunner().invoke(app, [command, *arguments])
    assert isinstance(result.exception, UserError)
    with pytest.raises(UserError, match=problem):
        raise result.exception
    assert result.stdout == ""


def test_a_folder_with_something_else_in_it_is_left_alone(here: Path) -> None:
    mine = here / "lake-copy/thesis.txt"
    mine.parent.mkdir()
    mine.write_text("mine")
    result = CliRunner().invoke(app, ["run"])
    assert isinstance(result.exception, UserError)
    assert "name another folder with --output" in str(result.exception)
    assert mine.read_text() == "mine"


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "--output", "file/lake"],
        ["run", "--report", "file/report.json"],
        ["run", "--report", "folder"],
        ["demo", "--output", "file/lake"],
        ["demo", "--report", "folder"],
        ["status", "--html", "--from", "status.json", "--output", "folder"],
        ["status", "--html", "--from", "status.json", "--output", "file/status.html"],
        ["status", "--html", "--from", "status.json", "--output", "none/status.html"],
    ],
    ids=" ".join,
)
def test_a_place_that_cannot_be_written_is_named_at_once(
    arguments: list[str],
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (here / "folder").mkdir()
    (here / "file").touch()
    (here / "status.json").write_text('{"summary": "up to date", "tenants": []}')
    said = ended_with(1, arguments, monkeypatch, capsys)
    place = re.escape(arguments[-1])
    assert re.fullmatch(
        rf"Error: {place} (cannot be written \(.+\): name another place|is a folder; name a file) "
        r"with --(output|report)\n",
        said,
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["send", "--typed", "it's"], "a quote is not closed in it's"),
        (["send", "deep.json"], 'the command is not JSON: write it as {"command": "status"}'),
        (["status", "--from", "deep.json"], "deep.json holds no JSON, so no answer to status"),
        (["status", "--from", "part.json"], "part.json holds no whole answer to status"),
        (["status", "--from", "error.json"], "error.json: no access"),
        (["status", "--from", "other.json"], "other.json: it holds no answer to status"),
        (["status", "--from", "none.json"], "none.json cannot be used: No such file or directory"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else "",
)
def test_what_cannot_be_read_is_answered_in_one_line(
    arguments: list[str],
    said: str,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (here / "deep.json").write_text("[" * 200_000)
    (here / "error.json").write_text('{"error": {"message": "no access"}}')
    (here / "other.json").write_text('{"tenants": []}')
    (here / "part.json").write_text('{"summary": "x", "tenants": [{}]}')
    assert ended_with(1, arguments, monkeypatch, capsys) == f"Error: {said}\n"


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["--faulty", "9", "--entries", "5"], "--faulty and --burst are among --entries"),
        (["--switch", "per_page_cap"], "no NAME=VALUE"),
        (["--switch", "speed=5"], "the simulator has no switch speed"),
        (["--switch", "change=foo"], "kind must be 'insert', 'back-date', 'edit', 'delete' or"),
        (["--switch", "per_page_cap=many"], "per_page_cap must be a valid integer"),
    ],
)
@pytest.mark.usefixtures("here")
def test_switches_of_the_simulator_are_checked(arguments: list[str], problem: str) -> None:
    result = CliRunner().invoke(app, ["run", *arguments])
    assert isinstance(result.exception, UserError)
    assert problem in str(result.exception)


def test_the_simulator_gets_its_switches() -> None:
    switches = ("per_page_cap=50", "fault=429,every=5", "change=edit,every=3")
    behaviour = Made(10, 1, switches=switches).behaviour()
    assert behaviour.per_page_cap == 50
    assert behaviour.faults[0].status == 429
    assert behaviour.changes[0].kind == "edit"
