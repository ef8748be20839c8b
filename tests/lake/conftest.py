"""One lake for all tests of its readers."""

import pytest

from tests.lake.history import History, written


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    return written(tmp_path_factory.mktemp("lake"))
