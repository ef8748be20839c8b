"""The places that the user names for what a command writes."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from local.errors import UserError


@contextlib.contextmanager
def writing(path: Path, option: str) -> Iterator[None]:
    """Name the place, and the option that changes it, if writing there fails."""
    try:
        yield
    except OSError as error:
        # `mkdir` says so of a parent that is a file.
        is_in_file = isinstance(error, FileExistsError)
        why = f"{error.filename} is no folder" if is_in_file else error.strerror or str(error)
        raise UserError(
            f"{path} cannot be written ({why}): name another place with {option}"
        ) from None


def demand_writable(path: Path, option: str) -> None:
    """Refuse a place where no file or folder can be made, before an export takes its time."""
    with writing(path, option):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
