"""The environments of the tools that are measured beside the exporter."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.benchmark.processes import ROOT

ENVIRONMENTS = ROOT / ".local/bench-envs"
UV = ROOT / ".tools/uv/bin/uv"
_STAMP = "installed-from"


def python_of(name: str) -> Path | None:
    """The Python of an environment, installed from its lock file; ``None`` if that fails."""
    lock = ROOT / f"requirements/bench-{name}.txt"
    folder = ENVIRONMENTS / name
    python, stamp = folder / "bin/python", folder / _STAMP
    made_from = f"{folder}\n{lock.read_text()}"
    if python.exists() and stamp.exists() and stamp.read_text() == made_from:
        return python
    shutil.rmtree(folder, ignore_errors=True)
    try:
        _uv("venv", "--python", sys.executable, folder)
        _uv("pip", "sync", "--require-hashes", "--python", python, lock)
    except (OSError, subprocess.CalledProcessError):
        return None
    stamp.write_text(made_from)
    return python


def _uv(*arguments: object) -> None:
    command = [str(UV), *map(str, arguments), "--quiet"]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)  # noqa: S603  # our own tool
