"""Rows: what is stored is what is read back, and nothing else passes for it."""

import gzip
import hashlib
from copy import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import simplejson
from hypothesis import given
from hypothesis import strategies as st

from cpd_exporter.model import exact_json as json_text
from cpd_exporter.model.entry import FaultyEntry
from cpd_exporter.model.row import (
    Change,
    Row,
    RowsById,
    RowWriter,
    StoredRows,
    decode,
    encode,
    quarantine,
)
from tests.support.samples import TENANT, content, content_of, entry, row_for

AT = datetime(2026, 3, 2, 8, 0, 0, 123000, tzinfo=UTC)
OWN = (
    "change",
    "fingerprint",
    "tenantId",
    "exportedAt",
    "schemaVersion",
    "shadowed",
    "fingerprintExclude",
)
TEXTS = st.text(max_size=20)
MEMBERS = st.dictionaries(
    TEXTS | st.sampled_from(OWN),
    st.none() | st.booleans() | st.integers() | TEXTS | st.lists(TEXTS, max_size=2),
    max_size=8,
)


def row(**changes: Any) -> Row:
    return row_for(entry(**changes), exported_at=AT)


ROWS = st.builds(
    lambda unknown, change, ms: replace(
        row(),
        text=json_text.dump(unknown | content()),
        change=change,
        exported_at=AT + timedelta(milliseconds=ms),
    ),
    MEMBERS,
    st.sampled_from(Change),
    st.integers(0, 10**9),
)


@given(st.lists(ROWS, max_size=5))
def test_rows_come_back_as_they_were_and_in_order(rows: list[Row]) -> None:
    stored = decode(encode(rows))
    assert [content_of(row) for row in stored] == [content_of(row) for row in rows]
    assert [replace(row, text=b"") for row in stored] == [replace(row, text=b"") for row in rows]


@given(st.lists(ROWS, max_size=5))
def test_each_row_is_one_line_to_every_reader(rows: list[Row]) -> None:
    text = gzip.decompress(encode(rows))
    assert len(text.decode().splitlines()) == len(text.splitlines())
    assert len(text.splitlines()) == text.count(b"\n") == len(rows)


def test_equal_rows_give_equal_bytes_at_any_time() -> None:
    assert encode([row(), row()]) == encode([row(), row()])
    modified = encode([row()])[4:8]  # where gzip's header tells the time
    assert modified == bytes(4)


def test_a_line_is_the_entry_and_what_the_row_adds() -> None:
    unusual = row(unknown=simplejson.loads("1.10", use_decimal=True))
    [line] = gzip.decompress(encode([unusual])).splitlines()
    assert json_text.load(line) == content_of(unusual) | {
        "change": "created",
        "fingerprint": unusual.fingerprint,
        "tenantId": TENANT,
        "exportedAt": "2026-03-02T08:00:00.123Z",
        "schemaVersion": 1,
    }
    assert b'"unknown":1.10' in line


def test_members_that_are_named_like_the_rows_own_stand_aside() -> None:
    theirs = {"change": "theirs", "shadowed": {"a": 1}, "tenantId": None}
    stored = encode([row(**theirs)])
    line = json_text.load(gzip.decompress(stored))
    assert line["shadowed"] == theirs
    assert (line["change"], line["tenantId"]) == ("created", TENANT)
    assert content_of(decode(stored)[0]) == content(**theirs)


def test_no_rows_are_an_object_all_the_same() -> None:
    assert decode(encode([])) == []


@given(st.data())
def test_damaged_bytes_are_never_taken_for_rows(data: st.DataObject) -> None:
    stored = encode([row(), row(logEntryId="b" * 24)])
    # The header of gzip names a time and a system, which say nothing.
    at = data.draw(st.integers(10, len(stored) - 1))
    damaged = bytearray(stored)
    damaged[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ValueError, match=r"."):
        decode(bytes(damaged))


@given(st.data())
def test_cut_off_bytes_are_never_taken_for_rows(data: st.DataObject) -> None:
    stored = encode([row()])
    with pytest.raises(ValueError, match=r"."):
        decode(stored[: data.draw(st.integers(0, len(stored) - 1))])


@pytest.mark.parametrize(
    "line",
    [
        b"null",
        b"[]",
        b"5",
        b"{}",
        b"not JSON",
        b'{"change": "created"}',
        b'"\xff"',
        json_text.dump({"change": "renamed", "fingerprint": "f", "tenantId": "t",
                        "exportedAt": "2026-03-02T08:00:00Z"}),
        json_text.dump({"change": "created", "fingerprint": "f", "tenantId": "t",
                        "exportedAt": "yesterday"}),
        json_text.dump({"change": "created", "fingerprint": "f", "tenantId": "t",
                        "exportedAt": "2026-03-02T08:00:00Z", "shadowed": 5}),
    ],
)  # fmt: skip
def test_lines_that_are_no_rows_are_refused(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        decode(gzip.compress(line + b"\n"))


def test_a_faulty_record_is_kept_verbatim_with_its_fault_beside_it() -> None:
    source = b'{"logEntryId": "\xff\n\xe9"}'
    faulty = FaultyEntry(source, "the record: not UTF-8", None, None)
    key, body = quarantine(TENANT, faulty)
    reason, kept = body.split(b"\n", 1)
    digest = hashlib.sha256(source).hexdigest()
    assert kept == source
    assert key == f"quarantine/{digest}"
    assert json_text.load(reason) == {
        "tenantId": TENANT,
        "fault": "the record: not UTF-8",
        "sha256": digest,
    }
    assert quarantine(TENANT, faulty) == (key, body)


def test_a_row_names_the_members_that_its_fingerprint_ignores() -> None:
    ignoring = replace(row(), fingerprint_exclude=frozenset({"viewCount", "likes"}))
    stored = encode([ignoring])
    assert simplejson.loads(gzip.decompress(stored))["fingerprintExclude"] == ["likes", "viewCount"]
    assert decode(stored) == [ignoring]


def test_a_row_that_ignores_none_has_no_such_member() -> None:
    assert b"fingerprintExclude" not in gzip.decompress(encode([row()]))


def test_stored_rows_are_a_sequence_of_rows_and_stored_as_such() -> None:
    three = [row(logEntryId=f"{number:024x}") for number in (3, 1, 2)]
    stored = StoredRows.of(three[:2])
    stored.append(StoredRows.of(three[2:]).lines[0])
    assert (len(stored), stored[1], list(stored[1:]), list(stored)) == (
        3,
        three[1],
        three[1:],
        three,
    )
    assert stored == three
    assert encode(stored) == encode(three)
    by_id = RowsById(stored)
    assert dict(by_id) == {one.entry_id: one for one in three}
    assert len(by_id) == 3


def test_a_deletion_names_the_members_that_the_last_fingerprint_ignores() -> None:
    last = replace(row(), fingerprint_exclude=frozenset({"description"}))
    [deleted] = StoredRows([RowWriter(TENANT, AT).delete(last)])
    assert deleted == replace(last, change=Change.DELETED)
