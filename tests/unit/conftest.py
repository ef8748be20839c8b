"""Unit tests touch no network, and try few examples: they are the inner loop."""

import pytest
from hypothesis import settings

settings.register_profile("unit", max_examples=20, deadline=None)
settings.load_profile("unit")


@pytest.fixture(autouse=True)
def _no_sockets(socket_disabled: None) -> None:
    """Whatever opens a socket fails."""
