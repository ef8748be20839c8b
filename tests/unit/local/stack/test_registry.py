"""Which stacks are up here, and what is left of others."""

from pathlib import Path

import pytest

from local.errors import UserError
from local.stack import registry
from local.stack.registry import UpStack, clean, find_up, hold, note_up


@pytest.fixture
def stacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(registry, "STACKS", tmp_path)
    return tmp_path


def folder(stacks: Path, name: str) -> Path:
    made = stacks / name
    made.mkdir()
    return made


def test_the_only_stack_that_is_up_is_found(stacks: Path) -> None:
    with pytest.raises(UserError, match="no stack is up here: `make up`"):
        find_up(0)
    first, second = folder(stacks, "one"), folder(stacks, "two")
    with hold(first):
        note_up(first, UpStack(4566, "http://127.0.0.1:1"))
        assert find_up(0) == find_up(4566) == UpStack(4566, "http://127.0.0.1:1")
        assert find_up(99) == UpStack(99, is_noted=False)
        with hold(second):
            note_up(second, UpStack(4567))
            with pytest.raises(UserError, match=r"name one with --port \(4566, 4567\)"):
                find_up(0)
        assert find_up(0).port == 4566
    with pytest.raises(UserError, match="no stack is up"):
        find_up(0)


def test_left_over_folders_are_removed_but_the_last_and_those_in_use(stacks: Path) -> None:
    used = folder(stacks, "used")
    with hold(used):
        for number in range(5):
            folder(stacks, f"old-{number}")
        clean()
        assert used.exists()
        assert len(list(stacks.iterdir())) == 1 + registry.MAX_LEFT_OVER
