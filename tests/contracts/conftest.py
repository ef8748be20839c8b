from collections.abc import Iterator

import pytest

from tests.contracts.account import Account, opened


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    with opened(monkeypatch) as account:
        yield account
