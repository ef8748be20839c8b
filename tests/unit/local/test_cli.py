"""What is refused before anything is started, and how the tools are found."""

import gzip
import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from typer.testing import CliRunner

from local import lake
from local.cli.app import app
from local.cli.send import read_event
from local.errors import UserError
from local.stack.account import EmulatedAccount
from local.stack.deploy import DeployedStack
from tools import install


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
        (["--environment", "staging", "--tenant-id", "t"], "API secret is missing.*CPD_API_SECRET"),
        (
            ["--api-url", "https://api", "--tenant-id", "t", "--auth", "oauth2"],
            "Client ID is missing: give it by CPD_CLIENT_ID",
        ),
        (["--api-url", "ftp://api", "--tenant-id", "t"], "ApiUrl is 'ftp://api', but must be"),
        (["--tenant-id", "t"], "--tenant-id needs --environment or --api-url"),
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
    mine = here / "lake/thesis.txt"
    mine.parent.mkdir()
    mine.write_text("mine")
    result = CliRunner().invoke(app, ["run"])
    assert isinstance(result.exception, UserError)
    assert "name another folder with --output" in str(result.exception)
    assert mine.read_text() == "mine"


def stack_with(objects: dict[str, bytes]) -> DeployedStack:
    def get_object(Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        return {"Body": io.BytesIO(objects[Key])}

    pages = [{"Contents": [{"Key": key} for key in objects]}]
    paginator = SimpleNamespace(paginate=lambda **_: pages)
    s3 = SimpleNamespace(get_object=get_object, get_paginator=lambda _: paginator)
    account = cast("EmulatedAccount", SimpleNamespace(s3=s3))
    return DeployedStack(account, {"LakeBucketName": "lake"}, Path("the.log"))


def test_an_older_copy_of_the_lake_is_replaced_once_the_new_one_is_whole(tmp_path: Path) -> None:
    folder = tmp_path / "a/lake"
    line = gzip.compress(b'{"logEntryId": "one"}\n')
    lake.check(folder)
    assert lake.copy(stack_with({"entries/old": line}), folder).rows == {"one": 1}
    lake.check(folder)
    with pytest.raises(gzip.BadGzipFile):
        lake.copy(stack_with({"entries/broken": b"no gzip"}), folder)
    assert (folder / "entries/old").exists()
    lake.copy(stack_with({"entries/new": line}), folder)
    assert [path.name for path in (folder / "entries").iterdir()] == ["new"]


@pytest.mark.parametrize("command", ["missing.json", "[]", ".", "no json}"])
def test_a_command_that_is_none_is_refused(command: str, here: Path) -> None:
    (here / "list.json").write_text("[]")
    with pytest.raises(UserError, match="the command is"):
        read_event("list.json" if command == "[]" else command)


def interpreter(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def test_a_python_behind_pyenv_is_found_although_its_shim_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shim = interpreter(tmp_path / "shims/python3.13", "exit 127")
    real = interpreter(tmp_path / "pyenv/versions/3.13.9/bin/python3.13", "echo 3.13 cpython")
    monkeypatch.setenv("PATH", str(shim.parent))
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "pyenv"))
    monkeypatch.setattr("sys.executable", str(interpreter(tmp_path / "python", "echo 3.9 cpython")))
    uv = interpreter(tmp_path / "uv", "exit 1")
    assert install.find_python(uv) == str(real)


def test_without_any_python_the_reason_and_the_remedy_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(install, "installed_pythons", lambda: iter(()))
    uv = interpreter(tmp_path / "uv", "echo 'no network' >&2; exit 2")
    with pytest.raises(install.InstallError) as raised:
        install.find_python(uv)
    assert "no network" in str(raised.value)
    assert "so that `python3.13` is on the PATH" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_download_that_hangs_is_given_up(tmp_path: Path) -> None:
    hanging = interpreter(tmp_path / "uv", "exec sleep 60")
    with pytest.raises(install.InstallError, match="took longer than"):
        install.run([str(hanging)], 0.2)


def test_an_environment_is_current_until_its_lock_file_or_its_place_changes(
    tmp_path: Path,
) -> None:
    environment, lock = tmp_path / "env", tmp_path / "lock.txt"
    interpreter(environment / "bin/python", "")
    lock.write_text("a==1")
    assert not install.is_current(environment, lock)
    (environment / "installed-from").write_text(install.fingerprint(environment, lock))
    assert install.is_current(environment, lock)
    lock.write_text("a==2")
    assert not install.is_current(environment, lock)
    lock.write_text("a==1")
    moved = environment.rename(tmp_path / "moved")
    assert not install.is_current(moved, lock)
