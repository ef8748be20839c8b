"""The time-out of each test holds for a free machine, and grows with the load of this one."""

from collections.abc import Generator

import pytest

from tests.support.pace import patience


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Set the time-out of ``pyproject.toml`` for the machine as it is now."""
    marked, seconds = item.get_closest_marker("timeout"), float(item.config.getini("timeout"))
    if marked is None:
        item.add_marker(pytest.mark.timeout(patience(seconds)))
    return (yield)
