"""Keeps the writes of one process below what a table's partition takes."""

import time
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from typing import Any

MAX_UNITS_PER_SECOND = 500
"""A tenant is one partition, which takes 1,000 write units a second. The planner and the workers
share them, and a transaction is done before its cost is known.
"""

UNITS_OF_A_WRITE = 4
"""What a write costs where DynamoDB does not say: a transaction's doubles item and index."""


class WritePace:
    """Lets each write wait until those before it are paid for, from any thread."""

    def __init__(
        self,
        units_per_second: float = MAX_UNITS_PER_SECOND,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._units_per_second = units_per_second
        self._monotonic = monotonic
        self._sleep = sleep
        self._free_at = monotonic()
        self._lock = Lock()

    def wait(self) -> None:
        """Wait for the next write's turn."""
        with self._lock:
            wait = self._free_at - self._monotonic()
        if wait > 0:
            self._sleep(wait)

    def note(self, answer: Mapping[str, Any], writes: int) -> None:
        """Count what an answer says that its writes consumed."""
        consumed = answer.get("ConsumedCapacity") or ()
        tables: Sequence[Any] = [consumed] if isinstance(consumed, Mapping) else consumed
        units = sum(float(table["CapacityUnits"]) for table in tables) or writes * UNITS_OF_A_WRITE
        with self._lock:
            paid_at = max(self._free_at, self._monotonic())
            self._free_at = paid_at + units / self._units_per_second
