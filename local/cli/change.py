"""`python -m local change`: edits in the simulator of a stack that is up, for a sweep to find."""

import json
from typing import get_args

import httpx

from local.cli.console import console
from local.cli.options import ChangeOptions
from local.errors import UserError
from local.stack.registry import find_up
from simulator import ScheduledChange

KINDS = get_args(ScheduledChange.model_fields["kind"].annotation)


def change(options: ChangeOptions) -> None:
    """Change entries in the simulator, and print their IDs as JSON."""
    if options.kind not in KINDS:
        raise UserError(f"{options.kind} is no change: name one of {', '.join(KINDS)}")
    stack = find_up(options.port)
    if not stack.is_noted:
        raise UserError(f"no stack is up at port {stack.port}")
    url = stack.simulator
    if not url:
        raise UserError("that stack exports another API, which nobody may change from here")
    wanted = {"kind": options.kind, "count": options.count, "days": options.days}
    try:
        answer = httpx.post(f"{url}/_simulator/changes", json=wanted, trust_env=False, timeout=30)
        answer.raise_for_status()
    except httpx.HTTPError as error:
        raise UserError(f"the simulator at {url} does not answer: {error}") from None
    print(json.dumps(answer.json()))
    sweep = {"command": "sweep", "lookback": f"P{options.days + 1}D"}
    console.print(
        f"To let a sweep find them: make send ARGS='{json.dumps(sweep)}'",
        soft_wrap=True,
        highlight=False,
    )
