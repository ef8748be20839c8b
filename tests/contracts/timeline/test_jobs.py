"""Sweep requests, jobs and refusals."""

from dataclasses import replace
from datetime import timedelta

import pytest

from cpd_exporter.model.job import EndedJob, Job, JobKind, JobOutcome, LookUp
from cpd_exporter.model.page import (
    Page,
)
from cpd_exporter.model.refusal import Refusal
from cpd_exporter.model.sweep_request import SweepRequest
from cpd_exporter.model.window import Window
from cpd_exporter.ports import Timeline
from tests.support.timelines import DAY, LATER, NOW, ORIGIN


class TestSweepRequests:
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
        sweep_requests = [SweepRequest(at, NOW) for at in self.INSTANTS]
        for request in sweep_requests:
            timeline.request_sweep(request)
        assert list(timeline.sweep_requests(Window(ORIGIN, ORIGIN + DAY))) == sweep_requests[:-1]
        second = Window(ORIGIN + timedelta(seconds=1), ORIGIN + timedelta(seconds=2))
        assert list(timeline.sweep_requests(second)) == [sweep_requests[3]]
        assert list(timeline.sweep_requests(Window(ORIGIN + DAY, ORIGIN + 2 * DAY))) == [
            sweep_requests[-1]
        ]

    def test_asking_again_renews(self, timeline: Timeline) -> None:
        timeline.request_sweep(SweepRequest(ORIGIN, NOW))
        timeline.request_sweep(SweepRequest(ORIGIN, LATER))
        assert list(timeline.sweep_requests()) == [SweepRequest(ORIGIN, LATER)]

    def test_a_renewed_one_is_not_dropped(self, timeline: Timeline) -> None:
        renewed = SweepRequest(ORIGIN, LATER)
        for read, renewal in (
            (SweepRequest(ORIGIN, NOW), renewed),
            (renewed, SweepRequest(ORIGIN, NOW)),
        ):
            timeline.request_sweep(read)
            timeline.request_sweep(renewal)
            timeline.drop_sweep_request(read)
            assert list(timeline.sweep_requests()) == [renewal]

    def test_one_that_is_gone_needs_no_dropping(self, timeline: Timeline) -> None:
        timeline.drop_sweep_request(SweepRequest(ORIGIN, NOW))
        assert list(timeline.sweep_requests()) == []

    def test_are_dropped_while_they_are_read(self, timeline: Timeline) -> None:
        for at in self.INSTANTS:
            timeline.request_sweep(SweepRequest(at, NOW))
        for request in timeline.sweep_requests():
            timeline.drop_sweep_request(request)
        assert list(timeline.sweep_requests()) == []


class TestJobs:
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
        entry_ids=("a", "b"),
        position=1,
        attributes={"change": "created"},
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
        assert not timeline.end_job(self.SWEEP, EndedJob.of(self.SWEEP, LATER))
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
        assert timeline.end_job(self.SWEEP, EndedJob.of(self.SWEEP, LATER))
        assert list(timeline.jobs()) == [self.FULL]

    def test_what_has_ended_does_not_go_on(self, timeline: Timeline) -> None:
        timeline.add_job(self.SWEEP)
        timeline.end_job(self.SWEEP, EndedJob.of(self.SWEEP, LATER))
        assert not timeline.update_job(self.SWEEP, replace(self.SWEEP, revision="2"))
        assert not timeline.end_job(self.SWEEP, EndedJob.of(self.SWEEP, LATER))
        timeline.mark_job_sent(self.SWEEP, NOW)
        assert list(timeline.jobs()) == []

    def test_leave_a_trace_at_their_end(self, timeline: Timeline) -> None:
        refresh = replace(
            self.FULL,
            name="refresh:1",
            kind=JobKind.REFRESH,
            entry_ids=("安", "b", "c", "d"),
            found=tuple(LookUp),
            counts={"unknown": 1, "requested": 1},
        )
        timeline.add_job(refresh)
        assert list(timeline.ended_jobs()) == []
        ended = EndedJob.of(refresh, LATER, JobOutcome.GIVEN_UP, report="reports/1", error="why")
        assert timeline.end_job(refresh, ended)
        assert list(timeline.jobs()) == []
        assert list(timeline.ended_jobs()) == [ended]

    def test_the_last_ten_ends_are_kept_the_latest_first(self, timeline: Timeline) -> None:
        for seconds, number in enumerate([*range(12), 5]):
            job = replace(self.SWEEP, name=f"sweep:{number}")
            timeline.add_job(job)
            at = LATER + timedelta(seconds=seconds)
            assert timeline.end_job(job, EndedJob.of(job, at))
        names = [one.name for one in timeline.ended_jobs()]
        assert names == [f"sweep:{number}" for number in (5, 11, 10, 9, 8, 7, 6, 4, 3, 2)]

    def test_one_that_somebody_wrote_leaves_no_trace(self, timeline: Timeline) -> None:
        timeline.add_job(self.SWEEP)
        stale = replace(self.SWEEP, revision="older")
        assert not timeline.end_job(stale, EndedJob.of(stale, LATER))
        assert list(timeline.ended_jobs()) == []
        assert list(timeline.jobs()) == [self.SWEEP]

    def test_go_on_with_what_they_counted_and_found(self, timeline: Timeline) -> None:
        timeline.add_job(self.FULL)
        further = replace(
            self.FULL, revision="2", counts={"replayed": 7}, found=(LookUp.UNKNOWN,), position=1
        )
        assert timeline.update_job(self.FULL, further)
        assert list(timeline.jobs()) == [further]

    def test_sending_is_no_write_that_a_worker_loses_to(self, timeline: Timeline) -> None:
        timeline.add_job(self.SWEEP)
        timeline.mark_job_sent(self.SWEEP, NOW)
        further = replace(self.SWEEP, revision="2", cursor=ORIGIN + DAY)
        assert timeline.update_job(self.SWEEP, further)
        assert list(timeline.jobs()) == [replace(further, sent_at=NOW)]


class TestRefusals:
    WINDOW = Window(ORIGIN, ORIGIN + DAY)

    def test_are_recorded_once(self, timeline: Timeline) -> None:
        first = Refusal(self.WINDOW, "64b7f0c2a1", "too large", NOW, "entries/a")
        # Only the length of an ID is bounded, in characters.
        second = replace(first, entry_id="安" * 256)
        for refusal in (first, second, replace(first, since=LATER, error="once more")):
            timeline.record_refusal(refusal)
        assert sorted(timeline.refusals(), key=lambda refusal: refusal.entry_id) == [first, second]

    def test_are_no_pages(self, timeline: Timeline, planned: list[Page]) -> None:
        timeline.record_refusal(Refusal(self.WINDOW, "64b7f0c2a1", "too large", NOW, "entries/a"))
        assert list(timeline.pages(ORIGIN)) == planned
        assert list(timeline.undone()) == planned
