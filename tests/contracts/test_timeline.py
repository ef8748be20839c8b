"""What planner and worker rely on when they write their plan and their states."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cpd_exporter.adapters.aws.timeline import DynamoDbTimeline
from cpd_exporter.model.breaker import Breaker, BreakerChange, DayCount
from cpd_exporter.model.job import Job, JobKind
from cpd_exporter.model.page import (
    ConditionalWrite,
    MissingEntry,
    Page,
    PageState,
    WorkKind,
    replacing,
    reserving,
    sweep_of,
)
from cpd_exporter.model.refusal import Refusal
from cpd_exporter.model.sweep_request import SweepRequest
from cpd_exporter.model.watermark import Tick, Watermark
from cpd_exporter.model.window import Window
from cpd_exporter.ports import Timeline
from tests.contracts.account import TABLE
from tests.support.fakes import FakeTimeline

TENANT = "eu-west-2_AbcdEfghI"
ORIGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
# Clocks have microseconds, and none may be lost: the core compares what it wrote and what it read.
NOW = datetime(2026, 3, 15, 12, 0, 0, 123456, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
START = Watermark("timeline", ORIGIN, ORIGIN, ORIGIN, ORIGIN)


@pytest.fixture(params=["in memory", "DynamoDB"])
def timeline(request: pytest.FixtureRequest) -> Timeline:
    if request.param == "in memory":
        return FakeTimeline(TENANT)
    account = request.getfixturevalue("account")
    return DynamoDbTimeline(account.dynamodb, TABLE, TENANT)


def days(first: int, end: int, *, revision: str = "planned") -> list[Page]:
    return [
        Page(Window(ORIGIN + day * DAY, ORIGIN + (day + 1) * DAY), 1, "timeline", revision)
        for day in range(first, end)
    ]


def sweep(pages: Sequence[Page], revision: str = "reserved") -> Page:
    return sweep_of(pages, revision=revision)


@pytest.fixture
def planned(timeline: Timeline) -> list[Page]:
    """Three pages of a day each."""
    timeline.begin(START)
    pages = days(0, 3)
    assert timeline.append(pages, after=ORIGIN)
    return pages


class TestWatermark:
    def test_there_is_none_at_first(self, timeline: Timeline) -> None:
        assert timeline.watermark() is None

    def test_begins_once(self, timeline: Timeline) -> None:
        assert timeline.begin(START) == START
        assert timeline.begin(replace(START, timeline_id="another")) == START
        assert timeline.watermark() == START

    @pytest.mark.parametrize(
        ("member", "there", "elsewhere"),
        [
            ("exported_through", ORIGIN + DAY, ORIGIN + 2 * DAY),
            ("exported_from", ORIGIN - DAY, ORIGIN - 2 * DAY),
            ("filter_checked_at", NOW, LATER),
            ("last_tick", Tick(NOW), Tick(LATER, "the secret is empty")),
        ],
    )
    class TestUpdate:
        def test_moves_from_where_it_is(
            self, timeline: Timeline, member: str, there: Any, elsewhere: Any
        ) -> None:
            timeline.begin(START)
            for before, after in ((None, there), (there, elsewhere)):
                was = replace(START, **{member: before}) if before else START
                becomes = replace(START, **{member: after})
                assert timeline.update_watermark(was, becomes)
                assert timeline.watermark() == becomes

        def test_does_not_move_from_elsewhere(
            self, timeline: Timeline, member: str, there: Any, elsewhere: Any
        ) -> None:
            timeline.begin(START)
            timeline.update_watermark(START, replace(START, **{member: elsewhere}))
            assert not timeline.update_watermark(START, replace(START, **{member: there}))
            assert timeline.watermark() == replace(START, **{member: elsewhere})

        def test_a_move_whose_answer_was_lost_is_one(
            self, timeline: Timeline, member: str, there: Any, elsewhere: Any
        ) -> None:
            timeline.begin(START)
            for _ in range(2):
                assert timeline.update_watermark(START, replace(START, **{member: there}))
            assert elsewhere != there

        def test_leaves_all_else_as_it_is(
            self, timeline: Timeline, member: str, there: Any, elsewhere: Any
        ) -> None:
            timeline.begin(START)
            timeline.append(days(0, 3), after=ORIGIN)
            timeline.update_watermark(START, replace(START, **{member: there}))
            moved = replace(START, planned_through=ORIGIN + 3 * DAY, **{member: there})
            assert timeline.watermark() == moved
            assert elsewhere != there

        def test_moves_nothing_where_there_is_none(
            self, timeline: Timeline, member: str, there: Any, elsewhere: Any
        ) -> None:
            assert not timeline.update_watermark(START, replace(START, **{member: there}))
            assert timeline.watermark() is None
            assert elsewhere != there


class TestAppending:
    def test_adds_pages_and_moves_what_is_planned(
        self, timeline: Timeline, planned: list[Page]
    ) -> None:
        assert list(timeline.pages(ORIGIN)) == planned
        assert timeline.watermark() == replace(START, planned_through=ORIGIN + 3 * DAY)

    def test_goes_on_from_there(self, timeline: Timeline, planned: list[Page]) -> None:
        more = days(3, 5)
        assert timeline.append(more, after=ORIGIN + 3 * DAY)
        assert list(timeline.pages(ORIGIN)) == planned + more

    def test_of_two_plans_one_stands(self, timeline: Timeline, planned: list[Page]) -> None:
        assert not timeline.append(days(0, 5, revision="other"), after=ORIGIN)
        assert list(timeline.pages(ORIGIN)) == planned
        assert timeline.watermark() == replace(START, planned_through=ORIGIN + 3 * DAY)

    def test_the_same_again_is_a_lost_answer(self, timeline: Timeline, planned: list[Page]) -> None:
        assert timeline.append(planned, after=ORIGIN)
        assert list(timeline.pages(ORIGIN)) == planned

    def test_never_overwrites_a_page(self, timeline: Timeline, planned: list[Page]) -> None:
        overlapping = days(2, 4, revision="other")
        assert not timeline.append(overlapping, after=ORIGIN + 3 * DAY)
        assert list(timeline.pages(ORIGIN)) == planned

    def test_needs_a_watermark(self, timeline: Timeline) -> None:
        assert not timeline.append(days(0, 1), after=ORIGIN)
        assert list(timeline.pages(ORIGIN)) == []

    def test_takes_99_and_no_more(self, timeline: Timeline) -> None:
        timeline.begin(START)
        with pytest.raises(ValueError, match="99"):
            timeline.append(days(0, 100), after=ORIGIN)
        assert timeline.append(days(0, 99), after=ORIGIN)
        assert len(list(timeline.pages(ORIGIN))) == 99

    def test_keeps_every_attribute(self, timeline: Timeline) -> None:
        timeline.begin(START)
        full = Page(
            window=Window(ORIGIN, ORIGIN + DAY),
            generation=7,
            timeline_id="timeline",
            revision="r",
            state=PageState.STORED,
            object="entries/größe.jsonl.gz",
            entries=1000,
            quarantined=3,
            attempts=2,
            error="the service answered 500",
            hole_since=NOW,
            sent_at=LATER,
            lease_until=NOW + DAY,
            updated_at=LATER,
            index_key="index/größe.jsonl.gz",
            reserved_by="a sweep",
            stored_at=NOW,
            missing={
                "64b7f0c2a1": MissingEntry(NOW),
                "64b7f0c2a2": MissingEntry(NOW, moved_to=LATER),
                "größe #/.": MissingEntry(LATER, held_at=NOW),
                "64b7f0c2a3": MissingEntry(NOW, LATER, held_at=LATER),
            },
            counted=DayCount("2026-03-15", 3),
        )
        assert timeline.append([full], after=ORIGIN)
        assert timeline.page(ORIGIN) == full


class TestPrepending:
    def test_adds_pages_and_moves_the_origin(self, timeline: Timeline, planned: list[Page]) -> None:
        past = days(-2, 0)
        assert timeline.prepend(past, before=ORIGIN)
        assert list(timeline.pages(ORIGIN - 2 * DAY)) == past + planned
        assert list(timeline.undone()) == past + planned
        stands = timeline.watermark()
        assert stands == replace(START, origin=ORIGIN - 2 * DAY, planned_through=ORIGIN + 3 * DAY)

    def test_goes_on_from_there(self, timeline: Timeline, planned: list[Page]) -> None:
        assert timeline.prepend(days(-2, 0), before=ORIGIN)
        assert timeline.prepend(days(-5, -2), before=ORIGIN - 2 * DAY)
        assert list(timeline.pages(ORIGIN - 5 * DAY)) == days(-5, 0) + planned

    def test_of_two_plans_one_stands(self, timeline: Timeline, planned: list[Page]) -> None:
        past = days(-2, 0)
        assert timeline.prepend(past, before=ORIGIN)
        assert not timeline.prepend(days(-3, 0, revision="other"), before=ORIGIN)
        assert not timeline.prepend(days(-2, 0, revision="other"), before=ORIGIN)
        assert list(timeline.pages(ORIGIN - 5 * DAY)) == past + planned

    def test_the_same_again_is_a_lost_answer(self, timeline: Timeline, planned: list[Page]) -> None:
        past = days(-2, 0)
        assert timeline.prepend(past, before=ORIGIN)
        assert timeline.prepend(past, before=ORIGIN)
        assert list(timeline.pages(ORIGIN - 5 * DAY)) == past + planned

    def test_never_overwrites_a_page(self, timeline: Timeline, planned: list[Page]) -> None:
        assert not timeline.prepend(days(-1, 1, revision="other"), before=ORIGIN)
        assert list(timeline.pages(ORIGIN - DAY)) == planned

    def test_needs_a_watermark(self, timeline: Timeline) -> None:
        assert not timeline.prepend(days(-1, 0), before=ORIGIN)
        assert list(timeline.pages(ORIGIN - DAY)) == []

    def test_takes_99_and_no_more(self, timeline: Timeline) -> None:
        timeline.begin(START)
        with pytest.raises(ValueError, match="99"):
            timeline.prepend(days(-100, 0), before=ORIGIN)
        assert timeline.prepend(days(-99, 0), before=ORIGIN)
        assert len(list(timeline.pages(ORIGIN - 99 * DAY))) == 99


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


class TestUpdatingSweeps:
    def test_replaces_the_sweep_and_not_the_page(
        self, timeline: Timeline, planned: list[Page]
    ) -> None:
        whole = sweep(planned)
        timeline.commit([ConditionalWrite(None, whole)])
        claimed = replace(whole, revision="claimed", attempts=1, lease_until=NOW)
        assert timeline.update(whole, claimed)
        assert not timeline.update(whole, replace(whole, revision="late"))
        assert list(timeline.sweeps()) == [claimed]
        assert list(timeline.pages(ORIGIN)) == planned

    def test_sweeps_are_marked_as_sent(self, timeline: Timeline, planned: list[Page]) -> None:
        whole = sweep(planned)
        timeline.commit([ConditionalWrite(None, whole)])
        timeline.mark_sent([whole], NOW)
        assert list(timeline.sweeps()) == [replace(whole, sent_at=NOW)]
        assert list(timeline.pages(ORIGIN)) == planned

    def test_what_is_missing_comes_and_goes(self, timeline: Timeline, planned: list[Page]) -> None:
        first = replace(
            planned[0], revision="2", missing={"a": MissingEntry(NOW), "b": MissingEntry(NOW)}
        )
        second = replace(first, revision="3", missing={"b": MissingEntry(NOW, LATER, NOW)})
        third = replace(second, revision="4", missing={})
        for before, after in ((planned[0], first), (first, second), (second, third)):
            assert timeline.update(before, after)
            assert timeline.page(ORIGIN) == after


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

    def test_of_two_splits_one_stands(self, timeline: Timeline, planned: list[Page]) -> None:
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


class TestCommitting:
    """A sweep's life: it reserves pages, and one page takes the place of them all."""

    @pytest.fixture
    def done(self, timeline: Timeline) -> list[Page]:
        timeline.begin(START)
        pages = [replace(page, state=PageState.DONE) for page in days(0, 3)]
        assert timeline.append(pages, after=ORIGIN)
        return pages

    @staticmethod
    def merging(pages: list[Page], whole: Page, revision: str = "merged") -> list[ConditionalWrite]:
        merged = replace(
            whole, kind=WorkKind.PAGE, state=PageState.DONE, revision=revision, index_key="k"
        )
        first, *rest = pages
        return [
            ConditionalWrite(first, merged),
            *(ConditionalWrite(page, None) for page in rest),
            ConditionalWrite(whole, None),
        ]

    def test_reserves(self, timeline: Timeline, done: list[Page]) -> None:
        whole = sweep(done)
        assert timeline.commit(reserving(done, whole, revision="r2"))
        reserved = [replace(page, reserved_by=whole.name, revision="r2") for page in done]
        assert list(timeline.pages(ORIGIN)) == reserved
        assert list(timeline.sweeps()) == [whole]
        assert list(timeline.undone()) == []

    def test_of_two_that_reserve_one_does(self, timeline: Timeline, done: list[Page]) -> None:
        first, second = sweep(done[:2], "first"), sweep(done[1:], "second")
        assert timeline.commit(reserving(done[:2], first, revision="r2"))
        assert not timeline.commit(reserving(done[1:], second, revision="r3"))
        assert list(timeline.sweeps()) == [first]
        assert timeline.page(done[2].window.start) == done[2]

    def test_two_do_not_begin_one_sweep(self, timeline: Timeline, done: list[Page]) -> None:
        assert timeline.commit([ConditionalWrite(None, sweep(done, "first"))])
        assert not timeline.commit([ConditionalWrite(None, sweep(done, "second"))])
        assert list(timeline.sweeps()) == [sweep(done, "first")]

    def test_merges(self, timeline: Timeline, done: list[Page]) -> None:
        whole = sweep(done)
        timeline.commit(reserving(done, whole, revision="r2"))
        writes = self.merging(list(timeline.pages(ORIGIN)), whole)
        assert timeline.commit(writes)
        assert list(timeline.pages(ORIGIN)) == [writes[0].after]
        assert list(timeline.sweeps()) == []
        assert list(timeline.undone()) == []

    @pytest.mark.parametrize("written", [0, 2, "sweep"])
    def test_all_or_nothing(self, timeline: Timeline, done: list[Page], written: int | str) -> None:
        whole = sweep(done)
        timeline.commit(reserving(done, whole, revision="r2"))
        reserved = list(timeline.pages(ORIGIN))
        item = reserved[written] if isinstance(written, int) else whole
        assert timeline.update(item, replace(item, revision="another's", attempts=9))
        before = list(timeline.pages(ORIGIN)), list(timeline.sweeps())
        assert not timeline.commit(self.merging(reserved, whole))
        assert (list(timeline.pages(ORIGIN)), list(timeline.sweeps())) == before

    def test_a_page_that_is_gone_cannot_be_removed(
        self, timeline: Timeline, done: list[Page]
    ) -> None:
        low, high = sweep(done[1:2]), sweep(done[2:])
        timeline.commit([ConditionalWrite(None, low)])
        assert not timeline.commit(
            [ConditionalWrite(low, replace(low, revision="2")), ConditionalWrite(high, None)]
        )
        assert list(timeline.sweeps()) == [low]

    def test_the_same_again_is_a_lost_answer(self, timeline: Timeline, done: list[Page]) -> None:
        whole = sweep(done)
        for _ in range(2):
            assert timeline.commit(reserving(done, whole, revision="r2"))
        writes = self.merging(list(timeline.pages(ORIGIN)), whole)
        for _ in range(2):
            assert timeline.commit(writes)
        assert list(timeline.pages(ORIGIN)) == [writes[0].after]

    def test_of_two_that_merge_one_does(self, timeline: Timeline, done: list[Page]) -> None:
        whole = sweep(done)
        timeline.commit(reserving(done, whole, revision="r2"))
        reserved = list(timeline.pages(ORIGIN))
        writes = self.merging(reserved, whole)
        assert timeline.commit(writes)
        assert not timeline.commit(self.merging(reserved, whole, "later"))
        assert list(timeline.pages(ORIGIN)) == [writes[0].after]

    def test_a_late_worker_can_no_longer_write(self, timeline: Timeline, done: list[Page]) -> None:
        whole = sweep(done)
        timeline.commit(reserving(done, whole, revision="r2"))
        reserved = list(timeline.pages(ORIGIN))
        timeline.commit(self.merging(reserved, whole))
        assert not timeline.update(whole, replace(whole, revision="late"))
        assert not timeline.update(reserved[1], replace(reserved[1], revision="late"))
        timeline.mark_sent([whole, reserved[1]], NOW)
        assert len(list(timeline.pages(ORIGIN))) == 1
        assert list(timeline.sweeps()) == []

    def test_divides_a_sweep(self, timeline: Timeline, done: list[Page]) -> None:
        whole = sweep(done)
        timeline.commit(reserving(done, whole, revision="r2"))
        reserved = list(timeline.pages(ORIGIN))
        low, high = (
            replace(sweep(pages, "divided"), generation=whole.generation + 1)
            for pages in (reserved[:1], reserved[1:])
        )
        assert timeline.commit(
            [
                *reserving(reserved[:1], low, revision="r3", instead_of=whole),
                *reserving(reserved[1:], high, revision="r3"),
            ]
        )
        assert list(timeline.sweeps()) == [low, high]
        names = [page.reserved_by for page in timeline.pages(ORIGIN)]
        assert names == [low.name, high.name, high.name]

    def test_takes_100_and_no_more(self, timeline: Timeline) -> None:
        timeline.begin(START)
        missing = {f"{number:024x}": MissingEntry(NOW) for number in range(10)}
        pages = [replace(page, state=PageState.DONE, missing=missing) for page in days(0, 99)]
        assert timeline.append(pages, after=ORIGIN)
        whole = sweep(pages)
        with pytest.raises(ValueError, match="100"):
            timeline.commit(
                [*reserving(pages, whole, revision="r2"), ConditionalWrite(None, whole)]
            )
        assert timeline.commit(reserving(pages, whole, revision="r2"))
        assert timeline.commit(self.merging(list(timeline.pages(ORIGIN)), whole))
        assert len(list(timeline.pages(ORIGIN))) == 1

    def test_a_page_with_everything_missing_still_fits(
        self, timeline: Timeline, done: list[Page]
    ) -> None:
        missing = {f"{number:024x}": MissingEntry(NOW) for number in range(8000)}
        emptied = replace(done[0], revision="2", missing=missing)
        assert timeline.commit([ConditionalWrite(done[0], emptied)])
        assert timeline.page(ORIGIN) == emptied

    def test_the_first_write_must_leave_an_item(self, timeline: Timeline, done: list[Page]) -> None:
        for writes in ([], [ConditionalWrite(done[0], None)]):
            with pytest.raises(ValueError, match="write"):
                timeline.commit(writes)
        assert list(timeline.pages(ORIGIN)) == done


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


