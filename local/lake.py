"""The lake's objects, and a copy of them in a folder."""

import gzip
import shutil
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import simplejson

from local.destination import demand_writable, writing
from local.errors import UserError
from local.stack.deploy import DeployedStack

_OPTION = "--output"

_MARK = ".cpd-lake"
"""A file that marks a folder as a copy, so that the next copy may replace it."""


@dataclass(frozen=True)
class LakeCopy:
    """``objects`` counts files of entries; ``rows`` counts the rows of each entry, by ID.

    ``quarantined`` counts records that cannot be understood.
    """

    objects: int
    quarantined: int
    rows: Counter[str]


def check(folder: Path) -> None:
    """Refuse a folder that holds anything but an older copy."""
    if folder.exists() and (
        not folder.is_dir() or (any(folder.iterdir()) and not (folder / _MARK).exists())
    ):
        raise UserError(f"{folder} holds something else; name another folder with {_OPTION}")
    demand_writable(folder, _OPTION)


def copy(stack: DeployedStack, folder: Path) -> LakeCopy:
    """Copy every object into the folder, under its own key.

    An older copy stays until the new one is whole.
    """
    s3, bucket = stack.account.s3, stack.outputs["LakeBucketName"]
    folder = folder.resolve()
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)

    def fetch(key: str) -> Path:
        content, path = s3.get_object(Bucket=bucket, Key=key)["Body"].read(), part / key
        with writing(folder, _OPTION):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        return path

    try:
        with writing(folder, _OPTION):
            part.mkdir(parents=True)
            (part / _MARK).touch()
        with ThreadPoolExecutor(4) as pool:
            paths = list(pool.map(fetch, keys(stack)))
    except UserError:
        shutil.rmtree(part, ignore_errors=True)  # a full disk must not stay full
        raise
    objects = [path for path in paths if path.is_relative_to(part / "entries")]
    quarantined = sum(path.is_relative_to(part / "quarantine") for path in paths)
    rows = Counter(row for path in objects for row in _ids(path))
    copied = LakeCopy(len(objects), quarantined, rows)
    check(folder)
    shutil.rmtree(folder, ignore_errors=True)
    with writing(folder, _OPTION):
        part.rename(folder)
    return copied


def keys(stack: DeployedStack) -> Iterator[str]:
    """List the keys of all objects in the lake."""
    pages = stack.account.s3.get_paginator("list_objects_v2")
    for page in pages.paginate(Bucket=stack.outputs["LakeBucketName"]):
        for item in page.get("Contents", []):
            yield item["Key"]


def _ids(path: Path) -> Iterator[str]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield simplejson.loads(line)["logEntryId"]
