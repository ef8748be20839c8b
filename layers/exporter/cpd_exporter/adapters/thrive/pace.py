"""How often one process calls the API, and until when."""

import math
import time
from collections import deque
from collections.abc import Callable
from threading import Lock

from cpd_exporter.errors import PausedError

MAX_TURN_WAIT_SECONDS = 150.0
"""A call waits no longer for its turn."""


class CallPace:
    """Gives turns to the calls of one process, from any thread.

    With ``calls``, no more of them begin within any ``seconds``; zero sets no limit. A call that
    has no turn yet waits for it if the pace is ``patient``, else it raises ``PausedError``. A
    patient process begins as if it had just called: others may have.
    """

    def __init__(
        self,
        calls: int = 0,
        seconds: float = 60.0,
        *,
        patient: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._calls = calls
        self._seconds = seconds
        self._patient = patient
        self._monotonic = monotonic
        self._sleep = sleep
        self._lock = Lock()
        self._turns = deque([monotonic()] * calls * patient, maxlen=calls)
        self._closes_at = self._ends_at = math.inf

    def limit(self, *, closes_in: float, ends_in: float) -> None:
        """From now on, begin no call after ``closes_in`` seconds, and await none after
        ``ends_in``.
        """
        self._closes_at = self._monotonic() + closes_in
        self._ends_at = self._monotonic() + ends_in

    @property
    def is_open(self) -> bool:
        """Whether a call may begin now, or after a wait."""
        now = self._monotonic()
        return now < self._closes_at and (self._patient or self._next_turn(now) <= now)

    def take_turn(self) -> float:
        """Wait for the next call's turn; returns the seconds that the call may take.

        Raises ``PausedError`` if the call has no turn.
        """
        with self._lock:
            now = self._monotonic()
            turn = self._next_turn(now)
            wait = turn - now
            if wait > (MAX_TURN_WAIT_SECONDS if self._patient else 0) or turn >= self._closes_at:
                raise PausedError(
                    "this process has used its share of time or of ApiCallsPerMinute: the next "
                    "one goes on"
                )
            if self._calls:
                self._turns.append(turn)
        if wait > 0:
            self._sleep(wait)
        return self._ends_at - turn

    def _next_turn(self, now: float) -> float:
        if not self._calls or len(self._turns) < self._calls:
            return now
        return max(now, self._turns[0] + self._seconds)
