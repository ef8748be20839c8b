"""The arguments of a command as `make … ARGS=…` passes them: one text, with JSON in it."""

import json
import shlex
from collections.abc import Sequence

FLAG = "--typed"


def arguments(given: Sequence[str]) -> list[str]:
    """Divide the text after ``--typed`` as a shell does, but leave a JSON object whole."""
    if FLAG not in given:
        return list(given)
    before, text = given[: given.index(FLAG)], " ".join(given[given.index(FLAG) + 1 :])
    return [*before, *_divide(text.strip())]


def _divide(text: str) -> list[str]:
    start = text.find("{")
    if start < 0:
        return shlex.split(text)
    try:
        _, length = json.JSONDecoder().raw_decode(text[start:])
    except ValueError:
        return [text]  # the command says what is wrong with it
    end = start + length
    # Quotes around the object are the shell's, which make has kept.
    head, tail = text[:start].rstrip("'\""), text[end:].lstrip("'\"")
    return [*shlex.split(head), text[start:end], *shlex.split(tail)]
