"""The folders of stacks on this machine: which of them are up, and which are left over."""

import fcntl
import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from local.errors import UserError
from local.places import SCRATCH

STACKS = SCRATCH / "stacks"
MAX_LEFT_OVER = 3
"""Folders of stacks that failed, whose logs stay."""

_LOCK, _UP = "lock", "up.json"


@dataclass(frozen=True)
class UpStack:
    """A stack that `up` keeps up, if it ``is_noted``. ``simulator`` is its URL, empty for another
    API.
    """

    port: int
    simulator: str = ""
    is_noted: bool = True


def hold(folder: Path) -> IO[str]:
    """Mark a folder as used, until the file is closed or this process ends."""
    lock = (folder / _LOCK).open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def note_up(folder: Path, stack: UpStack) -> None:
    """Let other commands find a stack."""
    (folder / _UP).write_text(json.dumps(asdict(stack)))


def find_up(port: int) -> UpStack:
    """Find the stack at a port that `up` keeps up, or the only one for port 0."""
    noted = [
        UpStack(**json.loads(path.read_text()))
        for path in STACKS.glob(f"*/{_UP}")
        if _is_held(path.parent)
    ]
    if port:
        return next((one for one in noted if one.port == port), UpStack(port, is_noted=False))
    if not noted:
        raise UserError("no stack is up here: `make up` brings one up, or name one with --port")
    if len(noted) > 1:
        ports = ", ".join(str(one.port) for one in sorted(noted, key=lambda one: one.port))
        raise UserError(f"several stacks are up: name one with --port ({ports})")
    return noted[0]


def clean() -> None:
    """Remove what stacks left over, but the logs of the last ones that failed."""
    unused = [path for path in STACKS.iterdir() if path.is_dir() and not _is_held(path)]
    unused.sort(key=lambda path: path.stat().st_mtime)
    for path in unused[:-MAX_LEFT_OVER]:
        shutil.rmtree(path, ignore_errors=True)


def _is_held(folder: Path) -> bool:
    try:
        with (folder / _LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False
