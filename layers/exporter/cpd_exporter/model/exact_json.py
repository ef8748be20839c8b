"""JSON with exact numbers: read to the last digit, written as UTF-8 that fits on one line.

The API's own text is kept wherever possible: nothing goes but blanks between tokens, and the few
characters that break a line or that a queue refuses are escaped.
"""

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from typing import Any

import msgspec

_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_CANONICAL = msgspec.json.Encoder(decimal_format="number", order="sorted")

# U+0085, U+2028 and U+2029 end a line to some readers. SNS and SQS refuse U+FFFE and U+FFFF. A
# pattern that begins with fixed bytes is found ten times as fast as one of all five.
_UNSAFE = [
    re.compile(text) for text in (rb"\xc2\x85", rb"\xe2\x80[\xa8\xa9]", rb"\xef\xbf[\xbe\xbf]")
]

# An escaped half of a surrogate pair, a whole pair, or any other escape.
_ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\."
)


def load(text: str | bytes) -> Any:
    """Read JSON text, fractions as ``Decimal``. Raises ``ValueError``, also for text that is nested
    too deeply, and for numbers beyond all bounds.
    """
    try:
        return _DECODER.decode(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    except ArithmeticError as error:
        raise ValueError("a number beyond all bounds") from error


def dump(value: Any) -> bytes:
    """Write compact JSON on one line."""
    return safe(plain(value))


def plain(value: Any) -> bytes:
    """Compact JSON in the order of the members, without ``safe``'s escapes."""
    return _ENCODER.encode(value)


def canonical(value: Any) -> bytes:
    """The only spelling of a JSON value: sorted keys, no blanks, no needless escapes."""
    return _CANONICAL.encode(value)


def without_blanks(text: bytes) -> bytes:
    """The same JSON with no blank between tokens, and every digit as it was.

    Text that is no JSON comes back as it is: the same object.
    """
    try:
        return msgspec.json.format(text, indent=-1)
    except (ValueError, RecursionError):
        return text


def safe(text: bytes) -> bytes:
    """JSON text with escapes for what breaks a line, or what a queue refuses."""
    if not text.isascii():
        for unsafe in _UNSAFE:
            text = unsafe.sub(_escaped, text)
    return text


def _escaped(character: re.Match[bytes]) -> bytes:
    return f"\\u{ord(character[0].decode()):04x}".encode()


def on_one_line(text: bytes) -> bytes:
    """JSON text ``without_blanks`` and ``safe``. It suits a line of a file, and a queue.

    Text that is no JSON comes back as it is: the same object. An escape could make JSON of it.
    """
    compact = without_blanks(text)
    return text if compact is text else safe(compact)


def whole_characters(text: bytes) -> bytes:
    """JSON text with U+FFFD in the place of escaped halves of characters, which no UTF-8 holds."""
    return _ESCAPE.sub(lambda found: rb"\ufffd" if found["half"] else found[0], text)


def nests_deeper(text: bytes, levels: int) -> bool:
    """Whether lists and objects are nested more than ``levels`` deep."""
    if text.count(b"[") + text.count(b"{") <= levels:
        return False
    layer = [load(text)]
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


def repeats_a_name(text: bytes) -> bool:
    """Whether an object has two members of one name."""
    repeated = False

    def count(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal repeated
        members = dict(pairs)
        repeated |= len(members) < len(pairs)
        return members

    json.loads(text, object_pairs_hook=count, parse_int=len)
    return repeated


def elements(body: bytes, member: str, beside: str) -> tuple[list[bytes], Any]:
    """The text of each element of a JSON object's list ``member``, and the value of ``beside``.

    The value is ``None`` without such a member. Raises ``ValueError`` where the text is no JSON
    object or its ``member`` is no list. What an element holds does not matter: bytes that are not
    UTF-8, or a number that JSON lacks.
    """
    try:
        parts = _splitter(member, beside).decode(body)
        return [bytes(element) for element in parts.listed], load(parts.beside)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    except ValueError:
        found, others = _lenient_elements(body, member)
        return found, others.get(beside)


@lru_cache
def _splitter(member: str, beside: str) -> msgspec.json.Decoder[Any]:
    """It passes over the body once, in half the time that once for each level takes."""
    parts: list[tuple[str, Any] | tuple[str, Any, Any]] = [
        ("listed", list[msgspec.Raw]),
        ("beside", msgspec.Raw, msgspec.Raw(b"null")),
    ]
    names = {"listed": member, "beside": beside}
    return msgspec.json.Decoder(msgspec.defstruct("_Parts", parts, rename=names))


# ── a listing that one element makes no JSON ─────────────────────────────────────────────────────


def load_leniently(source: bytes) -> Any:
    """The value of what is nearly JSON, for its texts alone; ``None`` if it cannot be read."""
    try:
        value, _ = _LENIENT.raw_decode(source.decode("utf-8", "replace"))
    except (ValueError, RecursionError):
        return None
    return value


# Python's own decoder takes NaN, Infinity and escaped halves of characters. Only the places of the
# values count here, the texts, and the integers beside the list.
_LENIENT = json.JSONDecoder(
    parse_int=lambda digits: int(digits[:20]), parse_float=lambda _: None, strict=False
)
_BLANK = re.compile(r"[ \t\r\n]*")


def _lenient_elements(body: bytes, member: str) -> tuple[list[bytes], dict[str, Any]]:
    text = body.decode("utf-8", "surrogateescape")
    others: dict[str, Any] = {}
    found: list[bytes] | None = None
    try:
        at = _expect(text, 0, "{")
        while not _peek(text, at, "}"):
            if others or found is not None:
                at = _expect(text, at, ",")
            key, at = _LENIENT.raw_decode(text, _skip(text, at))
            if not isinstance(key, str):
                raise ValueError(  # noqa: TRY004  # the text is wrong, no argument
                    f"a member's name that is no text, before character {at}"
                )
            at = _expect(text, at, ":")
            if key == member and _peek(text, at, "["):
                spans = list(_spans(text, at))
                found = [text[a:b].encode("utf-8", "surrogateescape") for a, b in spans[:-1]]
                at = spans[-1][1]
            else:
                others[key], at = _LENIENT.raw_decode(text, _skip(text, at))
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    if _skip(text, _expect(text, at, "}")) != len(text):
        raise ValueError("there is more after the end of the JSON object")
    if found is None:
        raise ValueError(f"{member} is not a list")
    return found, others


def _spans(text: str, at: int) -> Iterator[tuple[int, int]]:
    """Where each element of the list at ``at`` begins and ends; at last, the list's own end."""
    at = _expect(text, at, "[")
    is_first = True
    while not _peek(text, at, "]"):
        if not is_first:
            at = _expect(text, at, ",")
        is_first = False
        start = _skip(text, at)
        _, at = _LENIENT.raw_decode(text, start)
        yield start, at
    end = _expect(text, at, "]")
    yield end, end


def _skip(text: str, at: int) -> int:
    blank = _BLANK.match(text, at)
    return blank.end() if blank else at


def _peek(text: str, at: int, expected: str) -> bool:
    return text.startswith(expected, _skip(text, at))


def _expect(text: str, at: int, expected: str) -> int:
    if not _peek(text, at, expected):
        raise ValueError(f"expected {expected!r} at character {_skip(text, at)}")
    return _skip(text, at) + 1
