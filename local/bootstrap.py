#!/usr/bin/env python3
"""Installs what this project needs into its own folder; run by make.

Standard library only, and any Python from 3.9 on: this is the first thing that runs on a new
machine. What is there already, from the same lock file, is left alone.

    .tools/uv         uv, which installs the rest
    .venv             the project's tools and test dependencies
    .tools/python     a bare Python 3.13 with pip: builds the layer and runs the functions, which
                      must find nothing but what the layer brings
    .tools/ministack  the emulator, and
    .tools/sam        the SAM command line: each pins libraries that the project's would not suit
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools"
DOWNLOADED = TOOLS / "cpython"
UV_LOCK = ROOT / "local/requirements-uv.txt"
ENVIRONMENTS = {
    ROOT / ".venv": ROOT / "requirements-dev.txt",
    TOOLS / "python": ROOT / "local/requirements-python.txt",
    TOOLS / "ministack": ROOT / "local/requirements-ministack.txt",
    TOOLS / "sam": ROOT / "local/requirements-sam.txt",
}
VERSION = "3.13"
PROBE_SECONDS = 20
DOWNLOAD_SECONDS = 300  # a blocked download may hang instead of failing


class BootstrapError(Exception):
    """Told to the user as one line."""


def main() -> int:
    try:
        TOOLS.mkdir(exist_ok=True)
        with (TOOLS / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # two makes may start at once
            missing = {env: lock for env, lock in ENVIRONMENTS.items() if not is_current(env, lock)}
            if missing:
                uv = install_uv()
                python = find_python(uv)
                for environment, requirements in missing.items():
                    install(uv, python, environment, requirements)
    except BootstrapError as error:
        print(f"Cannot install the project's tools: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def is_current(environment: Path, requirements: Path) -> bool:
    """Whether this was installed here, from this lock file, and its interpreter still exists."""
    stamp = environment / "bootstrapped"
    return (
        (environment / "bin/python").exists()
        and stamp.exists()
        and stamp.read_text() == fingerprint(environment, requirements)
    )


def fingerprint(environment: Path, requirements: Path) -> str:
    """The path is part of it: an environment that was moved along with its folder is broken."""
    return f"{environment} {hashlib.sha256(requirements.read_bytes()).hexdigest()}"


def install_uv() -> Path:
    """uv from the package index, in an environment of its own or, without ensurepip, a folder."""
    home = TOOLS / "uv"
    uv = home / "bin/uv"
    stamp = home / "bootstrapped"
    if uv.exists() and stamp.exists() and stamp.read_text() == fingerprint(home, UV_LOCK):
        return uv
    say("uv")
    shutil.rmtree(home, ignore_errors=True)
    arguments = ["install", "--quiet", "--require-hashes", "--requirement", str(UV_LOCK)]
    try:
        run([sys.executable, "-m", "venv", str(home)])
        run([str(home / "bin/python"), "-m", "pip", *arguments])
    except BootstrapError:
        shutil.rmtree(home, ignore_errors=True)
        try:
            run([sys.executable, "-m", "pip", *arguments, "--target", str(home)])
        except BootstrapError as error:
            raise BootstrapError(
                f"neither `{sys.executable} -m venv` nor its pip could install uv ({error})"
            ) from error
    stamp.write_text(fingerprint(home, UV_LOCK))
    return uv


def find_python(uv: Path) -> str:
    """A Python of the functions' version: one that is here, else one that uv downloads."""
    found = next(filter(is_wanted, installed_pythons()), None)
    if found:
        return found
    say(f"Python {VERSION}")
    target = ["--no-bin", "--install-dir", str(DOWNLOADED)]
    try:
        run([str(uv), "python", "install", *target, VERSION], DOWNLOAD_SECONDS)
        return next(filter(is_wanted, installed_pythons()))
    except (BootstrapError, StopIteration) as error:
        raise BootstrapError(
            f"no Python {VERSION} was found, and uv could not download one ({error}); "
            f"install it, so that `python{VERSION}` is on the PATH"
        ) from error


def installed_pythons() -> Iterator[str]:
    """Where a Python of the version may be, likeliest first."""
    yield sys.executable
    for folder in os.get_exec_path():
        yield from (str(Path(folder, name)) for name in (f"python{VERSION}", "python3", "python"))
    # A pyenv shim answers only for the versions that are selected, so look behind it.
    for root in (os.environ.get("PYENV_ROOT"), Path.home() / ".pyenv"):
        if root:
            versions = Path(root, "versions").glob(f"{VERSION}*/bin/python{VERSION}")
            yield from (str(path) for path in sorted(versions, reverse=True))
    for folder in ("/usr/local/bin", "/opt/homebrew/bin", f"/opt/python/{VERSION}/bin"):
        yield f"{folder}/python{VERSION}"
    yield from map(str, DOWNLOADED.glob(f"*-{VERSION}*/bin/python{VERSION}"))


def is_wanted(python: str) -> bool:
    """Whether it starts and is the version; a shim may exist and fail."""
    if not Path(python).exists():
        return False
    question = "import ctypes, sys; print('%d.%d' % sys.version_info[:2], sys.implementation.name)"
    try:
        return run([python, "-I", "-c", question], PROBE_SECONDS) == f"{VERSION} cpython"
    except BootstrapError:
        return False


def install(uv: Path, python: str, environment: Path, requirements: Path) -> None:
    say(environment.relative_to(ROOT))
    if not (environment / "bin/python").exists():
        run([str(uv), "venv", "--quiet", "--clear", "--python", python, str(environment)])
    target = ["--python", str(environment / "bin/python")]
    run([str(uv), "pip", "sync", "--quiet", "--require-hashes", *target, str(requirements)])
    if environment == ROOT / ".venv":
        # For development the layer's package is used from where it is.
        packages = environment / f"lib/python{VERSION}/site-packages"
        (packages / "cpd_exporter.pth").write_text(f"{ROOT / 'layers/exporter'}\n")
    (environment / "bootstrapped").write_text(fingerprint(environment, requirements))


def run(command: Sequence[str], seconds: float | None = None) -> str:
    """What a command printed; the last line of its errors is the reason if it fails."""
    try:
        # No input: nothing may stop and ask.
        done = subprocess.run(  # noqa: S603 - the commands are made here
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds
        )
    except subprocess.TimeoutExpired as error:
        raise BootstrapError(f"`{command[0]}` took longer than {seconds:.0f} s") from error
    except OSError as error:
        raise BootstrapError(f"`{command[0]}` does not start: {error.strerror}") from error
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise BootstrapError(lines[-1].strip() if lines else f"exit code {done.returncode}")
    return done.stdout.strip()


def say(what: object) -> None:
    print(f"Installing {what} …", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
