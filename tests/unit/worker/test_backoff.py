"""How long a message waits after each failure."""

import random

import pytest

from cpd_exporter.errors import (
    AccessError,
    ConfigurationError,
    MalformedInputError,
    PermanentError,
    TransientError,
)
from cpd_exporter.worker.backoff import is_resent, seconds_until_retry


def wait(error: Exception, receives: int = 1) -> int:
    return seconds_until_retry(error, receives, random.Random(1))


def test_what_no_time_can_help_does_not_wait() -> None:
    assert wait(MalformedInputError("foreign"), 4) == 0


@pytest.mark.parametrize(
    "error", [TransientError("503"), AccessError("401"), ConfigurationError("no secret")]
)
def test_an_outage_leaves_no_message_in_the_queue(error: Exception) -> None:
    assert is_resent(error)


@pytest.mark.parametrize("error", [PermanentError("not JSON"), MalformedInputError("foreign")])
def test_a_failure_of_its_own_stays_in_the_queue(error: Exception) -> None:
    assert not is_resent(error)


def test_others_wait_twice_as_long_each_time_up_to_a_bound() -> None:
    error = PermanentError("not JSON")
    waits = [seconds_until_retry(error, receives, random.Random(1)) for receives in range(1, 9)]
    for least, seconds in zip((5, 10, 20, 40, 80, 160, 300, 300), waits, strict=True):
        assert least <= seconds <= least * 1.5


def test_workers_that_failed_together_do_not_come_back_together() -> None:
    error = PermanentError("not JSON")
    assert len({seconds_until_retry(error, 7) for _ in range(50)}) > 5
