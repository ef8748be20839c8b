"""The time-out of each test holds for a free machine, and grows with the load of this one."""

from collections.abc import Generator
from functools import cache

import httpx._transports.default as transports
import pytest

from tests.support.pace import patience

# Each httpx client reads all trusted certificates anew, which takes 40 ms; no test has its own.
transports.create_ssl_context = cache(transports.create_ssl_context)  # type: ignore[attr-defined]


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Set the time-out of ``pyproject.toml`` for the machine as it is now."""
    marked, seconds = item.get_closest_marker("timeout"), float(item.config.getini("timeout"))
    if marked is None:
        item.add_marker(pytest.mark.timeout(patience(seconds)))
    return (yield)
