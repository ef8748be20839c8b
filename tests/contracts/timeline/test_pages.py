"""How pages are read, updated, split and marked as sent."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from cpd_exporter.model.page import (
    ConditionalWrite,
    Page,
    PageState,
    WorkKind,
    replacing,
)
from cpd_exporter.model.sweep_request import SweepRequest
from cpd_exporter.model.window import Window
from cpd_exporter.ports import Timeline
from tests.support.timelines import DAY, LATER, NOW, ORIGIN, START, days, sweep


class TestReading:
    @pytest.mark.parametrize(
        ("instant", "day"),
        [
            (ORIGIN - timedelta(microseconds=1), None),
            (ORIGIN, 0),
            (ORIGIN + timedelta(microseconds=1), 0),
            (ORIGIN + DAY - timedelta(microseconds=1), 0),
            (ORIGIN + DAY, 1),
            (ORIGIN + DAY + timedelta(milliseconds=500), 1),
            (ORIGIN + 3 * DAY - timedelta(milliseconds=1), 2),
            (ORIGIN + 3 * DAY, None),
        ],
    )
    def test_the_page_that_holds_an_instant(
        self, timeline: Timeline, planned: list[Page], instant: datetime, day: int | None
    ) -> None:
        assert timeline.page_at(instant) == (None if day is None else planned[day])

    def test_no_page_holds_an_instant_of_an_empty_timeline(self, timeline: Timeline) -> None:
        timeline.begin(START)
        timeline.request_sweep(SweepRequest(ORIGIN, NOW))
        assert timeline.page_at(ORIGIN) is None

    @pytest.mark.parametrize(
        ("end", "count"),
        [
            (ORIGIN, 0),
            (ORIGIN + timedelta(microseconds=1), 1),
            (ORIGIN + DAY, 1),
            (ORIGIN + DAY + timedelta(seconds=1), 2),
            (ORIGIN + 9 * DAY, 3),
        ],
    )
    def test_pages_before_an_end_backwards(
        self, timeline: Timeline, planned: list[Page], end: datetime, count: int
    ) -> None:
        assert list(timeline.pages_before(end)) == planned[:count][::-1]

    def test_pages_are_no_sweeps(self, timeline: Timeline, planned: list[Page]) -> None:
        whole = sweep(planned)
        assert timeline.page(ORIGIN, WorkKind.SWEEP) is None
        assert timeline.commit([ConditionalWrite(None, whole)])
        assert timeline.page(ORIGIN) == planned[0]
        assert timeline.page(ORIGIN, WorkKind.SWEEP) == whole
        assert list(timeline.pages(ORIGIN)) == planned
        assert list(timeline.pages_before(ORIGIN + 9 * DAY)) == planned[::-1]
        assert list(timeline.undone()) == planned

    def test_the_undone_pages_that_start_within_a_window(
        self, timeline: Timeline, planned: list[Page]
    ) -> None:
        def starting(start: datetime, end: datetime) -> list[Page]:
            return list(timeline.undone(Window(start, end)))

        second = timedelta(seconds=1)
        assert starting(ORIGIN, ORIGIN + 3 * DAY) == planned
        assert starting(ORIGIN + second, ORIGIN + 2 * DAY) == planned[1:2]
        assert starting(ORIGIN, ORIGIN + 2 * DAY + second) == planned
        assert starting(ORIGIN + 2 * DAY + second, ORIGIN + 3 * DAY) == []

    def test_all_sweeps_in_order(self, timeline: Timeline, planned: list[Page]) -> None:
        sweeps = [sweep([page]) for page in planned]
        assert list(timeline.sweeps()) == []
        assert timeline.commit([ConditionalWrite(None, sweep) for sweep in reversed(sweeps)])
        assert list(timeline.sweeps()) == sweeps

    def test_one_page(self, timeline: Timeline, planned: list[Page]) -> None:
        assert timeline.page(ORIGIN + DAY) == planned[1]
        assert timeline.page(ORIGIN + timedelta(hours=1)) is None

    def test_pages_from_a_start_on(self, timeline: Timeline, planned: list[Page]) -> None:
        assert list(timeline.pages(ORIGIN + DAY)) == planned[1:]
        assert list(timeline.pages(ORIGIN + 3 * DAY)) == []

    def test_in_order_of_time(self, timeline: Timeline) -> None:
        timeline.begin(START)
        hours = [
            Page(window, 1, "timeline", "r") for window in Window(ORIGIN, ORIGIN + DAY).split(24)
        ]
        assert timeline.append(hours, after=ORIGIN)
        assert list(timeline.pages(ORIGIN)) == hours
        assert list(timeline.undone()) == hours

    def test_undone_is_what_is_not_done(self, timeline: Timeline, planned: list[Page]) -> None:
        done = replace(planned[1], state=PageState.DONE, revision="done")
        assert timeline.update(planned[1], done)
        assert list(timeline.undone()) == [planned[0], planned[2]]
        assert list(timeline.pages(ORIGIN)) == [planned[0], done, planned[2]]

    def test_a_page_that_begins_done_is_never_undone(self, timeline: Timeline) -> None:
        timeline.begin(START)
        empty, full = days(0, 2)
        assert timeline.append([replace(empty, state=PageState.DONE), full], after=ORIGIN)
        assert list(timeline.undone()) == [full]

    def test_more_than_one_response_of_a_store_holds(self, timeline: Timeline) -> None:
        timeline.begin(START)
        large = [replace(page, error="e" * 15_000) for page in days(0, 99)]
        assert timeline.append(large, after=ORIGIN)
        assert list(timeline.pages(ORIGIN)) == large
        assert list(timeline.undone()) == large
        assert list(timeline.pages_before(large[-1].window.end)) == large[::-1]


class TestUpdating:
    def test_replaces_the_page(self, timeline: Timeline, planned: list[Page]) -> None:
        claimed = replace(planned[0], revision="claimed", attempts=1, lease_until=NOW, error="e")
        assert timeline.update(planned[0], claimed)
        assert timeline.page(ORIGIN) == claimed

    def test_attributes_can_end(self, timeline: Timeline, planned: list[Page]) -> None:
        hole = replace(planned[0], revision="2", lease_until=NOW, error="e", hole_since=NOW)
        ended = replace(hole, revision="3", lease_until=None, error=None, hole_since=None)
        assert timeline.update(planned[0], hole)
        assert timeline.update(hole, ended)
        assert timeline.page(ORIGIN) == ended

    def test_of_two_writers_one_loses(self, timeline: Timeline, planned: list[Page]) -> None:
        first = replace(planned[0], revision="first", attempts=1)
        second = replace(planned[0], revision="second", attempts=9)
        assert timeline.update(planned[0], first)
        assert not timeline.update(planned[0], second)
        assert timeline.page(ORIGIN) == first

    def test_the_same_again_is_a_lost_answer(self, timeline: Timeline, planned: list[Page]) -> None:
        changed = replace(planned[0], revision="changed", attempts=1)
        assert timeline.update(planned[0], changed)
        assert timeline.update(planned[0], changed)
        assert timeline.page(ORIGIN) == changed

    def test_leaves_the_mark_of_sending(self, timeline: Timeline, planned: list[Page]) -> None:
        timeline.mark_sent(planned[:1], NOW)
        changed = replace(planned[0], revision="changed", attempts=1)
        assert timeline.update(planned[0], changed)
        assert timeline.page(ORIGIN) == replace(changed, sent_at=NOW)

    @pytest.mark.parametrize("claimed", [None, LATER])
    def test_makes_no_mark_of_its_own(
        self, timeline: Timeline, planned: list[Page], claimed: datetime | None
    ) -> None:
        timeline.mark_sent(planned[:1], NOW)
        sent = replace(planned[0], sent_at=NOW)
        assert timeline.update(sent, replace(sent, revision="changed", sent_at=claimed))
        assert timeline.page(ORIGIN) == replace(sent, revision="changed")

    def test_does_not_make_a_page(self, timeline: Timeline) -> None:
        page = days(0, 1)[0]
        assert not timeline.update(page, replace(page, revision="changed"))
        assert timeline.page(ORIGIN) is None

    def test_done_ends_being_undone_and_no_other_state_does(
        self, timeline: Timeline, planned: list[Page]
    ) -> None:
        page = planned[0]
        for state in (PageState.WRITING, PageState.STORED):
            changed = replace(page, state=state, revision=state.value)
            assert timeline.update(page, changed)
            assert list(timeline.undone()) == [changed, *planned[1:]]
            page = changed
        assert timeline.update(page, replace(page, state=PageState.DONE, revision="end"))
        assert list(timeline.undone()) == planned[1:]


def parts(page: Page, count: int, revision: str = "split") -> list[Page]:
    return [
        Page(window, page.generation + 1, "timeline", revision, attempts=4)
        for window in page.window.split(count)
    ]


class TestSplitting:
    def test_replaces_a_page_by_its_parts(self, timeline: Timeline, planned: list[Page]) -> None:
        split = parts(planned[1], 16)
        assert timeline.commit(replacing(planned[1], split))
        tiled = [planned[0], *split, planned[2]]
        assert list(timeline.pages(ORIGIN)) == tiled
        assert list(timeline.undone()) == tiled

    def test_nothing_of_the_page_is_left(self, timeline: Timeline, planned: list[Page]) -> None:
        timeline.mark_sent(planned[:1], NOW)
        claimed = replace(planned[0], revision="claimed", lease_until=NOW, error="e", attempts=1)
        timeline.update(planned[0], claimed)
        split = parts(planned[0], 2)
        assert timeline.commit(replacing(claimed, split))
        assert timeline.page(ORIGIN) == split[0]

    def test_not_if_somebody_wrote(self, timeline: Timeline, planned: list[Page]) -> None:
        claimed = replace(planned[0], revision="claimed")
        timeline.update(planned[0], claimed)
        assert not timeline.commit(replacing(planned[0], parts(planned[0], 2)))
        assert list(timeline.pages(ORIGIN)) == [claimed, *planned[1:]]

    def test_of_two_splits_one_wins(self, timeline: Timeline, planned: list[Page]) -> None:
        split = parts(planned[0], 2)
        assert timeline.commit(replacing(planned[0], split))
        assert not timeline.commit(replacing(planned[0], parts(planned[0], 3, "other")))
        assert list(timeline.pages(ORIGIN)) == [*split, *planned[1:]]

    def test_the_old_page_can_no_longer_be_written(
        self, timeline: Timeline, planned: list[Page]
    ) -> None:
        split = parts(planned[0], 2)
        timeline.commit(replacing(planned[0], split))
        assert not timeline.update(planned[0], replace(planned[0], revision="late"))
        assert timeline.page(ORIGIN) == split[0]

    def test_keeps_a_mark_of_sending_that_a_part_has(
        self, timeline: Timeline, planned: list[Page]
    ) -> None:
        split = [replace(part, sent_at=NOW) for part in parts(planned[0], 2)]
        assert timeline.commit(replacing(planned[0], split))
        assert list(timeline.pages(ORIGIN)) == [*split, *planned[1:]]


class TestMarkingAsSent:
    def test_marks_and_marks_again(self, timeline: Timeline, planned: list[Page]) -> None:
        timeline.mark_sent(planned, NOW)
        timeline.mark_sent(planned[:1], LATER)
        assert [page.sent_at for page in timeline.pages(ORIGIN)] == [LATER, NOW, NOW]

    def test_is_no_write_that_a_worker_loses_to(
        self, timeline: Timeline, planned: list[Page]
    ) -> None:
        timeline.mark_sent(planned, NOW)
        assert timeline.update(planned[0], replace(planned[0], revision="claimed"))

    def test_leaves_replaced_and_missing_pages_alone(
        self, timeline: Timeline, planned: list[Page]
    ) -> None:
        split = parts(planned[0], 2)
        timeline.commit(replacing(planned[0], split))
        timeline.mark_sent([planned[0], *days(7, 8)], NOW)
        assert list(timeline.pages(ORIGIN)) == [*split, *planned[1:]]

    def test_any_number(self, timeline: Timeline) -> None:
        timeline.begin(START)
        pages = days(0, 60)
        timeline.append(pages, after=ORIGIN)
        timeline.mark_sent([], NOW)
        timeline.mark_sent(pages, NOW)
        assert {page.sent_at for page in timeline.pages(ORIGIN)} == {NOW}
