"""Runs MiniStack by the bare interpreter; its one argument is the folder of MiniStack's packages.

MiniStack runs Python functions by the interpreter that runs itself, and that must not see its
packages: else a function would find there what its layer forgot. A search path set here, in this
process only, is not inherited.
"""

import os
import signal
import site
import sys
import threading
from typing import Any


def main() -> None:
    packages = sys.argv.pop()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    site.addsitedir(packages)
    _authorise_batches_as_aws()

    from ministack.app import main as serve  # type: ignore[import-not-found]  # see above

    serve()


def _end_with_parent() -> None:
    """The parent holds the other end of standard input for as long as it lives."""
    sys.stdin.buffer.read()
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _authorise_batches_as_aws() -> None:
    """AWS has no permission such as sqs:SendMessageBatch: the one for a single message counts.

    MiniStack 1.5 asks for it, and a template that named it would be no policy for AWS.
    """
    from ministack.core import iam_actions  # type: ignore[import-not-found]  # see above

    extract = iam_actions.extract_iam_action

    def extract_single(*request: Any, **named: Any) -> str | None:
        action: str | None = extract(*request, **named)
        is_message = action is not None and action.startswith(("sns:", "sqs:"))
        return action.removesuffix("Batch") if action is not None and is_message else action

    iam_actions.extract_iam_action = extract_single


if __name__ == "__main__":
    main()
