#!/usr/bin/env python3
"""Installs the project's environments into its own folder; make runs it before every target.

It is the first program that runs on a new machine, so it needs the standard library only and any
Python from 3.9 on. It leaves alone an environment that the same lock file installed before.

    .tools/uv         uv, which installs the rest
    .venv             the project's tools and test dependencies
    .tools/python     a bare Python 3.13: it compiles the layer and runs the functions, so that the
                      functions import the layer's packages and no others
    .tools/ministack  the emulator; its pinned libraries conflict with the project's
    .tools/sam        the SAM command line; its pinned libraries conflict too
    .tools/checkov    security rules for the template; its pinned libraries conflict too
    .tools/cfnguard   cfn-guard and the rules of AWS Control Tower
    .tools/audit      what lists the deployed packages, and asks for their known vulnerabilities
    .tools/lake       readers of the lake, for its tests; heavy, and no part of `make check`
    .tools/datacontract  the checker of the lake's contract; its pinned libraries conflict too
    .tools/node       Node.js, for the checkers of the events' contract
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools"
REQUIREMENTS = ROOT / "requirements"
DOWNLOADED = TOOLS / "cpython"
UV_LOCK = REQUIREMENTS / "uv.txt"
ENVIRONMENTS = {
    ROOT / ".venv": REQUIREMENTS / "dev.txt",
    TOOLS / "python": REQUIREMENTS / "python.txt",
    TOOLS / "ministack": REQUIREMENTS / "ministack.txt",
    TOOLS / "sam": REQUIREMENTS / "sam.txt",
    TOOLS / "checkov": REQUIREMENTS / "checkov.txt",
    TOOLS / "cfnguard": REQUIREMENTS / "cfnguard.txt",
    TOOLS / "audit": REQUIREMENTS / "audit.txt",
    TOOLS / "lake": REQUIREMENTS / "lake.txt",
    TOOLS / "datacontract": REQUIREMENTS / "datacontract.txt",
    TOOLS / "node": REQUIREMENTS / "node.txt",
}
AT_ONCE = 3
"""Environments that are installed at the same time: each mostly waits for the index, or unpacks."""

VERSION = "3.13"
PROBE_SECONDS = 20
DOWNLOAD_SECONDS = 300  # a blocked download may hang instead of failing
MAX_LINES = 6  # of a failed command's errors; uv needs some to name a package and its hash
STAMP = "installed-from"
"""The file in each environment that names the lock file's hash."""


class InstallError(Exception):
    """The user sees its text as one line."""


def main() -> int:
    """Install every environment that is missing or out of date; return the exit code."""
    try:
        with locked():
            missing = {env: lock for env, lock in ENVIRONMENTS.items() if not is_current(env, lock)}
            if missing:
                uv = install_uv()
                python = find_python(uv)
                with ThreadPoolExecutor(AT_ONCE) as pool:
                    installing = [pool.submit(install, uv, python, *one) for one in missing.items()]
                    try:
                        for environment in installing:
                            environment.result()
                    except BaseException:
                        pool.shutdown(wait=False, cancel_futures=True)
                        raise
    except InstallError as error:
        print(f"Cannot install the project's tools: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """Let only one process install at a time: two makes may start at once."""
    TOOLS.mkdir(exist_ok=True)
    with (TOOLS / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def is_current(environment: Path, requirements: Path) -> bool:
    """Whether this lock file installed the environment here, and its interpreter still exists."""
    stamp = environment / STAMP
    return (
        (environment / "bin/python").exists()
        and stamp.exists()
        and stamp.read_text() == fingerprint(environment, requirements)
    )


def fingerprint(environment: Path, requirements: Path) -> str:
    """The path and the lock file's hash: an environment breaks when its folder moves."""
    return f"{environment} {hashlib.sha256(requirements.read_bytes()).hexdigest()}"


def install_uv() -> Path:
    """Install uv from the package index: in a virtual environment, or by pip into a folder.

    Some systems' Python comes without ensurepip, and then cannot make a virtual environment.
    """
    home = TOOLS / "uv"
    uv = home / "bin/uv"
    stamp = home / STAMP
    if uv.exists() and stamp.exists() and stamp.read_text() == fingerprint(home, UV_LOCK):
        return uv
    say("uv")
    shutil.rmtree(home, ignore_errors=True)
    arguments = ["install", "--quiet", "--require-hashes", "--requirement", str(UV_LOCK)]
    try:
        run([sys.executable, "-m", "venv", str(home)])
        run([str(home / "bin/python"), "-m", "pip", *arguments])
    except InstallError:
        shutil.rmtree(home, ignore_errors=True)
        try:
            run([sys.executable, "-m", "pip", *arguments, "--target", str(home)])
        except InstallError as error:
            raise InstallError(
                f"neither `{sys.executable} -m venv` nor its pip could install uv ({error})"
            ) from error
    stamp.write_text(fingerprint(home, UV_LOCK))
    return uv


def find_python(uv: Path) -> str:
    """Find a Python of the functions' version on this machine, or let uv download one."""
    found = next(filter(is_wanted, installed_pythons()), None)
    if found:
        return found
    say(f"Python {VERSION}")
    target = ["--no-bin", "--install-dir", str(DOWNLOADED)]
    try:
        run([str(uv), "python", "install", *target, VERSION], DOWNLOAD_SECONDS)
        return next(filter(is_wanted, installed_pythons()))
    except (InstallError, StopIteration) as error:
        raise InstallError(
            f"no Python {VERSION} was found, and uv could not download one ({error}); "
            f"install it, so that `python{VERSION}` is on the PATH"
        ) from error


def installed_pythons() -> Iterator[str]:
    """Paths where a Python of the version may be, likeliest first."""
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
    """Whether this Python starts and has the version; a shim may exist and fail."""
    if not Path(python).exists():
        return False
    question = "import ctypes, sys; print('%d.%d' % sys.version_info[:2], sys.implementation.name)"
    try:
        return run([python, "-I", "-c", question], PROBE_SECONDS) == f"{VERSION} cpython"
    except InstallError:
        return False


def install(uv: Path, python: str, environment: Path, requirements: Path) -> None:
    """Make the environment if needed, and give it exactly the packages of the lock file."""
    say(environment.relative_to(ROOT))
    if not (environment / "bin/python").exists():
        run([str(uv), "venv", "--quiet", "--clear", "--python", python, str(environment)])
    target = ["--python", str(environment / "bin/python")]
    run([str(uv), "pip", "sync", "--quiet", "--require-hashes", *target, str(requirements)])
    if environment == ROOT / ".venv":
        # Development imports the layer's package from its source folder.
        packages = environment / f"lib/python{VERSION}/site-packages"
        (packages / "cpd_exporter.pth").write_text(f"{ROOT / 'layers/exporter'}\n")
    (environment / STAMP).write_text(fingerprint(environment, requirements))


def run(
    command: Sequence[str],
    seconds: float | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Return a command's output; if it fails, raise the last lines of its errors."""
    try:
        # Without input, no command can stop at a question.
        done = subprocess.run(  # noqa: S603 - the commands are made here
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InstallError(f"`{command[0]}` took longer than {seconds:.0f} s") from error
    except OSError as error:
        raise InstallError(f"`{command[0]}` does not start: {error.strerror}") from error
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()[-MAX_LINES:]
        raise InstallError(
            " ".join(line.strip() for line in lines) or f"exit code {done.returncode}"
        )
    return done.stdout.strip()


def say(what: object) -> None:
    """Report progress on standard error."""
    print(f"Installing {what} …", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
