"""How long a message waits after each failure."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpd_exporter.errors import (
    AccessError,
    ConfigurationError,
    MalformedInputError,
    PermanentError,
    TransientError,
)
from cpd_exporter.worker.backoff import seconds_until_retry

HALF_A_DAY = 12 * 60 * 60


def wait(error: Exception, receives: int = 1) -> int:
    return seconds_until_retry(error, receives, random.Random(1))


def test_what_no_time_can_help_does_not_wait() -> None:
    assert wait(MalformedInputError("foreign"), 4) == 0


@pytest.mark.parametrize("error", [AccessError("401"), ConfigurationError("no secret")])
def test_what_only_an_operator_can_help_waits_long_from_the_start(error: Exception) -> None:
    assert wait(error) == 300


@pytest.mark.parametrize("error", [TransientError("503"), PermanentError("not JSON")])
def test_others_wait_twice_as_long_each_time_up_to_a_bound(error: Exception) -> None:
    waits = [seconds_until_retry(error, receives, random.Random(1)) for receives in range(1, 9)]
    for least, seconds in zip((5, 10, 20, 40, 80, 160, 300, 300), waits, strict=True):
        assert least <= seconds <= least * 1.5


@given(st.floats(0, HALF_A_DAY / 2), st.integers(1, 50))
def test_never_sooner_than_the_api_asks(retry_after: float, receives: int) -> None:
    seconds = wait(TransientError("429", retry_after=retry_after), receives)
    assert max(5, retry_after) <= seconds <= max(5, retry_after + 1) * 1.5


@pytest.mark.parametrize("retry_after", [HALF_A_DAY, 10**9, 1e300, math.inf])
def test_never_longer_than_a_queue_can_hide_a_message(retry_after: float) -> None:
    assert wait(TransientError("429", retry_after=retry_after)) == HALF_A_DAY


def test_workers_that_failed_together_do_not_come_back_together() -> None:
    error = TransientError("429", retry_after=100)
    assert len({seconds_until_retry(error, 1) for _ in range(50)}) > 5
