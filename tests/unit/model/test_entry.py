"""Entries: what is exported, what is set apart, and that one never harms another."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from json import dumps
from random import Random
from typing import Any

import pytest
import simplejson
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from cpd_exporter.errors import MalformedResponseError
from cpd_exporter.model import exact_json as json_text
from cpd_exporter.model.entry import (
    MAX_DEPTH,
    Entry,
    FaultyEntry,
    fingerprint,
    read_entry,
    read_listing,
    read_single_entry,
)
from tests.support.samples import content, content_of, entry, listing, numbered, row_for, text

FIELDS = tuple(content())
SECRET = "confidential reflection"
# What each documented field must not be.
WRONG: dict[str, tuple[Any, ...]] = {
    "logEntryId": (None, 5, "", "x" * 257, ["a"], "half an emoji \ud83d"),
    "userId": (None, 5, "", "x" * 257),
    "activity": (None, "article", [], {}, {"type": "article"}, {"type": 1, "name": "n"}),
    "category": (None, "Clinical", {"name": "n"}, {"categoryId": "", "name": "n"},
                 {"categoryId": "c", "name": None}),
    "entryDate": (None, 1767225600, "", "2026-03-01", "2026-03-01T12:00:00", SECRET),
    "durationMinutes": (None, "45", 45.5, True, 45.0),
    "description": (5, [SECRET], {"text": SECRET}),
    "isVerified": (None, 0, 1, "false"),
}  # fmt: skip


def faulty(changed: dict[str, Any]) -> FaultyEntry:
    source = simplejson.dumps(changed).encode()
    read = read_entry(source)
    assert isinstance(read, FaultyEntry)
    assert read.source == source
    return read


def test_a_documented_entry_is_read() -> None:
    read = entry()
    assert read.id == "6610a1b2c3d4e5f601234567"
    assert read.date == datetime(2026, 3, 1, 12, 0, 1, 250000, tzinfo=UTC)
    assert content_of(read) == content()
    assert read.fingerprint == fingerprint(text().encode())


@pytest.mark.parametrize(
    "changes",
    [
        {"description": None},
        {"description": ""},
        {"description": "whole 👩‍⚕️, \u2028, \uffff and \ufeff"},
        {"durationMinutes": -5},
        {"durationMinutes": 10**30},
        {"activity": {"type": "", "name": "", "url": "https://example.org"}},
        {"unknown": {"nested": [1, None, {"a": 1.25}]}},
        {"change": "mine", "shadowed": True},
    ],
)
def test_what_is_unusual_but_not_wrong_goes_through(changes: dict[str, Any]) -> None:
    source = simplejson.dumps(content(**changes), ensure_ascii=False, separators=(",", ":"))
    read = read_entry(source.encode())
    assert isinstance(read, Entry)
    assert content_of(read) == content(**changes)
    safe = source.replace("\u2028", "\\u2028").replace("\uffff", "\\uffff")
    assert read.text == safe.encode()


def test_an_entry_is_kept_as_it_was_written_but_for_blanks_between_tokens() -> None:
    members = (
        text()[1:-1].replace("Führung", "F\\u00fchrung").replace("reflection", "re\\/flection")
    )
    source = f'{{ {members} ,\n"n" : [ 1.50 , 1E2, -0, " a  b " ] }}'
    read = read_entry(source.encode())
    assert isinstance(read, Entry)
    assert b'"n":[1.50,1E2,-0," a  b "]}' in read.text
    assert b"F\\u00fchrung" in read.text
    assert b"re\\/flection" in read.text
    assert b"\n" not in read.text
    assert content_of(read) == json_text.load(source)


def test_half_of_a_character_becomes_a_replacement_character() -> None:
    read = read_entry(text(description="half \ud83d, whole \ud83d\ude00, \\ud83d").encode())
    assert isinstance(read, Entry)
    assert content_of(read)["description"] == "half \ufffd, whole 😀, \\ud83d"


def test_of_two_members_of_one_name_the_last_one_counts() -> None:
    twice = text()[:-1] + ', "unknown": {"a": 1, "a": 2}, "isVerified": true}'
    read = read_entry(twice.encode())
    assert isinstance(read, Entry)
    assert read.text.count(b'"isVerified"') == 1
    assert content_of(read) == content(unknown={"a": 2}, isVerified=True)


@pytest.mark.parametrize("field", FIELDS)
def test_each_documented_field_must_be_there(field: str) -> None:
    without = content()
    del without[field]
    read = faulty(without)
    assert field in read.fault
    assert "missing" in read.fault


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in WRONG.items() for value in values]
)
def test_each_documented_field_must_be_of_its_type(field: str, value: Any) -> None:
    read = faulty(content(**{field: value}))
    assert read.fault.startswith(field)
    others = set(FIELDS) - {field}
    assert not any(other in read.fault for other in others)
    assert SECRET not in read.fault
    assert "45" not in read.fault
    assert "1767225600" not in read.fault


@pytest.mark.parametrize("record", ["null", "5", '"confidential"', "[]", "NaN", "[1, 2]"])
def test_a_record_that_is_no_object_is_faulty(record: str) -> None:
    [read] = read_listing(listing(record)).records
    assert isinstance(read, FaultyEntry)
    assert read.source == record.encode()
    assert (read.id, read.date) == (None, None)
    assert "confidential" not in read.fault


def test_id_and_date_of_a_faulty_record_are_kept_where_they_can_be_read() -> None:
    read = faulty(content(isVerified="no"))
    assert read.id == content()["logEntryId"]
    assert read.date == datetime(2026, 3, 1, 12, 0, 1, 250000, tzinfo=UTC)
    assert faulty(content(logEntryId="")).id is None
    assert faulty(content(entryDate="soon")).date is None


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "1e99999999999999999999"])
def test_a_number_that_json_cannot_hold_spoils_only_its_own_record(number: str) -> None:
    bad = text()[:-1] + f', "x": {number}}}'
    one, spoilt, other = read_listing(listing(numbered(1), bad, numbered(2))).records
    assert isinstance(one, Entry)
    assert isinstance(other, Entry)
    assert isinstance(spoilt, FaultyEntry)
    assert spoilt.source == bad.encode()


def test_a_number_of_many_digits_keeps_them() -> None:
    digits = "7" * 4000
    [read] = read_listing(listing(text()[:-1] + f', "x": {digits}}}')).records
    assert isinstance(read, Entry)
    assert digits.encode() in read.text


def test_a_number_of_more_digits_than_readers_take_spoils_its_record() -> None:
    long = text()[:-1] + f', "x": {"7" * 6000}}}'
    one, spoilt = read_listing(listing(numbered(1), long)).records
    assert isinstance(one, Entry)
    assert isinstance(spoilt, FaultyEntry)
    assert spoilt.id == content()["logEntryId"]


def test_a_record_nested_too_deeply_spoils_only_itself() -> None:
    def nested(levels: int) -> str:
        return text()[:-1] + f', "x": {"[" * levels}{"]" * levels}}}'

    # The record itself is one level.
    fits, too_deep, far_too_deep = read_listing(
        listing(nested(MAX_DEPTH - 1), nested(MAX_DEPTH), nested(9000))
    ).records
    assert isinstance(fits, Entry)
    assert isinstance(too_deep, FaultyEntry)
    assert isinstance(far_too_deep, FaultyEntry)
    assert "nested" in too_deep.fault
    assert too_deep.source == nested(MAX_DEPTH).encode()


def test_bytes_that_are_not_utf_8_spoil_only_their_record_and_are_kept() -> None:
    broken = text().encode().replace(b"confidential", b"caf\xe9 \xff")
    body = listing(numbered(1), "@", numbered(2)).replace(b"@", broken)
    one, spoilt, other = read_listing(body).records
    assert isinstance(one, Entry)
    assert isinstance(other, Entry)
    assert isinstance(spoilt, FaultyEntry)
    assert spoilt.source == broken
    assert spoilt.fault == "the record: Invalid UTF-8 encoded string"
    assert spoilt.id == content()["logEntryId"]


def test_the_bytes_of_a_faulty_record_are_kept_verbatim() -> None:
    source = '{ "logEntryId" : "a\\u00e9b", "x":1.50 ,\n "é": [ ] }'
    [read] = read_listing(listing(source)).records
    assert isinstance(read, FaultyEntry)
    assert read.source == source.encode()


def test_a_byte_order_mark_is_no_harm() -> None:
    body = "\N{BYTE ORDER MARK}".encode() + listing(numbered(1), numbered(2))
    assert len(read_listing(body).records) == 2


def test_what_a_listing_says_of_itself() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    read = read_listing(listing(numbered(1), total=70, per_page=50), now)
    assert (read.total, read.per_page, read.served_at) == (70, 50, now)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda body: b"<html><body>We will be back soon</body></html>",
        lambda body: b"",
        lambda body: body[: len(body) // 2],
        lambda body: body[:-1],
        lambda body: body + b"}",
        lambda body: body.replace(b'"results"', b'"data"'),
        lambda body: body.replace(b'"pagination"', b'"paging"'),
        lambda body: body.replace(b'"totalResults": 1', b'"totalResults": "1"'),
        lambda body: body.replace(b'"totalResults": 1', b'"totalResults": true'),
        lambda body: body.replace(b'"totalResults": 1', b'"totalResults": -1'),
        lambda body: body.replace(b'"totalResults": 1', b'"totalResults": 1.0'),
        lambda body: body.replace(b'"totalResults": 1', b'"totalResults": null'),
        lambda body: body.replace(b'"perPage": 1000', b'"perPage": 0'),
        lambda body: b"null",
        lambda body: b'{"status": 200, "message": "OK"}',
    ],
)
def test_a_body_that_is_no_listing_is_refused(spoil: Callable[[bytes], bytes]) -> None:
    with pytest.raises(MalformedResponseError) as caught:
        read_listing(spoil(listing(text())))
    assert SECRET not in str(caught.value)


def test_one_version_has_one_fingerprint() -> None:
    def version(members: dict[str, Any]) -> str:
        return fingerprint(simplejson.dumps(members).encode())

    shuffled = dict(reversed(content().items()))
    assert version(shuffled) == version(content())
    assert version(content(isVerified=True)) != version(content())
    assert version(content(unknown=None)) != version(content())
    assert len(version(content())) == 64


def test_dates_count_to_the_millisecond() -> None:
    [one, other] = read_listing(
        listing(text(entryDate="2026-03-01T12:00:00.999Z"),
                text(entryDate="2026-03-01T12:00:01.000Z"))
    ).records  # fmt: skip
    assert isinstance(one, Entry)
    assert isinstance(other, Entry)
    assert other.date - one.date == timedelta(milliseconds=1)


@pytest.mark.parametrize(
    "spelling",
    [
        '"shadowe\\u0064": {"durationMinutes": 99}',
        '"exportedA\\u0074": 1',
        '"fingerprintExclud\\u0065": ["description"]',
        '"shadowed" : 1e2',
        '"chang\\u0065": "deleted", "change": "theirs"',
    ],
)
def test_however_a_name_of_the_rows_own_is_spelt_its_row_comes_back(spelling: str) -> None:
    source = text()[:-1] + f", {spelling}}}"
    read = read_entry(source.encode())
    assert isinstance(read, Entry)
    row = row_for(read, exported_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert content_of(row) == content_of(read) == json_text.load(source)
    assert fingerprint(row.text) == row.fingerprint == read.fingerprint
    assert row.fingerprint_exclude == frozenset()


NASTY = st.text(st.sampled_from('":,{}[]\\/ aé\x85\u2028\uffff👍\n'), max_size=12)
CHANGES = st.dictionaries(
    st.sampled_from([*FIELDS, "new", "a b", '":']), NASTY | st.none() | st.integers(), max_size=2
)


@given(NASTY, NASTY, CHANGES, st.randoms(), st.booleans(), st.sampled_from([None, 1]))
def test_an_entry_of_documented_members_alone_is_read_as_any_other(
    name: str,
    description: str,
    changes: dict[str, Any],
    shuffled: Random,
    is_ascii: bool,
    indent: int | None,
) -> None:
    members = content(description=description, activity={"type": "article", "name": name})
    pairs = [*members.items(), *changes.items()]
    shuffled.shuffle(pairs)
    # One of two members of one name may come last, or first.
    spelt = [
        f"{dumps(key)}: {simplejson.dumps(value, ensure_ascii=is_ascii, indent=indent)}"
        for key, value in pairs
    ]
    source = "{" + ", ".join(spelt) + "}"
    # What ignores a member has to look at them all, here in vain.
    as_any = read_entry(source.encode(), frozenset({"absent"}))
    read = read_entry(source.encode())
    assert isinstance(as_any, Entry) == isinstance(read, Entry)
    if isinstance(read, Entry):
        assert not (read.is_documented and changes.keys() - set(FIELDS))
        read = replace(read, is_documented=False)
    assert read == as_any
    in_a_listing, neighbour = read_listing(listing(source, text())).records
    assert in_a_listing == read_entry(source.encode())
    assert neighbour == read_entry(text().encode())


@pytest.mark.parametrize("spelling", ["1e8", "1E+2", "0e0", "1.0"])
def test_an_integer_is_spelt_in_digits(spelling: str) -> None:
    """An exponent would be shorter than its digits, and hide another member by the difference."""
    read = read_entry(text().replace(": 45", f": {spelling}").encode())
    assert isinstance(read, FaultyEntry)
    assert read.fault.startswith("durationMinutes: Expected `int`")


@pytest.mark.parametrize("more", ["", ', "extra" : 1'])
@pytest.mark.parametrize("character", "\x85\u2028\u2029\ufffe\uffff")
def test_no_escape_makes_json_of_what_is_none(character: str, more: str) -> None:
    bad = text(description="@").replace("@", f"\\{character}")[:-1] + f"\n{more}}}"
    read = read_entry(bad.encode())
    assert isinstance(read, FaultyEntry)
    assert read.source == bad.encode()
    with pytest.raises(MalformedResponseError):
        read_single_entry(bad.encode())
    with pytest.raises(MalformedResponseError):
        read_listing(listing(numbered(1), bad))


@pytest.mark.parametrize("depth", [9_996, 9_998, 10_000])
def test_a_single_entry_that_nests_ever_deeper_is_no_entry(depth: int) -> None:
    nested = "[" * depth + "]" * depth
    source = (text()[:-1] + f', "x" :{nested}}}').encode()
    # Where it is too deep to be seen as JSON at all, the response is none.
    with suppress(MalformedResponseError):
        assert isinstance(read_single_entry(source), FaultyEntry)


def test_a_coincidence_of_lengths_hides_no_repeated_name() -> None:
    twice = (
        text()[:-1].replace(": ", ":").replace(", ", ",")
        + ',"a":1,"a":1,"z":[1e2,1e2,1e2,1e2,1e2,1e2]}'
    )
    read = read_entry(twice.encode())
    assert isinstance(read, Entry)
    assert read.text.count(b'"a"') == 1


@pytest.mark.parametrize("control", ["\t", "\n", "\x00"])
def test_a_raw_control_character_spoils_only_its_record(control: str) -> None:
    bad = text()[:-1] + f', "x": "a{control}b"}}'
    one, spoilt, other = read_listing(listing(numbered(1), bad, numbered(2))).records
    assert one == read_entry(numbered(1).encode())
    assert other == read_entry(numbered(2).encode())
    assert isinstance(spoilt, FaultyEntry)
    assert spoilt.id == content()["logEntryId"]
    assert spoilt.source == bad.encode()


def test_a_faulty_id_that_no_utf_8_holds_is_unreadable() -> None:
    assert faulty(content(logEntryId="half \ud800")).id is None


def test_names_that_only_halves_of_characters_tell_apart_spoil_their_record() -> None:
    read = read_entry(f'{text()[:-1]}, "a\\ud800": 1, "a\\udc00": 2}}'.encode())
    assert isinstance(read, FaultyEntry)
    assert "halves" in read.fault


def test_a_fraction_is_no_total_in_a_listing_with_a_spoilt_record_either() -> None:
    body = listing(numbered(1), "NaN", total=2).replace(
        b'"totalResults": 2', b'"totalResults": 2.0'
    )
    with pytest.raises(MalformedResponseError):
        read_listing(body)
