"""JSON with exact numbers, written as ASCII, and read along with its source text.

Numbers keep every digit (``Decimal``). Written text escapes all that is not ASCII: no line
separator, lone surrogate or byte order mark in an entry can break a line of the lake, or make a
queue refuse a message.
"""

import math
import re
from decimal import Decimal
from typing import Any

import simplejson


def _integer(text: str) -> int | Decimal:
    try:
        return int(text)
    except ValueError:  # more digits than Python turns into an int
        return Decimal(text)


def _fraction(text: str) -> Decimal | float:
    try:
        return Decimal(text)
    except ArithmeticError:  # an exponent beyond all bounds
        return math.nan


# NaN and Infinity are not JSON, but one record with them must not spoil its neighbours. The decoder
# accepts them, and ``read_entry`` refuses the record.
_DECODER = simplejson.JSONDecoder(parse_int=_integer, parse_float=_fraction, allow_nan=True)
_ENCODER = simplejson.JSONEncoder(use_decimal=True, allow_nan=False, separators=(",", ":"))
_BLANK = re.compile(r"[ \t\r\n]*")


def load(text: str | bytes) -> Any:
    """Read JSON text; raises ``ValueError``, also for text that is nested too deeply."""
    try:
        return _DECODER.decode(text if isinstance(text, str) else text.decode())
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def dump(value: Any) -> str:
    """Write compact JSON; raises ``ValueError`` for values that JSON lacks, such as NaN."""
    return _ENCODER.encode(value)


def canonical(value: Any) -> bytes:
    """The only spelling of a JSON value: sorted keys, no blanks, ASCII."""
    return simplejson.dumps(
        value, use_decimal=True, allow_nan=False, separators=(",", ":"), sort_keys=True
    ).encode("ascii")


def nests_deeper(value: Any, levels: int) -> bool:
    """Whether lists and objects are nested more than ``levels`` deep."""
    layer = [value]
    for _ in range(levels + 1):
        nests = [element for element in layer if isinstance(element, dict | list)]
        if not nests:
            return False
        layer = [
            element
            for nest in nests
            for element in (nest.values() if isinstance(nest, dict) else nest)
        ]
    return True


def load_with_sources(text: str, member: str) -> tuple[dict[str, Any], list[tuple[Any, str]]]:
    """Read a JSON object, and the source text of each element of its list ``member``.

    Returns the other members, and ``(element, source)`` pairs. Raises ``ValueError`` where the text
    is no JSON object or its ``member`` is no list.
    """
    others: dict[str, Any] = {}
    elements: list[tuple[Any, str]] | None = None
    try:
        at = _expect(text, 0, "{")
        while not _peek(text, at, "}"):
            if others or elements is not None:
                at = _expect(text, at, ",")
            key, at = _DECODER.raw_decode(text, _skip(text, at))
            if not isinstance(key, str):
                raise ValueError(  # noqa: TRY004  # the text is wrong, no argument
                    f"a member's name that is no text, before character {at}"
                )
            at = _expect(text, at, ":")
            if key == member and _peek(text, at, "["):
                elements, at = _elements(text, at)
            else:
                others[key], at = _DECODER.raw_decode(text, _skip(text, at))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if _skip(text, _expect(text, at, "}")) != len(text):
        raise ValueError("there is more after the end of the JSON object")
    if elements is None:
        raise ValueError(f"{member} is not a list")
    return others, elements


def _elements(text: str, at: int) -> tuple[list[tuple[Any, str]], int]:
    elements: list[tuple[Any, str]] = []
    at = _expect(text, at, "[")
    while not _peek(text, at, "]"):
        if elements:
            at = _expect(text, at, ",")
        start = _skip(text, at)
        value, at = _DECODER.raw_decode(text, start)
        elements.append((value, text[start:at]))
    return elements, _expect(text, at, "]")


def _skip(text: str, at: int) -> int:
    blank = _BLANK.match(text, at)
    return blank.end() if blank else at


def _peek(text: str, at: int, expected: str) -> bool:
    return text.startswith(expected, _skip(text, at))


def _expect(text: str, at: int, expected: str) -> int:
    if not _peek(text, at, expected):
        raise ValueError(f"expected {expected!r} at character {_skip(text, at)}")
    return _skip(text, at) + 1
