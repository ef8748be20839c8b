"""Ctrl-C and the signals that end a command: the command cleans up, and then exits."""

import signal
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(SystemExit):
    """The user pressed Ctrl-C, or a signal ends the command."""


def exit_on_signals() -> None:
    """Let each of the signals raise ``Interrupted`` in the main thread."""
    for number in _SIGNALS:
        signal.signal(number, _interrupt)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    # The command now cleans up; a second Ctrl-C must not stop it half-way.
    for ignored in _SIGNALS:
        signal.signal(ignored, signal.SIG_IGN)
    raise Interrupted(128 + number)
