"""How commands are written, and what a refusal says of one, in the operator's words."""

from difflib import get_close_matches

from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from cpd_exporter.model.event import ATTRIBUTES

_SPAN = '"from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z"'

FORMS = {
    "export": '{"command": "export"}',
    "status": '{"command": "status"}, perhaps with "months": true',
    "sweep": f'{{"command": "sweep", {_SPAN}}} or {{"command": "sweep", "lookback": "P35D"}}',
    "backfill": '{"command": "backfill", "from": "2015-01-01T00:00:00Z"}',
    "refresh": '{"command": "refresh", "logEntryIds": ["65f1c0ffee65f1c0ffee65f1"]}',
    "replay": f'{{"command": "replay", {_SPAN}, "subscribers": "all"}}. For what was '
    'stored in a span of time, "storedFrom" and "storedTo" take the place of "from" and "to"; to '
    'one queue, "queueArn" that of "subscribers"',
    "verify": f'{{"command": "verify", {_SPAN}}}',
    "ping": '{"command": "ping"}, perhaps with "queueArn", and with "attributes" such as '
    '{"change": "created"}',
    "cancel": '{"command": "cancel", "name": "backfill"}, a name of the jobs in status',
    "confirm-deletions": '{"command": "confirm-deletions"}',
}
"""How each command is written, as a refusal shows it."""

_INSTANT = "a date and time on a whole second with its zone, such as 2026-01-01T00:00:00Z"

MEMBERS = {
    "from": f"{_INSTANT}, not before 1970",
    "to": _INSTANT,
    "storedFrom": _INSTANT,
    "storedTo": _INSTANT,
    "lookback": "days or hours of at most 100 years, such as P35D or PT36H",
    "logEntryIds": "a list of 1 to 1,000 IDs of at most 256 characters",
    "queueArn": "the ARN of a standard SQS queue",
    "subscribers": '"all"',
    "attributes": f"texts of 1 to 256 characters by name, of the names {', '.join(ATTRIBUTES)}",
    "months": "true or false",
    "name": "the name of a job in status",
}
"""What each member must be, in the operator's words."""


def list_commands() -> str:
    """The names of all commands, and the form of one."""
    return f'name one of {", ".join(FORMS)}, such as {{"command": "status"}}'


def describe_fault(fault: ErrorDetails) -> str:
    """One fault in the operator's words. It shows nothing of the input but the member's name."""
    members = [part for part in fault["loc"][1:] if isinstance(part, str)]
    if not members:
        return str(fault.get("ctx", {}).get("error", "its members do not fit together"))
    if fault["type"] == "extra_forbidden":
        return _surplus(members[0])
    member = to_camel(members[0]) if members[0] != "start" else "from"
    if fault["type"] == "missing":
        return f'"{member}" is missing'
    return f'"{member}" must be {MEMBERS[member]}'


def _surplus(typed: str) -> str:
    """A member that the command does not take. A mistyped name may be anything: it is not shown."""
    if typed in MEMBERS:
        return f'it takes no "{typed}"'
    names = {name.lower(): name for name in MEMBERS}
    meant = get_close_matches(typed.lower(), names, n=1, cutoff=0.7)
    hint = f' (did you mean "{names[meant[0]]}"?)' if meant else ""
    return f"it has a member that it does not take{hint}"
