"""How often a process calls the API, and until when."""

import math

import pytest

from cpd_exporter.adapters.thrive.pace import MAX_TURN_WAIT_SECONDS, CallPace
from cpd_exporter.errors import PausedError


class Timer:
    """Time that passes only when somebody waits."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def pace(timer: Timer, calls: int = 0, seconds: float = 60, *, patient: bool = False) -> CallPace:
    return CallPace(calls, seconds, patient=patient, monotonic=timer, sleep=timer.sleep)


def test_without_a_number_all_calls_have_a_turn() -> None:
    timer = Timer()
    free = pace(timer)
    assert {free.take_turn() for _ in range(1000)} == {math.inf}
    assert timer.now == 100


def test_a_number_of_calls_within_any_minute() -> None:
    timer = Timer()
    few = pace(timer, 3)
    for _ in range(3):
        assert few.is_open
        few.take_turn()
        timer.now += 10
    assert not few.is_open
    with pytest.raises(PausedError):
        few.take_turn()
    timer.now = 160
    few.take_turn()
    assert not few.is_open


def test_patience_waits_for_each_turn_and_for_the_first_too() -> None:
    timer = Timer()
    patient = pace(timer, 1, 24, patient=True)
    for number in range(1, 4):
        assert patient.is_open
        patient.take_turn()
        assert timer.now == 100 + 24 * number
    timer.now += 1000
    patient.take_turn()
    assert timer.now == 100 + 72 + 1000


def test_patience_has_an_end() -> None:
    timer = Timer()
    patient = pace(timer, 1, MAX_TURN_WAIT_SECONDS + 1, patient=True)
    with pytest.raises(PausedError):
        patient.take_turn()


def test_no_call_begins_late_and_each_learns_how_long_it_may_take() -> None:
    timer = Timer()
    bounded = pace(timer)
    bounded.limit(closes_in=15, ends_in=30)
    timer.now += 14
    assert bounded.is_open
    assert bounded.take_turn() == 16
    timer.now += 1
    assert not bounded.is_open
    with pytest.raises(PausedError):
        bounded.take_turn()
    bounded.limit(closes_in=15, ends_in=30)
    assert bounded.take_turn() == 30
