"""Held deletions are counted each tick, and a confirmation that loses a race begins again."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from cpd_exporter.errors import TransientError
from cpd_exporter.model.breaker import Breaker, BreakerChange
from cpd_exporter.model.page import MissingEntry, PageState
from cpd_exporter.model.sweep_request import SweepRequest
from cpd_exporter.planner import held_deletions
from cpd_exporter.planner.held_deletions import (
    CONFIRMATION_RETRY,
    MAX_TRIES,
    Confirmation,
    read_held_deletions,
    request_overdue_sweeps,
)
from tests.support.fakes import FakeTimeline
from tests.support.samples import START, TENANT, page

HOUR = timedelta(hours=1)
NOW = START + timedelta(days=30)


def holding(*counts: int, **facts: Any) -> FakeTimeline:
    """A timeline with a page an hour, each with so many deletions that were held just now."""
    timeline = FakeTimeline(TENANT)
    timeline.stored_breaker = Breaker("1", opened_at=NOW)
    for nth, count in enumerate(counts):
        missing = {f"{nth}-{n}": MissingEntry(START, held_at=NOW) for n in range(count)}
        start = START + nth * HOUR
        settings: dict[str, Any] = {"state": PageState.DONE, "updated_at": NOW, "missing": missing}
        timeline.stored_pages[start] = page(start=start, **settings | facts)
    return timeline


def confirm(timeline: FakeTimeline) -> int:
    tokens: Iterator[str] = map(str, range(2, 99))
    return Confirmation(timeline, lambda: NOW, tokens.__next__).confirm()


def count_held(timeline: FakeTimeline) -> int:
    return read_held_deletions(timeline, NOW).count


def tick(timeline: FakeTimeline) -> None:
    """What a tick does about overdue confirmations."""
    request_overdue_sweeps(timeline, read_held_deletions(timeline, NOW), NOW)


def requested(timeline: FakeTimeline) -> list[SweepRequest]:
    return list(timeline.sweep_requests())


def test_the_held_deletions_of_all_pages_are_counted() -> None:
    assert count_held(holding(2, 0, 3)) == 5
    assert count_held(FakeTimeline(TENANT)) == 0


def test_a_tick_reads_a_bounded_number_of_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held_deletions, "MAX_FLAGGED_PAGES", 2)
    assert count_held(holding(1, 1, 1)) == 2


def test_a_confirmation_closes_the_breaker_and_sweeps_the_pages_that_hold() -> None:
    timeline = holding(2, 0, 3)
    assert confirm(timeline) == 5
    assert timeline.stored_breaker == Breaker("2", confirmed_through=NOW)
    assert [one.at for one in requested(timeline)] == [START, START + 2 * HOUR]
    assert count_held(timeline) == 0
    assert confirm(timeline) == 0


def test_a_confirmation_covers_a_hold_of_a_clock_that_is_ahead() -> None:
    ahead = NOW + timedelta(seconds=3)
    timeline = holding(1, missing={"a": MissingEntry(START, held_at=ahead)})
    assert confirm(timeline) == 1
    assert count_held(timeline) == 0


def test_before_the_first_deletion_there_is_nothing_to_confirm() -> None:
    assert confirm(FakeTimeline(TENANT)) == 0


class BusyBreakerTimeline(FakeTimeline):
    """Sweeps hold further deletions just before each of the first ``lost`` writes."""

    lost = 0

    def update_breaker(self, change: BreakerChange) -> bool:
        if self.lost and self.stored_breaker:
            self.lost -= 1
            breaker = self.stored_breaker
            self.stored_breaker = replace(breaker, revision=f"{breaker.revision}+")
        return super().update_breaker(change)


@pytest.mark.parametrize("lost", [1, MAX_TRIES - 1])
def test_a_confirmation_that_loses_against_a_hold_counts_again(lost: int) -> None:
    timeline = BusyBreakerTimeline(TENANT)
    vars(timeline).update(vars(holding(4)), lost=lost)
    assert confirm(timeline) == 4


def test_a_confirmation_that_always_loses_says_so_and_changes_nothing() -> None:
    timeline = BusyBreakerTimeline(TENANT)
    vars(timeline).update(vars(holding(4)), lost=MAX_TRIES)
    with pytest.raises(TransientError, match="confirm again"):
        confirm(timeline)
    assert count_held(timeline) == 4
    assert requested(timeline) == []


@pytest.mark.parametrize(
    ("changes", "is_requested"),
    [
        ({"updated_at": NOW - CONFIRMATION_RETRY}, True),
        ({"updated_at": NOW - CONFIRMATION_RETRY + timedelta(seconds=1)}, False),
        ({"updated_at": NOW - CONFIRMATION_RETRY, "reserved_by": "a sweep"}, False),
    ],
    ids=["overdue", "not yet", "being swept"],
)
def test_overdue_confirmed_deletions_are_swept_again(
    changes: dict[str, Any], is_requested: bool
) -> None:
    timeline = holding(1, **changes)
    tick(timeline)
    assert count_held(timeline) == 1
    assert requested(timeline) == []
    timeline.stored_breaker = Breaker("2", confirmed_through=NOW)
    tick(timeline)
    assert count_held(timeline) == 0
    assert bool(requested(timeline)) == is_requested
