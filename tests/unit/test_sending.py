"""Sending, and how long a message waits after a failure."""

import math
import random
from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpd_exporter.dispatch import send
from cpd_exporter.errors import (
    AccessError,
    ConfigurationError,
    MalformedInputError,
    PermanentError,
    TransientError,
)
from cpd_exporter.model.message import Message
from cpd_exporter.worker.backoff import seconds_until_retry
from tests.support.fakes import FakeQueue, FakeTimeline
from tests.support.samples import START, page, works
from tests.support.world import NOW

HALF_A_DAY = 12 * 60 * 60


class Lossy(FakeQueue):
    """Accepts every other message."""

    def send(self, work: Sequence[Message]) -> list[Message]:
        return super().send(work[::2])


def test_only_what_is_surely_in_the_queue_counts_as_sent() -> None:
    timeline, queue = FakeTimeline(), Lossy()
    pages = [page(start=START + timedelta(hours=hour)) for hour in range(5)]
    timeline.stored_pages = {each.window.start: each for each in pages}
    assert send(pages, timeline=timeline, queue=queue, clock=lambda: NOW, chain_length=3) == 3
    sent = [each.window for each in timeline.stored_pages.values() if each.sent_at == NOW]
    assert sent == [work.window for work in works(queue)]
    assert {work.chain_length for work in works(queue)} == {3}
    assert [each.sent_at for each in timeline.stored_pages.values()].count(None) == 2


def test_nothing_to_send_sends_nothing() -> None:
    timeline, queue = FakeTimeline(), FakeQueue()
    assert send([], timeline=timeline, queue=queue, clock=lambda: NOW) == 0


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