class TestAsks:
    INSTANTS = (
        ORIGIN,
        ORIGIN + timedelta(milliseconds=5),
        ORIGIN + timedelta(milliseconds=500),
        ORIGIN + timedelta(seconds=1),
        ORIGIN + DAY - timedelta(microseconds=1),
        ORIGIN + DAY,
    )

    def test_are_kept_in_order(self, timeline: Timeline) -> None:
        sweep_requests = [SweepRequest(at, NOW) for at in self.INSTANTS]
        for request in reversed(sweep_requests):
            timeline.request_sweep(request)
        assert list(timeline.sweep_requests()) == sweep_requests

    def test_those_of_a_window(self, timeline: Timeline) -> None:
        sweep_requests = [SweepRequest(at, NOW, "64b7f0c2a1") for at in self.INSTANTS]
        for request in sweep_requests:
            timeline.request_sweep(request)
        assert list(timeline.sweep_requests(Window(ORIGIN, ORIGIN + DAY))) == sweep_requests[:-1]
        second = Window(ORIGIN + timedelta(seconds=1), ORIGIN + timedelta(seconds=2))
        assert list(timeline.sweep_requests(second)) == [sweep_requests[3]]
        assert list(timeline.sweep_requests(Window(ORIGIN + DAY, ORIGIN + 2 * DAY))) == [
            sweep_requests[-1]
        ]

    def test_keep_everything(self, timeline: Timeline) -> None:
        request = SweepRequest(LATER, NOW, "安" * 256, stored_after=NOW)
        timeline.request_sweep(request)
        assert list(timeline.sweep_requests()) == [request]

    def test_one_for_each_entry(self, timeline: Timeline) -> None:
        sweep_requests = [
            SweepRequest(ORIGIN, NOW, entry_id) for entry_id in ("", "a", "b", "a#b/")
        ]
        for request in sweep_requests:
            timeline.request_sweep(request)
        assert sorted(timeline.sweep_requests(), key=lambda one: one.entry_id) == sorted(
            sweep_requests, key=lambda one: one.entry_id
        )
        timeline.drop_sweep_request(sweep_requests[1])
        assert {request.entry_id for request in timeline.sweep_requests()} == {"", "b", "a#b/"}

    def test_asking_again_renews(self, timeline: Timeline) -> None:
        timeline.request_sweep(SweepRequest(ORIGIN, NOW, "a"))
        timeline.request_sweep(SweepRequest(ORIGIN, LATER, "a", stored_after=NOW))
        assert list(timeline.sweep_requests()) == [
            SweepRequest(ORIGIN, LATER, "a", stored_after=NOW)
        ]

    @pytest.mark.parametrize(
        "renewed",
        [SweepRequest(ORIGIN, LATER), SweepRequest(ORIGIN, NOW, stored_after=NOW)],
        ids=["later", "for another reason"],
    )
    def test_a_renewed_one_is_not_forgotten(
        self, timeline: Timeline, renewed: SweepRequest
    ) -> None:
        for read, renewal in (
            (SweepRequest(ORIGIN, NOW), renewed),
            (renewed, SweepRequest(ORIGIN, NOW)),
        ):
            timeline.request_sweep(read)
            timeline.request_sweep(renewal)
            timeline.drop_sweep_request(read)
            assert list(timeline.sweep_requests()) == [renewal]

    def test_one_that_is_gone_needs_no_forgetting(self, timeline: Timeline) -> None:
        timeline.drop_sweep_request(SweepRequest(ORIGIN, NOW))
        assert list(timeline.sweep_requests()) == []

    def test_are_forgotten_while_they_are_read(self, timeline: Timeline) -> None:
        for at in self.INSTANTS:
            timeline.request_sweep(SweepRequest(at, NOW))
        for request in timeline.sweep_requests():
            timeline.drop_sweep_request(request)
        assert list(timeline.sweep_requests()) == []


