"""Starts the programs that are measured, and the servers that they call."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]

AWS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "eu-west-2",
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""What a client of AWS needs, though it calls only this machine."""


class ProgramError(Exception):
    """A program ended without a result; the text is the end of its errors."""


def environment(**variables: str) -> dict[str, str]:
    """The variables of a program: no profile, proxy or endpoint of the user's, and our packages."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith("AWS_") and not name.upper().endswith("_PROXY")
    }
    return kept | AWS | {"PYTHONPATH": f"{ROOT}:{ROOT / 'layers/exporter'}"} | variables


def result_of(
    arguments: Sequence[object],
    *,
    python: Path | str = sys.executable,
    variables: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Run a Python program; returns the JSON of its last line."""
    command = [str(python), *map(str, arguments)]
    done = subprocess.run(  # noqa: S603  # the project's own programs
        command,
        cwd=ROOT,
        env=environment(**(variables or {})),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode or not done.stdout.strip():
        raise ProgramError(f"{' '.join(command)}: {done.stderr.strip()[-2000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


@contextmanager
def serving(*arguments: object) -> Iterator[str]:
    """A server in a process of its own; yields the URL that it prints when it is ready."""
    with subprocess.Popen(  # noqa: S603  # the project's own programs
        [sys.executable, *map(str, arguments)],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as server:
        try:
            assert server.stdout is not None
            line = server.stdout.readline()
            if not line:
                raise ProgramError(f"{arguments} did not start")
            yield json.loads(line)["url"]
        finally:
            server.terminate()
