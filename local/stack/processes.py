"""Child processes that end with this process at the latest."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from local.errors import UserError

_MAX_END_SECONDS = 5


@contextlib.contextmanager
def running(
    command: Sequence[str | Path], env: Mapping[str, str], log: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Start the command in a process group of its own, and kill the group on leaving.

    Its standard input is an empty pipe. The pipe closes when this process ends, even by a kill, so
    a child can end itself then.
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
    """Run the command to its end; ``UserError`` shows the last lines of a failed one."""
    with running(command, env, log) as process:
        if process.wait():
            raise UserError(f"{doing} failed (all of it: {log}):\n{tail(log)}")


def tail(log: Path, lines: int = 12) -> str:
    """Return a log's last lines."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill every process of the group and wait for their end; none has anything to save."""
    if process.stdin:
        process.stdin.close()
    # The group is gone, or on macOS has only dead processes.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        deadline = time.monotonic() + _MAX_END_SECONDS
        while time.monotonic() < deadline:
            os.killpg(process.pid, 0)
            time.sleep(0.01)
