"""`python -m local send`: one command to the planner of a stack that is up."""

import json
from pathlib import Path
from typing import Any

from local.cli.options import SendOptions
from local.driver import invoke, without_remedy
from local.errors import UserError
from local.stack.deploy import at_port

_REMEDY = (
    ". Start `make up` anew with the right --tenant-id, and with CPD_CLIENT_ID and "
    "CPD_CLIENT_SECRET, or CPD_API_SECRET"
)


def send(options: SendOptions) -> None:
    """Send a command to the planner of a stack that is up, and print its answer."""
    event = read_event(options.command)
    answer = invoke(at_port(options.port), event)
    if error := answer.get("error"):
        accepted = answer.get("accepted")
        stored = f". The command is stored all the same: {json.dumps(accepted)}" if accepted else ""
        raise UserError(f"{without_remedy(error['message'], _REMEDY)}{stored}")
    print(json.dumps(answer, indent=2))


def read_event(command: str) -> dict[str, Any]:
    """Read the command: a JSON object, or the path of a file that holds one."""
    try:
        is_json = command.lstrip().startswith(("{", "["))
        event = json.loads(command if is_json else Path(command).read_text("utf-8-sig"))
    except IsADirectoryError:
        raise UserError(f"{command} is a folder: name a file in it") from None
    except OSError:
        raise UserError(
            f"the command is neither a JSON object nor a file: write it as {_example(command)}"
        ) from None
    except (ValueError, RecursionError):
        raise UserError(f"the command is not JSON: write it as {_example()}") from None
    if not isinstance(event, dict):
        raise UserError(f"the command is not a JSON object: write it as {_example()}")
    return event


def _example(word: str = "") -> str:
    return json.dumps({"command": word if word.isalpha() else "status"})
