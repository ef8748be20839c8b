"""`python -m local up`: a stack that stays up until Ctrl-C."""

import contextlib
import json
import time
from urllib.parse import urlsplit

from local.cli.checked_export import stack_for
from local.cli.chosen_source import chosen_source
from local.cli.console import console
from local.cli.interrupt import Interrupted
from local.cli.options import UpOptions
from local.errors import UserError
from local.sources import SimulatedSource
from local.stack.emulator import has_ended
from local.stack.registry import UpStack, note_up

_WATCH_SECONDS = 2


def up(options: UpOptions) -> None:
    """Keep the stack up until interrupted; when it is ready, one line of JSON says where."""
    parameters = {
        "ScheduleState": "ENABLED" if options.schedule else "DISABLED",
        "Schedule": "rate(1 minute)",
    }
    if options.replay_queue_arns:
        parameters["ReplayQueueArns"] = options.replay_queue_arns
    with (
        chosen_source(options) as source,
        stack_for(source, options.port, parameters) as stack,
    ):
        account = stack.account
        port = urlsplit(account.endpoint).port or 0
        simulator = source.parameters["ApiUrl"] if isinstance(source, SimulatedSource) else ""
        note_up(stack.log.parent, UpStack(port, simulator))
        console.print(
            "Ready; Ctrl-C ends it. Clients need AWS_ACCESS_KEY_ID=test, "
            "AWS_SECRET_ACCESS_KEY=test and the endpoint and region of the next line. From another "
            'terminal: make status; make send ARGS=\'{"command": "status"}\''
            + ("; make change ARGS=edit" if simulator else ""),
            soft_wrap=True,
            highlight=False,
        )
        ready = {
            "ready": True,
            "endpoint": account.endpoint,
            "region": account.region,
            "simulator": simulator or None,
            "outputs": stack.outputs,
        }
        with contextlib.suppress(Interrupted):
            print(json.dumps(ready), flush=True)
            while not has_ended(port):
                time.sleep(_WATCH_SECONDS)
            raise UserError(f"MiniStack ended (its log: {stack.log})")
