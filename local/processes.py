"""Child processes that never outlive the one that started them."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from local.problem import UserError

_GONE_WITHIN_SECONDS = 5


@contextlib.contextmanager
def running(
    command: Sequence[str | Path], env: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Starts the command in a process group of its own, and kills the group in the end.

    Its standard input is a pipe that nothing is written to: a child can tell by its end that this
    process is gone, even if that was killed.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - the commands are made here
            command,
            env=env,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        _kill_group(process)


def run(command: Sequence[str | Path], env: Mapping[str, str], log: Path, doing: str) -> None:
    """Runs the command to its end; a failure is a problem that shows the last of its output."""
    with running(command, env, log) as process:
        if process.wait():
            raise UserError(f"{doing} failed (all of it: {log}):\n{tail(log)}")


def tail(log: Path, lines: int = 12) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Returns when all of them are gone; none holds anything worth an orderly end."""
    if process.stdin:
        process.stdin.close()
    # No such process, or for macOS only dead ones.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        deadline = time.monotonic() + _GONE_WITHIN_SECONDS
        while time.monotonic() < deadline:
            os.killpg(process.pid, 0)
            time.sleep(0.01)
