"""How slow this machine is now: tests that wait by the clock wait in proportion."""

import time

REFERENCE_SECONDS = 0.02
"""What ``_work`` takes on a free core of 2020 or later."""

MEASURED_FOR = 15.0
"""Seconds after which the machine is measured again: its load changes."""

MAX_SLOWNESS = 10.0
"""Nobody waits for a machine that is slower: the time-out then says so."""

_measured: list[tuple[float, float]] = []


def slowness() -> float:
    """How many times as long a piece of work takes here and now as on a free core, at least 1."""
    now = time.monotonic()
    if not _measured or now - _measured[-1][0] > MEASURED_FOR:
        longest = max(_measure() for _ in range(3))
        _measured[:] = [(now, min(MAX_SLOWNESS, max(1.0, longest / REFERENCE_SECONDS)))]
    return _measured[-1][1]


def patience(seconds: float) -> float:
    """A limit for a free machine, as this one needs it now."""
    return seconds * slowness()


def _measure() -> float:
    began = time.perf_counter()
    _work()
    return time.perf_counter() - began


def _work() -> int:
    return sum(number * number % 7 for number in range(250_000))
