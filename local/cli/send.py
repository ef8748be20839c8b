"""`python -m local send`: one command to the planner of a stack that is up."""

import json
from pathlib import Path
from typing import Any

from local.cli.options import SendOptions
from local.driver import invoke
from local.errors import UserError
from local.stack.deploy import at_port


def send(options: SendOptions) -> None:
    """Send a command to the planner of a stack that is up, and print its answer."""
    answer = invoke(at_port(options.port), read_event(options.command))
    print(json.dumps(answer, indent=2))
    if error := answer.get("error"):
        raise UserError(error["message"])


def read_event(command: str) -> dict[str, Any]:
    """Read the command: a JSON object, or the path of a file that holds one."""
    try:
        is_json = command.lstrip().startswith("{")
        event = json.loads(command if is_json else Path(command).read_text("utf-8"))
    except OSError as error:
        raise UserError(f"the command is neither a JSON object nor a file: {error}") from None
    except ValueError as error:
        raise UserError(f"the command is not JSON: {error}") from None
    if not isinstance(event, dict):
        raise UserError("the command is not a JSON object: see events/")
    return event
