"""JSON in and out: nothing is rounded, nothing can break a line, sources stay verbatim."""

from decimal import Decimal
from typing import Any

import pytest
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
# Lone surrogates too: an escaped half of an emoji is JSON.
TEXTS = st.text(st.characters(exclude_categories=()))
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
    assert written.isascii()
    assert written.isprintable()


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
        "1" * 5000,
    ],
)
def test_numbers_keep_every_digit(number: str) -> None:
    assert json_text.dump(json_text.load(f"[{number}]")) == f"[{number}]"


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e99999999999999999999"])
def test_what_json_cannot_hold_is_read_but_never_written(number: str) -> None:
    value = json_text.load(f"[{number}]")
    with pytest.raises(ValueError, match="JSON"):
        json_text.dump(value)
    with pytest.raises(ValueError, match="JSON"):
        json_text.canonical(value)


def test_the_canonical_spelling_ignores_order_blanks_and_escapes() -> None:
    one = json_text.load('{"b": {"z": 1, "a": "\\u00e9"}, "a": [1.0]}')
    other = json_text.load('{ "a":[1.0],"b":{"a":"é","z":1}}')
    assert json_text.canonical(one) == json_text.canonical(other)
    assert json_text.canonical(one) == b'{"a":[1.0],"b":{"a":"\\u00e9","z":1}}'


def test_the_canonical_spelling_tells_numbers_apart_as_they_were_written() -> None:
    spellings = {json_text.canonical(json_text.load(text)) for text in ("1", "1.0", "1.00")}
    assert len(spellings) == 3


def test_of_two_members_of_one_name_the_last_one_counts() -> None:
    assert json_text.load('{"a": 1, "a": 2}') == {"a": 2}


@given(st.lists(VALUES, max_size=5), st.sampled_from(["", " ", "\n\t", "\r\n  "]))
def test_each_element_comes_with_its_own_source(elements: list[Any], blank: str) -> None:
    sources = [json_text.dump(element) for element in elements]
    listed = f"{blank},{blank}".join(sources)
    listing = f'{blank}"n"{blank}:{blank}1{blank},"r":{blank}[{blank}{listed}{blank}]{blank}'
    text = f"{blank}{{{listing}}}{blank}"
    others, found = json_text.load_with_sources(text, "r")
    assert others == {"n": 1}
    assert [source for _, source in found] == sources
    assert [element for element, _ in found] == elements


def test_sources_are_verbatim_not_written_anew() -> None:
    source = '{ "é" : 1.50 ,\n "b":"\\u00e9" }'
    _, [(_, kept)] = json_text.load_with_sources(f'{{"r": [ {source} ]}}', "r")
    assert kept == source


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
        json_text.load_with_sources(text, "r")


def test_too_deep_a_nest_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="too deeply"):
        json_text.load("[" * 200_000 + "]" * 200_000)


@pytest.mark.parametrize(
    ("value", "levels"),
    [(1, 0), ([], 1), ([1, 2], 1), ({"a": 1}, 1), ([{"a": [Decimal(1)]}, 1], 3), ([[], [[]]], 3)],
)
def test_depth_is_counted_in_lists_and_objects(value: Any, levels: int) -> None:
    assert not json_text.nests_deeper(value, levels)
    assert levels == 0 or json_text.nests_deeper(value, levels - 1)


def test_bytes_that_are_not_utf_8_are_a_value_error() -> None:
    with pytest.raises(ValueError, match=r"."):
        json_text.load(b'"\xff"')
