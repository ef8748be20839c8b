"""What a mistyped command line is answered: one line, in the words of its user."""

import re

from typer.exceptions import TyperException

_WORDS = (
    (r"^Invalid value for '(.+?)': ", r"\1: "),
    (r"Value error, ", ""),
    (r"Input should be a valid integer.*", "it must be a whole number"),
    (r"(\S+) is not in the range (\S+)<=x<=(\S+?)\.?$", r"\1 is not between \2 and \3"),
    (r"Input should be greater than or equal to (\S+)", r"it must be at least \1"),
    (r"Input should be less than or equal to (\S+)", r"it must be at most \1"),
    (r"does not match the formats '%Y-%m-%d'", "is no day such as 2026-03-01"),
    (r"^Missing (?:argument|option) '(.+?)'", r"the \1 is missing"),
    (r"^No such option:? ?(\S+)", r"there is no option \1"),
    (r"^No such command", "there is no command"),
    (r"'. Did you mean (.+)\?$", r"' (did you mean \1?)"),
    (r"^Got unexpected extra argument\(s\) \((.+)\)", r"it has no use for \1"),
    (r"^Option '(.+?)' requires an argument", r"\1 needs a value"),
    (r"\(Possible options: (.+)\)", r"(did you mean one of \1?)"),
)
"""What the library says, and what its user would say."""


def refusal(error: TyperException) -> str:
    """Say what is wrong with the command line, and where help is."""
    text = error.format_message()
    for theirs, ours in _WORDS:
        text = re.sub(theirs, ours, text)
    text = text.rstrip(".")
    context = getattr(error, "ctx", None)
    if not context:
        return text
    # With another Python than the project's, `python -m local` would not start.
    help_ = f"make {context.info_name} ARGS=--help" if context.parent else "make help"
    return f"{text}; see `{help_}`"
