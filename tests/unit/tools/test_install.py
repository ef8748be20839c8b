"""How the installer finds its tools, and what it says if it cannot."""

from pathlib import Path

import pytest

from tools import install


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
