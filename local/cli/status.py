"""`python -m local status`: how far an export is, as text or as a page."""

import json
import sys
from pathlib import Path
from typing import Any

from local.cli.console import console
from local.cli.options import StatusOptions
from local.destination import writing
from local.driver import invoke
from local.errors import UserError
from local.stack.deploy import at_port
from local.status_page import page, text


def status(options: StatusOptions) -> None:
    """Show the status of a stack that is up, or of one on AWS from a file."""
    answer, source = _read(options), options.source or "the planner"
    if "summary" not in answer:
        fault = (answer.get("error") or {}).get("message") or "it holds no answer to status"
        raise UserError(f"{source}: {fault}")
    try:
        shown = page(answer) if options.html else text(answer)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise UserError(f"{source} holds no whole answer to status") from None
    if options.html:
        with writing(options.output, "--output"):
            options.output.write_text(shown, "utf-8")
        console.print(f"The page is in {options.output}", highlight=False)
    else:
        print(shown)


def _read(options: StatusOptions) -> dict[str, Any]:
    if not options.source:
        return invoke(at_port(options.port), {"command": "status", "months": True})
    try:
        is_piped = options.source == "-"
        given = sys.stdin.read() if is_piped else Path(options.source).read_text("utf-8-sig")
        answer = json.loads(given)
    except (ValueError, RecursionError):
        raise UserError(f"{options.source} holds no JSON, so no answer to status") from None
    if not isinstance(answer, dict):
        raise UserError(f"{options.source} holds no answer to status")
    return answer
