"""What the commands refuse before anything is started."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from local.cli.app import app
from local.errors import UserError
from local.sources import Made


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
        (["--api-url", "ftp://api", "--tenant-id", "t"], "ApiUrl is 'ftp://api', but must be"),
        (["--tenant-id", "t"], "--tenant-id needs --environment or --api-url"),
        (["--api-calls-per-minute", "-1"], "ApiCallsPerMinute is '-1', but must be 0 to 60000"),
        (["--settle-seconds", "-1"], "SettleSeconds is '-1', but must be"),
        (["--filter-time-zone", "+01:00"], "FilterTimeZone is '\\+01:00', but must be the name of"),
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
    ("arguments", "problem"),
    [
        (["--faulty", "9", "--entries", "5"], "--faulty and --burst are among --entries"),
        (["--switch", "per_page_cap"], "no NAME=VALUE"),
        (["--switch", "speed=5"], "the simulator has no such switch or value: speed"),
        (["--switch", "per_page_cap=many"], "no such switch or value: per_page_cap"),
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
