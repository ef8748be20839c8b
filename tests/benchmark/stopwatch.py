"""A worker's CPU time by stage."""

import time
from collections.abc import Callable
from typing import Any

STAGES = {
    "handler": "handler, claim and timeline",
    "download": "download",
    "read": "read and check",
    "encode": "compare, encode and compress",
    "events": "build the events",
    "publish": "publish",
}
"""Each stage ends where the worker calls or leaves a port."""


class Stopwatch:
    """Adds up the CPU time of the process by stage."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(STAGES, 0.0)
        self.stage = ""
        self._since = 0.0

    def enter(self, stage: str) -> str:
        """Go on to a stage; returns the one before. Without a name, nothing is measured."""
        now, before = time.process_time(), self.stage
        if before:
            self.seconds[before] += now - self._since
        self.stage, self._since = stage, now
        return before


def during(
    watch: Stopwatch, stage: str, call: Callable[..., Any], *, then: str = ""
) -> Callable[..., Any]:
    """The same call in a stage of its own; afterwards comes ``then``, or what was before."""

    def measured(*arguments: Any, **named: Any) -> Any:
        if not watch.stage:
            return call(*arguments, **named)
        before = watch.enter(stage)
        try:
            return call(*arguments, **named)
        finally:
            watch.enter(then or before)

    return measured
