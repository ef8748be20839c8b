"""Write once, to a key that is known before."""

from datetime import UTC, datetime, timedelta

import pytest

from cpd_exporter.adapters.aws.lake import S3Lake
from cpd_exporter.ports import Lake
from tests.contracts.account import BUCKET, MotoAccount
from tests.support.fakes import FakeLake

KEY = "entries/entry_month=2026-01/20260101T000000Z_20260102T000000Z_g1_e.jsonl.gz"


@pytest.fixture(params=["in memory", "S3"])
def lake(request: pytest.FixtureRequest) -> Lake:
    if request.param == "in memory":
        return FakeLake(BUCKET)
    return S3Lake(request.getfixturevalue("account").s3, BUCKET)


def test_what_is_put_is_read(lake: Lake) -> None:
    body = bytes(range(256)) * 1000
    assert lake.put_new(KEY, body)
    assert lake.read(KEY) == body


def test_the_first_one_stays(lake: Lake) -> None:
    assert lake.put_new(KEY, b"first")
    assert not lake.put_new(KEY, b"second")
    assert not lake.put_new(KEY, b"first")
    assert lake.read(KEY) == b"first"


def test_an_empty_object_is_one(lake: Lake) -> None:
    assert lake.put_new(KEY, b"")
    assert not lake.put_new(KEY, b"second")
    assert lake.read(KEY) == b""


def test_a_missing_one_is_none(lake: Lake) -> None:
    lake.put_new(KEY + "x", b"a neighbour")
    assert lake.read(KEY) is None


def test_subscribers_learn_where_it_is(lake: Lake) -> None:
    assert lake.uri(KEY) == f"s3://{BUCKET}/{KEY}"


def test_an_index_is_deleted_and_nothing_else(lake: Lake) -> None:
    for key in ("index/a", "index/b", "entries/a"):
        lake.put_new(key, b"x")
    for _ in range(2):
        lake.delete_index("index/a")
    with pytest.raises(ValueError, match="entries/a"):
        lake.delete_index("entries/a")
    kept = [lake.read(key) for key in ("index/a", "index/b", "entries/a")]
    assert kept == [None, b"x", b"x"]


def test_entries_are_listed_from_an_instant_on(lake: Lake) -> None:
    keys = [f"entries/{number:04}" for number in range(1001)]  # more than S3 lists at once
    before = datetime.now(UTC) - timedelta(seconds=5)
    for key in [*keys, "index/a"]:
        lake.put_new(key, b"x")
    listed = lake.entries_since(before)
    assert sorted(key for _, key in listed) == keys
    assert all(at.tzinfo is UTC and not at.microsecond and at > before for at, _ in listed)
    assert lake.entries_since(max(at for at, _ in listed) + timedelta(seconds=1)) == []


def test_the_progress_is_replaced(lake: Lake) -> None:
    lake.put_new("entries/a", b"x")
    for body in (b"first", b"second"):
        lake.put_progress(body)
    assert lake.read("entries/a") == b"x"


def test_the_progress_is_beside_the_entries(account: MotoAccount) -> None:
    lake = S3Lake(account.s3, BUCKET)
    for body in (b"first", b"second"):
        lake.put_progress(body)
    stored = account.s3.get_object(Bucket=BUCKET, Key="progress.json")
    assert (stored["Body"].read(), stored["ContentType"]) == (b"second", "application/json")
