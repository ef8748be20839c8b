"""JSON in and out: nothing is rounded, nothing can break a line, sources stay verbatim."""

import re
from typing import Any

import pytest
import simplejson
from hypothesis import given
from hypothesis import strategies as st

from cpd_exporter.model import exact_json as json_text

NUMBERS = st.one_of(
    st.integers(),
    st.decimals(allow_nan=False, allow_infinity=False).map(
        # A fraction always shows as one in JSON: Decimal("5") would come back as the integer 5.
        lambda number: number if "." in str(number) or "E" in str(number) else number + 1
    ).filter(lambda number: "." in str(number) or "E" in str(number)),
)  # fmt: skip
TEXTS = st.text()
_SENDABLE = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_what_is_written_is_read_back_to_the_digit(value: Any) -> None:
    written = json_text.dump(value)
    assert json_text.load(written) == value
    assert json_text.dump(json_text.load(written)) == written
    assert len(written.decode().splitlines()) == 1
    assert _SENDABLE.fullmatch(written.decode())


@pytest.mark.parametrize(
    "number",
    [
        "0",
        "-7",
        "12345678901234567890123456789012345678901234567890",
        "1.10",
        "0.1000000000000000055511151231257827",
        "1E+400",
        "-0.0",
        "1" * 4000,
    ],
)
def test_numbers_keep_every_digit(number: str) -> None:
    assert json_text.dump(json_text.load(f"[{number}]")) == f"[{number}]".encode()


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "1e99999999999999999999", "1" * 5000]
)
def test_what_json_or_its_readers_cannot_hold_is_refused(number: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        json_text.load(f"[{number}]")


def test_the_canonical_spelling_ignores_order_blanks_and_escapes() -> None:
    one = json_text.load('{"b": {"z": 1, "a": "\\u00e9"}, "a": [1.0]}')
    other = json_text.load('{ "a":[1.0],"b":{"a":"é","z":1}}')
    assert json_text.canonical(one) == json_text.canonical(other)
    assert json_text.canonical(one) == '{"a":[1.0],"b":{"a":"é","z":1}}'.encode()


def test_the_canonical_spelling_tells_numbers_apart_as_they_were_written() -> None:
    spellings = {json_text.canonical(json_text.load(text)) for text in ("1", "1.0", "1.00")}
    assert len(spellings) == 3


def test_of_two_members_of_one_name_the_last_one_counts() -> None:
    assert json_text.load('{"a": 1, "a": 2}') == {"a": 2}


@given(VALUES)
def test_compact_text_is_the_same_without_blanks(value: Any) -> None:
    spaced = simplejson.dumps(value, use_decimal=True, indent=2).encode()
    written = simplejson.dumps(value, use_decimal=True, separators=(",", ":")).encode()
    assert json_text.safe(json_text.without_blanks(spaced)) == written


def test_what_breaks_a_line_or_a_queue_is_escaped() -> None:
    text = '"a\x85b\u2028c\u2029d\ufffee\uffffé\ufffd👍"'
    escaped = '"a\\u0085b\\u2028c\\u2029d\\ufffee\\uffffé\ufffd👍"'
    assert json_text.safe(json_text.without_blanks(text.encode())) == escaped.encode()
    assert json_text.load(escaped) == json_text.load(text)


def test_half_of_a_character_is_replaced_and_nothing_else() -> None:
    text = rb'"\ud83d\ude00 \ud83d \\ud83d \\\uDe00 \ud83d\ud83d\ude00"'
    assert json_text.load(json_text.whole_characters(text)) == (
        "\N{GRINNING FACE} \ufffd \\ud83d \\\ufffd \ufffd\N{GRINNING FACE}"
    )


@pytest.mark.parametrize(
    ("text", "repeats"),
    [
        (b'{"a":1,"b":{"a":1}}', False),
        (b'{"a":1,"a":1}', True),
        (b'[{"a":{"b":1,"c":2,"b":1}}]', True),
        (b"[" + b"7" * 6000 + b"]", False),
    ],
)
def test_a_name_that_comes_twice_in_an_object_is_noticed(text: bytes, repeats: bool) -> None:
    assert json_text.repeats_a_name(text) is repeats


@given(st.lists(VALUES, max_size=5), st.sampled_from(["", " ", "\n\t", "\r\n  "]), st.booleans())
def test_each_element_comes_with_its_own_text(
    values: list[Any], blank: str, is_spoilt: bool
) -> None:
    sources = [json_text.dump(value).decode() for value in values] + ["NaN"] * is_spoilt
    listed = f"{blank},{blank}".join(sources)
    listing = f'{blank}"n"{blank}:{blank}1{blank},"r":{blank}[{blank}{listed}{blank}]{blank}'
    text = f"{blank}{{{listing}}}{blank}"
    found, beside = json_text.elements(text.encode(), "r", beside="n")
    assert beside == 1
    assert found == [source.encode() for source in sources]


@pytest.mark.parametrize("spoiler", [b'"\\ud83d"', b"NaN", b"1e99999999999999999999", b'"\xff"'])
def test_texts_are_verbatim_beside_what_is_no_json(spoiler: bytes) -> None:
    text = '{ "é" : 1.50 ,\n "b":"\\u00e9" }'.encode()
    body = b'{"r": [ %b, %b ], "n" :1}' % (text, spoiler)
    assert json_text.elements(body, "r", beside="n") == ([text, spoiler], 1)
    assert json_text.elements(body, "r", beside="absent") == ([text, spoiler], None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{",
        '{"r": [',
        '{"r": [1',
        '{"r": [1,',
        '{"r": [1,]}',
        '{"r": [1 2]}',
        '{"r": []',
        '{"r": [],}',
        '{"r": []} x',
        '{"r": []}{"r": []}',
        '{"r" []}',
        '{"n": 1 "r": []}',
        "{r: []}",
        '{1: 2, "r": []}',
        '{[]: 2, "r": []}',
        '{{}: 2, "r": []}',
        '{"r": null}',
        '{"r": {}}',
        '{"n": []}',
        '{"r": ' + "[" * 200_000,
        '{"n": ' + "[" * 200_000 + ', "r": []}',
        "<html></html>",
    ],
)
def test_what_is_no_object_with_a_list_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        json_text.elements(text.encode(), "r", beside="n")


def test_too_deep_a_nest_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="too deeply"):
        json_text.load("[" * 200_000 + "]" * 200_000)


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        (b"1", 0),
        (b"[]", 1),
        (b"[1,2]", 1),
        (b'{"a":1}', 1),
        (b'[{"a":[1.0]},1]', 3),
        (b'[[],[["[{"]]]', 3),
    ],
)
def test_depth_is_counted_in_lists_and_objects(text: bytes, levels: int) -> None:
    assert not json_text.nests_deeper(text, levels)
    assert levels == 0 or json_text.nests_deeper(text, levels - 1)


def test_bytes_that_are_not_utf_8_are_a_value_error() -> None:
    with pytest.raises(ValueError, match=r"."):
        json_text.load(b'"\xff"')
