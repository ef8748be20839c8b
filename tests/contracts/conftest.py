from collections.abc import Iterator

import pytest

from tests.contracts.account import MotoAccount, opened


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[MotoAccount]:
    with opened(monkeypatch) as account:
        yield account
