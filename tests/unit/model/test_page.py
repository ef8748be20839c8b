"""Pages: their names, when they are due, and what replaces them."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cpd_exporter.model.page import Page, PageState, lake_key, parts_of
from cpd_exporter.model.resend_policy import ResendPolicy
from cpd_exporter.model.timestamps import SECOND
from tests.support.samples import START, page

POLICY = ResendPolicy(in_queue=timedelta(minutes=12))
NOW = datetime(2026, 3, 15, tzinfo=UTC)
UNDONE = (PageState.OPEN, PageState.WRITING, PageState.STORED)


def ago(**by: float) -> datetime:
    return NOW - timedelta(**by)


def test_the_key_is_of_month_window_generation_and_timeline() -> None:
    assert lake_key(page(generation=3)) == (
        f"entries/entry_month=2026-03/20260301T120000Z_20260301T130000Z_g3_{'e' * 16}.jsonl.gz"
    )


def test_no_key_serves_two_pieces_of_work() -> None:
    pages = [
        page(),
        page(60),
        page(generation=2),
        page(timeline_id="f" * 16),
        page(start=START - SECOND),
    ]
    assert len({lake_key(each) for each in pages}) == 5


def test_state_and_attempts_do_not_change_the_key() -> None:
    later = page(state=PageState.STORED, attempts=4, revision="r9", error="late")
    assert lake_key(later) == lake_key(page())


@pytest.mark.parametrize("state", UNDONE)
def test_what_was_never_sent_is_due(state: PageState) -> None:
    assert page(state=state).due(NOW, POLICY)
    assert page(state=state, hole_since=NOW).due(NOW, POLICY)


def test_what_is_done_is_never_due() -> None:
    assert not page(state=PageState.DONE).due(NOW, POLICY)
    assert not page(state=PageState.DONE, sent_at=ago(days=9)).due(NOW, POLICY)


@pytest.mark.parametrize("state", UNDONE)
@pytest.mark.parametrize(
    ("settings", "due"),
    [
        # In the queue: as long as a message may take.
        ({"sent_at": ago(minutes=12)}, False),
        ({"sent_at": ago(minutes=12, seconds=1)}, True),
        # Tried and given back: the queue redelivers, counted from then.
        ({"sent_at": ago(hours=2), "updated_at": ago(minutes=11)}, False),
        ({"sent_at": ago(hours=2), "updated_at": ago(minutes=13)}, True),
        # In a worker's hands.
        ({"sent_at": ago(minutes=20), "lease_until": ago(seconds=-30)}, False),
        ({"sent_at": ago(minutes=20), "lease_until": ago(seconds=10)}, False),
        # The worker ended without a report beyond its lease, and what clocks may differ by.
        ({"sent_at": ago(minutes=3), "lease_until": ago(seconds=11)}, True),
        # Sent again after that lease ended: in the queue.
        ({"sent_at": ago(minutes=1), "lease_until": ago(minutes=2)}, False),
        ({"sent_at": ago(minutes=13), "lease_until": ago(minutes=14)}, True),
    ],
)
def test_what_was_sent_is_due_again_when_whoever_had_it_crashed(
    state: PageState, settings: dict[str, Any], due: bool
) -> None:
    assert page(state=state, **settings).due(NOW, POLICY) is due


@pytest.mark.parametrize(
    ("attempts", "minutes"), [(0, 5), (5, 5), (6, 10), (10, 160), (11, 320), (12, 360), (1000, 360)]
)
def test_a_hole_is_tried_again_after_ever_longer_pauses(attempts: int, minutes: int) -> None:
    def hole(**since: float) -> Page:
        touched = ago(**since)
        return page(hole_since=ago(days=1), sent_at=touched, updated_at=touched, attempts=attempts)

    assert not hole(minutes=minutes).due(NOW, POLICY)
    assert hole(minutes=minutes, seconds=1).due(NOW, POLICY)


def test_the_watermark_passes_over_what_is_done_and_over_holes() -> None:
    assert page(state=PageState.DONE).watermark_may_pass
    assert page(hole_since=NOW).watermark_may_pass
    assert not any(page(state=state).watermark_may_pass for state in UNDONE)


@given(st.integers(2, 10**6), st.integers(2, 20))
def test_parts_tile_what_they_replace(seconds: int, parts: int) -> None:
    whole = page(seconds, generation=4, sent_at=NOW, lease_until=NOW, attempts=3)
    replaced = parts_of(whole, whole.window.split(parts), revision="r2")
    bounds = [(part.window.start, part.window.end) for part in replaced]
    assert (bounds[0][0], bounds[-1][1]) == (whole.window.start, whole.window.end)
    assert all(one[1] == other[0] for one, other in pairwise(bounds))
    for part in replaced:
        assert (part.generation, part.timeline_id, part.revision) == (5, whole.timeline_id, "r2")
        assert (part.state, part.attempts) == (PageState.OPEN, 0)
        assert part.due(NOW, POLICY)
    assert not {lake_key(part) for part in replaced} & {lake_key(whole)}


def test_the_parts_of_a_hole_are_holes() -> None:
    """Else the watermark, which passed over the hole, stood beyond pages that nobody lists."""
    hole = page(hole_since=NOW, error="why")
    parts = parts_of(hole, hole.window.split(2), revision="r2", attempts=4)
    assert all(part.watermark_may_pass and part.hole_since == NOW for part in parts)
    assert {(part.error, part.attempts) for part in parts} == {("why", 4)}