class TestRequests:
    SWEEP = Job("sweep:1", JobKind.SWEEP, ORIGIN, ORIGIN + DAY, ORIGIN, NOW, "asked")
    FULL = Job(
        name="replay:2026@arn:aws:sqs:eu-west-2:123456789012:again",
        kind=JobKind.REPLAY,
        start=ORIGIN,
        end=ORIGIN + DAY,
        cursor=ORIGIN + timedelta(hours=3),
        requested_at=NOW,
        revision="asked",
        queue_arn="arn:aws:sqs:eu-west-2:123456789012:again",
        sent_at=NOW,
        lease_until=LATER,
        attempts=3,
        error="the service answered 500",
    )

    def test_are_kept_whole_and_by_name(self, timeline: Timeline) -> None:
        for job in (self.SWEEP, self.FULL):
            timeline.add_job(job)
        assert list(timeline.jobs()) == [self.FULL, self.SWEEP]

    @pytest.mark.parametrize("length", [1, 512])
    def test_names_of_any_length(self, timeline: Timeline, length: int) -> None:
        job = replace(self.SWEEP, name="n" * length)
        timeline.add_job(job)
        timeline.mark_job_sent(job, LATER)
        assert list(timeline.jobs()) == [replace(job, sent_at=LATER)]

    def test_asking_again_changes_nothing(self, timeline: Timeline) -> None:
        timeline.add_job(self.SWEEP)
        timeline.add_job(replace(self.SWEEP, revision="again", cursor=ORIGIN + DAY))
        assert list(timeline.jobs()) == [self.SWEEP]

    def test_go_on(self, timeline: Timeline) -> None:
        timeline.add_job(self.FULL)
        further = replace(
            self.FULL, cursor=ORIGIN + DAY, revision="2", lease_until=None, error=None
        )
        assert timeline.update_job(self.FULL, further)
        assert list(timeline.jobs()) == [further]

    def test_of_two_that_go_on_one_does(self, timeline: Timeline) -> None:
        timeline.add_job(self.SWEEP)
        first, second = (replace(self.SWEEP, revision=name, attempts=1) for name in ("1", "2"))
        assert timeline.update_job(self.SWEEP, first)
        assert not timeline.update_job(self.SWEEP, second)
        assert not timeline.update_job(self.SWEEP, None)
        assert list(timeline.jobs()) == [first]

    def test_the_same_again_is_a_lost_answer(self, timeline: Timeline) -> None:
        timeline.add_job(self.SWEEP)
        further = replace(self.SWEEP, revision="2", cursor=ORIGIN + DAY)
        for _ in range(2):
            assert timeline.update_job(self.SWEEP, further)
        assert list(timeline.jobs()) == [further]

    def test_end(self, timeline: Timeline) -> None:
        timeline.add_job(self.SWEEP)
        timeline.add_job(self.FULL)
        assert timeline.update_job(self.SWEEP, None)
        assert list(timeline.jobs()) == [self.FULL]

    def test_what_has_ended_does_not_go_on(self, timeline: Timeline) -> None:
        timeline.add_job(self.SWEEP)
        timeline.update_job(self.SWEEP, None)
        assert not timeline.update_job(self.SWEEP, replace(self.SWEEP, revision="2"))
        assert not timeline.update_job(self.SWEEP, None)
        timeline.mark_job_sent(self.SWEEP, NOW)
        assert list(timeline.jobs()) == []

    def test_sending_is_no_write_that_a_worker_loses_to(self, timeline: Timeline) -> None:
        timeline.add_job(self.SWEEP)
        timeline.mark_job_sent(self.SWEEP, NOW)
        further = replace(self.SWEEP, revision="2", cursor=ORIGIN + DAY)
        assert timeline.update_job(self.SWEEP, further)
        assert list(timeline.jobs()) == [replace(further, sent_at=NOW)]


