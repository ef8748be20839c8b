"""What planner and worker rely on when they write their plan and their states."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cpd_exporter.adapters.dynamodb import DynamoDbTimeline
from cpd_exporter.model.timeline import Page, Refusal, State, Tick, Watermark
from cpd_exporter.model.windows import Window
from cpd_exporter.ports import Timeline
from tests.contracts.account import TABLE
from tests.fakes import FakeTimeline

TENANT = "eu-west-2_AbcdEfghI"
ORIGIN = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
# Clocks have microseconds, and none may be lost: the core compares what it wrote and what it read.
NOW = datetime(2026, 3, 15, 12, 0, 0, 123456, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
START = Watermark("epoch", ORIGIN, ORIGIN, ORIGIN, ORIGIN)


@pytest.fixture(params=["in memory", "DynamoDB"])
def timeline(request: pytest.FixtureRequest) -> Timeline:
    if request.param == "in memory":
        return FakeTimeline(TENANT)
    account = request.getfixturevalue("account")
    return DynamoDbTimeline(account.dynamodb, TABLE, TENANT)


def days(first: int, end: int, *, revision: str = "planned") -> list[Page]:
    return [
        Page(Window(ORIGIN + day * DAY, ORIGIN + (day + 1) * DAY), 1, "epoch", revision)
        for day in range(first, end)
    ]


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
        assert timeline.begin(replace(START, epoch="another")) == START
        assert timeline.watermark() == START

    def test_advances_from_where_it_stands(self, timeline: Timeline) -> None:
        timeline.begin(START)
        assert timeline.advance(before=ORIGIN, through=ORIGIN + DAY)
        assert timeline.watermark() == replace(START, exported_through=ORIGIN + DAY)

    def test_does_not_advance_from_elsewhere(self, timeline: Timeline) -> None:
        timeline.begin(START)
        timeline.advance(before=ORIGIN, through=ORIGIN + 2 * DAY)
        assert not timeline.advance(before=ORIGIN, through=ORIGIN + DAY)
        assert timeline.watermark() == replace(START, exported_through=ORIGIN + 2 * DAY)

    def test_an_advance_whose_answer_was_lost_is_one(self, timeline: Timeline) -> None:
        timeline.begin(START)
        timeline.advance(before=ORIGIN, through=ORIGIN + DAY)
        assert timeline.advance(before=ORIGIN, through=ORIGIN + DAY)

    def test_does_not_advance_where_there_is_none(self, timeline: Timeline) -> None:
        assert not timeline.advance(before=ORIGIN, through=ORIGIN + DAY)

    @pytest.mark.parametrize("error", [None, "the secret is empty"])
    def test_notes_ticks_and_proofs(self, timeline: Timeline, error: str | None) -> None:
        timeline.begin(START)
        timeline.prove(NOW)
        timeline.note_tick(Tick(NOW, "an earlier error"))
        timeline.note_tick(Tick(LATER, error))
        assert timeline.watermark() == replace(START, proven_at=NOW, last_tick=Tick(LATER, error))

    def test_notes_do_not_make_one(self, timeline: Timeline) -> None:
        timeline.prove(NOW)
        timeline.note_tick(Tick(NOW))
        assert timeline.watermark() is None


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
            epoch="epoch",
            revision="r",
            state=State.STORED,
            object="entries/größe.jsonl.gz",
            entries=1000,
            quarantined=3,
            attempts=2,
            error="the service answered 500",
            hole_since=NOW,
            sent_at=LATER,
            lease_until=NOW + DAY,
            updated_at=LATER,
        )
        assert timeline.append([full], after=ORIGIN)
        assert timeline.page(ORIGIN) == full


class TestReading:
    def test_one_page(self, timeline: Timeline, planned: list[Page]) -> None:
        assert timeline.page(ORIGIN + DAY) == planned[1]
        assert timeline.page(ORIGIN + timedelta(hours=1)) is None

    def test_pages_from_a_start_on(self, timeline: Timeline, planned: list[Page]) -> None:
        assert list(timeline.pages(ORIGIN + DAY)) == planned[1:]
        assert list(timeline.pages(ORIGIN + 3 * DAY)) == []

    def test_in_order_of_time(self, timeline: Timeline) -> None:
        timeline.begin(START)
        hours = [Page(window, 1, "epoch", "r") for window in Window(ORIGIN, ORIGIN + DAY).cut(24)]
        assert timeline.append(hours, after=ORIGIN)
        assert list(timeline.pages(ORIGIN)) == hours
        assert list(timeline.undone()) == hours

    def test_undone_is_what_is_not_done(self, timeline: Timeline, planned: list[Page]) -> None:
        done = replace(planned[1], state=State.DONE, revision="done")
        assert timeline.update(planned[1], done)
        assert list(timeline.undone()) == [planned[0], planned[2]]
        assert list(timeline.pages(ORIGIN)) == [planned[0], done, planned[2]]

    def test_a_page_that_begins_done_is_never_undone(self, timeline: Timeline) -> None:
        timeline.begin(START)
        empty, full = days(0, 2)
        assert timeline.append([replace(empty, state=State.DONE), full], after=ORIGIN)
        assert list(timeline.undone()) == [full]

    def test_more_than_one_response_of_a_store_holds(self, timeline: Timeline) -> None:
        timeline.begin(START)
        large = [replace(page, error="e" * 15_000) for page in days(0, 99)]
        assert timeline.append(large, after=ORIGIN)
        assert list(timeline.pages(ORIGIN)) == large
        assert list(timeline.undone()) == large


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

    def test_does_not_make_a_page(self, timeline: Timeline) -> None:
        page = days(0, 1)[0]
        assert not timeline.update(page, replace(page, revision="changed"))
        assert timeline.page(ORIGIN) is None

    def test_done_ends_being_undone_and_no_other_state_does(
        self, timeline: Timeline, planned: list[Page]
    ) -> None:
        page = planned[0]
        for state in (State.WRITING, State.STORED):
            changed = replace(page, state=state, revision=state.value)
            assert timeline.update(page, changed)
            assert list(timeline.undone()) == [changed, *planned[1:]]
            page = changed
        assert timeline.update(page, replace(page, state=State.DONE, revision="end"))
        assert list(timeline.undone()) == planned[1:]


class TestSplitting:
    @staticmethod
    def parts(page: Page, count: int, revision: str = "split") -> list[Page]:
        return [
            Page(window, page.generation + 1, "epoch", revision, attempts=4)
            for window in page.window.cut(count)
        ]

    def test_replaces_a_page_by_its_parts(self, timeline: Timeline, planned: list[Page]) -> None:
        parts = self.parts(planned[1], 16)
        assert timeline.split(planned[1], parts)
        tiled = [planned[0], *parts, planned[2]]
        assert list(timeline.pages(ORIGIN)) == tiled
        assert list(timeline.undone()) == tiled

    def test_nothing_of_the_page_is_left(self, timeline: Timeline, planned: list[Page]) -> None:
        timeline.mark_sent(planned[:1], NOW)
        claimed = replace(planned[0], revision="claimed", lease_until=NOW, error="e", attempts=1)
        timeline.update(planned[0], claimed)
        parts = self.parts(planned[0], 2)
        assert timeline.split(claimed, parts)
        assert timeline.page(ORIGIN) == parts[0]

    def test_not_if_somebody_wrote(self, timeline: Timeline, planned: list[Page]) -> None:
        claimed = replace(planned[0], revision="claimed")
        timeline.update(planned[0], claimed)
        assert not timeline.split(planned[0], self.parts(planned[0], 2))
        assert list(timeline.pages(ORIGIN)) == [claimed, *planned[1:]]

    def test_of_two_splits_one_stands(self, timeline: Timeline, planned: list[Page]) -> None:
        parts = self.parts(planned[0], 2)
        assert timeline.split(planned[0], parts)
        assert not timeline.split(planned[0], self.parts(planned[0], 3, revision="other"))
        assert list(timeline.pages(ORIGIN)) == [*parts, *planned[1:]]

    def test_the_same_again_is_a_lost_answer(self, timeline: Timeline, planned: list[Page]) -> None:
        parts = self.parts(planned[0], 2)
        assert timeline.split(planned[0], parts)
        assert timeline.split(planned[0], parts)
        assert list(timeline.pages(ORIGIN)) == [*parts, *planned[1:]]

    def test_the_old_page_can_no_longer_be_written(
        self, timeline: Timeline, planned: list[Page]
    ) -> None:
        parts = self.parts(planned[0], 2)
        timeline.split(planned[0], parts)
        assert not timeline.update(planned[0], replace(planned[0], revision="late"))
        assert timeline.page(ORIGIN) == parts[0]

    def test_makes_up_to_99_parts(self, timeline: Timeline, planned: list[Page]) -> None:
        with pytest.raises(ValueError, match="99"):
            timeline.split(planned[0], self.parts(planned[0], 100))
        assert timeline.split(planned[0], self.parts(planned[0], 99))
        assert len(list(timeline.pages(ORIGIN))) == 99 + 2

    def test_keeps_a_mark_of_sending_that_a_part_has(
        self, timeline: Timeline, planned: list[Page]
    ) -> None:
        parts = [replace(part, sent_at=NOW) for part in self.parts(planned[0], 2)]
        assert timeline.split(planned[0], parts)
        assert list(timeline.pages(ORIGIN)) == [*parts, *planned[1:]]


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
        parts = TestSplitting.parts(planned[0], 2)
        timeline.split(planned[0], parts)
        timeline.mark_sent([planned[0], *days(7, 8)], NOW)
        assert list(timeline.pages(ORIGIN)) == [*parts, *planned[1:]]

    def test_any_number(self, timeline: Timeline) -> None:
        timeline.begin(START)
        pages = days(0, 60)
        timeline.append(pages, after=ORIGIN)
        timeline.mark_sent([], NOW)
        timeline.mark_sent(pages, NOW)
        assert {page.sent_at for page in timeline.pages(ORIGIN)} == {NOW}


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
    assert ours.watermark() is None
    assert [*ours.pages(ORIGIN), *ours.undone(), *ours.refusals()] == []
