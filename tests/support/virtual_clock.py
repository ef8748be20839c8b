"""A clock that moves only while every thread at work sleeps: no machine decides its figures."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

SHORTEST_SLEEP = 0.001
"""Seconds: rounding errors of who waits would move the clock by next to nothing."""


class VirtualClock:
    """Counts the threads ``at_work``; when all of them sleep, it moves to the next waking."""

    def __init__(self) -> None:
        self._now = 0.0
        self._at_work = 0
        self._wakings: dict[threading.Event, float] = {}
        self._lock = threading.Lock()

    def now(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        awake = threading.Event()
        with self._lock:
            self._wakings[awake] = self._now + max(SHORTEST_SLEEP, seconds)
            self._move()
        awake.wait()

    @contextmanager
    def at_work(self) -> Iterator[None]:
        self._count(1)
        try:
            yield
        finally:
            self._count(-1)

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Within its work, a thread waits for others."""
        self._count(-1)
        try:
            yield
        finally:
            self._count(1)

    def _count(self, change: int) -> None:
        with self._lock:
            self._at_work += change
            self._move()

    def _move(self) -> None:
        if self._wakings and len(self._wakings) >= self._at_work:
            self._now = min(self._wakings.values())
            for awake in [one for one, at in self._wakings.items() if at <= self._now]:
                del self._wakings[awake]
                awake.set()


class VirtualCondition:
    """A condition of one lock, for ``botocore``: its ``wait`` sleeps by the virtual clock."""

    clock: VirtualClock

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    def wait(self, seconds: float) -> None:
        self._lock.release()
        try:
            self.clock.sleep(seconds)
        finally:
            self._lock.acquire()

    def notify(self) -> None:
        """Whoever waits looks again when it wakes."""
