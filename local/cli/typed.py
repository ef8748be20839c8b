"""The arguments of a command as `make … ARGS=…` passes them: one text, with JSON in it."""

import json
import re
import shlex
from collections.abc import Sequence

from local.errors import UserError

FLAG = "--typed"


def arguments(given: Sequence[str]) -> list[str]:
    """Divide the text after ``--typed`` as a shell does, but leave JSON whole."""
    if FLAG not in given:
        return list(given)
    before, text = given[: given.index(FLAG)], " ".join(given[given.index(FLAG) + 1 :])
    return [*before, *_divide(text.strip())]


def _divide(text: str) -> list[str]:
    begins = re.search(r"[{\[]", text)
    if not begins:
        return _split(text)
    start = begins.start()
    try:
        _, length = json.JSONDecoder().raw_decode(text[start:])
    except (ValueError, RecursionError):
        return [text]  # the command says what is wrong with it
    end = start + length
    # Quotes around the object are the shell's, which make has kept.
    head, tail = text[:start].rstrip("'\""), text[end:].lstrip("'\"")
    return [*_split(head), text[start:end], *_split(tail)]


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        raise UserError(f"a quote is not closed in {text}") from None
