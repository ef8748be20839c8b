"""The time-out of each test holds for a free machine, and grows with the load of this one.

Files that share what takes long to make run in one process.
"""

from collections.abc import Generator
from functools import cache
from typing import Any

import httpx._transports.default as transports
import pytest
from xdist.scheduler import LoadFileScheduling

from tests.support.pace import patience

SHARING = {
    "an exported stack": ("tests/e2e/test_export", "tests/e2e/test_athena", "tests/e2e/test_other"),
    "a lake with a history": ("tests/lake/",),
}
"""Beginnings of the names of such files, by what they share."""

# Each httpx client reads all trusted certificates anew, which takes 40 ms; no test has its own.
transports.create_ssl_context = cache(transports.create_ssl_context)  # type: ignore[attr-defined]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Set the time-out of ``pyproject.toml`` for the machine as it is now."""
    marked, seconds = item.get_closest_marker("timeout"), float(item.config.getini("timeout"))
    if marked is None:
        item.add_marker(pytest.mark.timeout(patience(seconds)))
    return (yield)


class SharingScheduler(LoadFileScheduling):  # type: ignore[misc]  # it has no types
    """Gives a process all files that share something, and any other file alone."""

    def _split_scope(self, nodeid: str) -> str:
        shared = (name for name, files in SHARING.items() if nodeid.startswith(files))
        return next(shared, nodeid.partition("::")[0])


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> SharingScheduler:
    """What ``--dist loadfile`` does, but for shared things."""
    return SharingScheduler(config, log)
