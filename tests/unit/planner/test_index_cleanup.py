"""Which noted index objects the planner removes, and which ones it leaves."""

from datetime import timedelta
from typing import Any

import pytest

from cpd_exporter.model.garbage import IndexGarbage
from cpd_exporter.model.page import PageState
from cpd_exporter.planner.index_cleanup import (
    INDEX_GRACE,
    MAX_NOTES_PER_TICK,
    remove_unnamed_indexes,
)
from tests.support.fakes import FakeLake, FakeTimeline
from tests.support.samples import START, TENANT, page

NOW = START + timedelta(days=30)
KEY = "index/a.jsonl.gz"


def noted(*, notes: int = 1, **facts: Any) -> tuple[FakeTimeline, FakeLake]:
    """Objects that were noted just over a day ago, all for the instants of one page."""
    timeline, lake = FakeTimeline(TENANT), FakeLake()
    timeline.stored_pages[START] = page(start=START, state=PageState.DONE, **facts)
    for nth in range(notes):
        key = KEY if not nth else f"{KEY}-{nth}"
        lake.put_new(key, b"")
        at = NOW - INDEX_GRACE - timedelta(minutes=1)
        timeline.note_garbage(IndexGarbage(f"{nth:03}", at, {key: START + timedelta(minutes=5)}))
    return timeline, lake


def clean(timeline: FakeTimeline, lake: FakeLake, *, has_time_left: bool = True) -> int:
    return remove_unnamed_indexes(timeline, lake, NOW, lambda: has_time_left)


def test_an_object_that_no_page_names_is_removed_with_its_note() -> None:
    timeline, lake = noted(index_key="index/another")
    assert clean(timeline, lake) == 1
    assert (lake.objects, timeline.noted_garbage) == ({}, {})


def test_an_object_that_its_page_names_stays_and_its_note_goes() -> None:
    timeline, lake = noted(index_key=KEY)
    assert clean(timeline, lake) == 0
    assert (list(lake.objects), timeline.noted_garbage) == ([KEY], {})


def test_an_object_whose_page_a_sweep_holds_waits_for_another_day() -> None:
    timeline, lake = noted(reserved_by="a sweep")
    assert clean(timeline, lake) == 0
    assert list(lake.objects) == [KEY]
    [note] = timeline.noted_garbage.values()
    assert (note.noted_at, list(note.starts)) == (NOW, [KEY])


@pytest.mark.parametrize("age", [timedelta(0), INDEX_GRACE])
def test_an_object_stays_for_its_day(age: timedelta) -> None:
    timeline, lake = noted(notes=0)
    lake.put_new(KEY, b"")
    timeline.note_garbage(IndexGarbage("a", NOW - age, {KEY: START}))
    assert clean(timeline, lake) == 0
    assert (list(lake.objects), len(timeline.noted_garbage)) == ([KEY], 1)


def test_a_tick_removes_a_bounded_number() -> None:
    timeline, lake = noted(notes=MAX_NOTES_PER_TICK + 3)
    assert clean(timeline, lake, has_time_left=False) == 0
    assert clean(timeline, lake) == MAX_NOTES_PER_TICK
    assert clean(timeline, lake) == 3
