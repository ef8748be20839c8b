"""A copy of the lake in a folder."""

import errno
import gzip
import io
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from local import lake
from local.errors import UserError
from local.stack.account import EmulatedAccount
from local.stack.deploy import DeployedStack


def stack_with(objects: dict[str, bytes]) -> DeployedStack:
    def get_object(Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803 - boto3's names
        return {"Body": io.BytesIO(objects[Key])}

    pages = [{"Contents": [{"Key": key} for key in objects]}]
    paginator = SimpleNamespace(paginate=lambda **_: pages)
    s3 = SimpleNamespace(get_object=get_object, get_paginator=lambda _: paginator)
    account = cast("EmulatedAccount", SimpleNamespace(s3=s3))
    return DeployedStack(account, {"LakeBucketName": "lake"}, Path("the.log"))


def test_an_older_copy_of_the_lake_is_replaced_once_the_new_one_is_whole(tmp_path: Path) -> None:
    folder = tmp_path / "a/lake"
    line = gzip.compress(b'{"logEntryId": "one"}\n')
    lake.check(folder)
    assert lake.copy(stack_with({"entries/old": line}), folder).rows == {"one": 1}
    lake.check(folder)
    with pytest.raises(gzip.BadGzipFile):
        lake.copy(stack_with({"entries/broken": b"no gzip"}), folder)
    assert (folder / "entries/old").exists()
    lake.copy(stack_with({"entries/new": line}), folder)
    assert [path.name for path in (folder / "entries").iterdir()] == ["new"]


def test_a_disk_that_is_full_is_named_and_emptied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_bytes(_path: Path, _content: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # no file's name, as of a write

    monkeypatch.setattr(Path, "write_bytes", write_bytes)
    with pytest.raises(UserError, match=r"lake cannot be written \(No space left .* --output"):
        lake.copy(stack_with({"entries/one": b""}), tmp_path / "lake")
    assert not list(tmp_path.iterdir())
