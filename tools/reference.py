"""Writes docs/reference.md from the command model and the template; `make reference` runs it."""

import inspect
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, get_args

from cpd_exporter.model.command import Command
from cpd_exporter.model.command_words import FORMS, MEMBERS
from local.places import ROOT
from local.stack.template import template

PAGE = ROOT / "docs/reference.md"

_INTRODUCTION = """\
# Reference

`make reference` writes this page from `model/command.py` and `template.yaml`; a test compares them.

## Commands

A command is an event of the planner: a JSON object. `events/` has a sample of each.
[Operations](operations.md#send-a-command) says how to send one.
"""

_AFTER_COMMANDS = """\
The planner stores the work of every command but `status` and `cancel`, and each later tick goes on
until that work is done. A refusal is one line that shows the form that was meant. An object that
names no command is refused, unless EventBridge sent it. A `note` in the answer says if a range is
not exported, or only in part.
"""

_PARAMETERS = """\
## Parameters

`sam deploy --config-env prod --parameter-overrides Environment=production NAME=VALUE …`
sets them. An empty default means none.
"""


def main() -> None:
    """Write the page."""
    PAGE.write_text(reference(), encoding="utf-8")


def reference() -> str:
    """The whole page."""
    commands = [(_code(FORMS[name]), meaning) for name, meaning in _commands()]
    members = [(f"`{name}`", must_be) for name, must_be in MEMBERS.items()]
    parts = [
        _INTRODUCTION,
        _table(("command", "what it does"), commands),
        _table(("member", "what it must be"), members),
        _AFTER_COMMANDS,
        _PARAMETERS,
        *_parameters(),
    ]
    return "\n".join(parts)


def _commands() -> Iterator[tuple[str, str]]:
    for model in get_args(Command.__value__):
        (name,) = get_args(model.model_fields["command"].annotation)
        yield name, " ".join((inspect.getdoc(model) or "").replace("``", "`").split())


def _parameters() -> Iterator[str]:
    """A heading and a table for each group that the console shows."""
    whole = template()
    for group in whole["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]:
        rows = [(name, whole["Parameters"][name]) for name in group["Parameters"]]
        yield f"### {group['Label']['default']}\n"
        yield _table(
            ("parameter", "default", "meaning", "allowed"),
            [(f"`{name}`", _default(one), *_texts(one)) for name, one in rows],
        )


def _default(parameter: dict[str, Any]) -> str:
    default = str(parameter["Default"])
    return f"`{default}`" if default else ""


def _texts(parameter: dict[str, Any]) -> tuple[str, str]:
    return parameter["Description"], parameter["ConstraintDescription"]


def _code(form: str) -> str:
    """A command's form, whose JSON objects become code."""
    start = form.find("{")
    if start < 0:
        return form
    _, end = json.JSONDecoder().raw_decode(form, start)
    return f"{form[:start]}`{form[start:end]}`{_code(form[end:])}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(
        f"| {' | '.join(cell.replace('|', '\\|') for cell in line)} |\n" for line in lines
    )


if __name__ == "__main__":
    main()
