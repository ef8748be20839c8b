"""How the watermark begins, and moves with what is planned."""

from dataclasses import replace
from typing import Any

import pytest

from cpd_exporter.adapters.aws.timeline import DynamoDbTimeline
from cpd_exporter.model.breaker import Breaker, BreakerChange, DayCount
from cpd_exporter.model.garbage import IndexGarbage
from cpd_exporter.model.job import Job, JobKind
from cpd_exporter.model.page import (
    ConditionalWrite,
    MissingEntry,
    Page,
    PageState,
)
from cpd_exporter.model.refusal import Refusal
from cpd_exporter.model.sweep_request import SweepRequest
from cpd_exporter.model.watermark import FilterWarning, Tick
from cpd_exporter.model.window import Window
from cpd_exporter.ports import Timeline
from tests.contracts.account import TABLE
from tests.support.timelines import DAY, LATER, NOW, ORIGIN, START, TENANT, days, sweep


class TestWatermark:
    def test_there_is_none_at_first(self, timeline: Timeline) -> None:
        assert timeline.watermark() is None

    def test_begins_once(self, timeline: Timeline) -> None:
        assert timeline.begin(START) == START
        assert timeline.begin(replace(START, timeline_id="another")) == START
        assert timeline.watermark() == START

    @pytest.mark.parametrize(
        ("member", "there", "beyond"),
        [
            ("exported_through", ORIGIN + DAY, ORIGIN + 2 * DAY),
            ("exported_from", ORIGIN - DAY, ORIGIN - 2 * DAY),
            ("filter_checked_at", NOW, LATER),
            ("last_tick", Tick(NOW), Tick(LATER, "the secret is empty")),
            ("filter_time_zone", "UTC", "Europe/London"),
            (
                "filter_warning",
                FilterWarning(NOW, "timed out"),
                FilterWarning(LATER, "not listed", contradicts=True),
            ),
            ("api_notice", "deprecated", "gone"),
            ("api_notice", "deprecated", None),
            ("filter_warning", FilterWarning(NOW, "timed out"), None),
        ],
    )
    class TestUpdate:
        def test_moves_from_where_it_is(
            self, timeline: Timeline, member: str, there: Any, beyond: Any
        ) -> None:
            timeline.begin(START)
            for before, after in ((None, there), (there, beyond)):
                was = replace(START, **{member: before}) if before else START
                becomes = replace(START, **{member: after})
                assert timeline.update_watermark(was, becomes)
                assert timeline.watermark() == becomes

        def test_does_not_move_from_beyond(
            self, timeline: Timeline, member: str, there: Any, beyond: Any
        ) -> None:
            timeline.begin(START)
            if beyond is None:
                return
            timeline.update_watermark(START, replace(START, **{member: beyond}))
            assert not timeline.update_watermark(START, replace(START, **{member: there}))
            assert timeline.watermark() == replace(START, **{member: beyond})

        def test_a_move_whose_answer_was_lost_is_one(
            self, timeline: Timeline, member: str, there: Any, beyond: Any
        ) -> None:
            timeline.begin(START)
            for _ in range(2):
                assert timeline.update_watermark(START, replace(START, **{member: there}))
            assert beyond != there

        def test_leaves_all_else_as_it_is(
            self, timeline: Timeline, member: str, there: Any, beyond: Any
        ) -> None:
            timeline.begin(START)
            timeline.append(days(0, 3), after=ORIGIN)
            timeline.update_watermark(START, replace(START, **{member: there}))
            moved = replace(START, planned_through=ORIGIN + 3 * DAY, **{member: there})
            assert timeline.watermark() == moved
            assert beyond != there

        def test_moves_nothing_where_there_is_none(
            self, timeline: Timeline, member: str, there: Any, beyond: Any
        ) -> None:
            assert not timeline.update_watermark(START, replace(START, **{member: there}))
            assert timeline.watermark() is None
            assert beyond != there


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

    def test_of_two_plans_one_stays(self, timeline: Timeline, planned: list[Page]) -> None:
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
                "64b7f0c2a2": MissingEntry(NOW),
                "größe #/.": MissingEntry(LATER, held_at=NOW),
                "64b7f0c2a3": MissingEntry(NOW, held_at=LATER),
                "64b7f0c2a4": MissingEntry(NOW, is_present=True),
                "64b7f0c2a5": MissingEntry(NOW, held_at=NOW, moved_to=LATER),
                "64b7f0c2a6": MissingEntry(NOW, is_gone=True, moved_to=LATER),
                "64b7f0c2a7": MissingEntry(NOW, failed_at=LATER),
            },
            deletions_counted=DayCount("2026-03-15", 3),
            published=3000,
            reading_key="readings/one",
            reading_since=NOW,
        )
        assert timeline.append([full], after=ORIGIN)
        assert timeline.page(ORIGIN) == full


class TestPrepending:
    def test_adds_pages_and_moves_the_origin(self, timeline: Timeline, planned: list[Page]) -> None:
        past = days(-2, 0)
        assert timeline.prepend(past, before=ORIGIN)
        assert list(timeline.pages(ORIGIN - 2 * DAY)) == past + planned
        assert list(timeline.undone()) == past + planned
        watermark = timeline.watermark()
        assert watermark == replace(
            START, origin=ORIGIN - 2 * DAY, planned_through=ORIGIN + 3 * DAY
        )

    def test_goes_on_from_there(self, timeline: Timeline, planned: list[Page]) -> None:
        assert timeline.prepend(days(-2, 0), before=ORIGIN)
        assert timeline.prepend(days(-5, -2), before=ORIGIN - 2 * DAY)
        assert list(timeline.pages(ORIGIN - 5 * DAY)) == days(-5, 0) + planned

    def test_of_two_plans_one_stays(self, timeline: Timeline, planned: list[Page]) -> None:
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


def test_tenants_do_not_see_each_other(request: pytest.FixtureRequest) -> None:
    account = request.getfixturevalue("account")
    ours, theirs = (
        DynamoDbTimeline(account.dynamodb, TABLE, tenant) for tenant in (TENANT, TENANT + "x")
    )
    theirs.begin(START)
    theirs.append(days(0, 2), after=ORIGIN)
    theirs.record_refusal(Refusal(Window(ORIGIN, ORIGIN + DAY), "id", "e", NOW, "entries/a"))
    theirs.commit([ConditionalWrite(None, sweep(days(0, 2)))])
    theirs.request_sweep(SweepRequest(ORIGIN, NOW))
    theirs.add_job(Job("sweep:1", JobKind.SWEEP, ORIGIN, ORIGIN + DAY, ORIGIN, NOW, "asked"))
    theirs.update_breaker(BreakerChange(None, Breaker("1")))
    theirs.note_garbage(IndexGarbage("a", NOW, {}))
    assert ours.watermark() is None
    assert ours.page_at(ORIGIN) is None
    assert ours.breaker() is None
    assert list(ours.garbage(LATER)) == []
    assert [*ours.pages(ORIGIN), *ours.pages_before(LATER), *ours.undone()] == []
    assert [*ours.sweeps(), *ours.sweep_requests(), *ours.jobs(), *ours.refusals()] == []