class TestRefusals:
    WINDOW = Window(ORIGIN, ORIGIN + DAY)

    def test_are_recorded_once(self, timeline: Timeline) -> None:
        first = Refusal(self.WINDOW, "64b7f0c2a1", "too large", NOW)
        # Only the length of an ID is bounded, in characters.
        second = replace(first, entry_id="安" * 256)
        for refusal in (first, second, replace(first, since=LATER, error="once more")):
            timeline.record_refusal(refusal)
        assert sorted(timeline.refusals(), key=lambda refusal: refusal.entry_id) == [first, second]

    def test_are_no_pages(self, timeline: Timeline, planned: list[Page]) -> None:
        timeline.record_refusal(Refusal(self.WINDOW, "64b7f0c2a1", "too large", NOW))
        assert list(timeline.pages(ORIGIN)) == planned
        assert list(timeline.undone()) == planned


def test_tenants_do_not_see_each_other(request: pytest.FixtureRequest) -> None:
    account = request.getfixturevalue("account")
    ours, theirs = (
        DynamoDbTimeline(account.dynamodb, TABLE, tenant) for tenant in (TENANT, TENANT + "x")
    )
    theirs.begin(START)
    theirs.append(days(0, 2), after=ORIGIN)
    theirs.record_refusal(Refusal(Window(ORIGIN, ORIGIN + DAY), "id", "e", NOW))
    theirs.commit([ConditionalWrite(None, sweep(days(0, 2)))])
    theirs.request_sweep(SweepRequest(ORIGIN, NOW))
    theirs.add_job(TestRequests.SWEEP)
    theirs.update_breaker(BreakerChange(None, Breaker("1")))
    assert ours.watermark() is None
    assert ours.page_at(ORIGIN) is None
    assert ours.breaker() is None
    assert [*ours.pages(ORIGIN), *ours.pages_before(LATER), *ours.undone()] == []
    assert [*ours.sweeps(), *ours.sweep_requests(), *ours.jobs(), *ours.refusals()] == []
