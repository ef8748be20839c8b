"""The sweep after a first export: its end is noted once."""

from dataclasses import replace
from datetime import timedelta

from cpd_exporter.model.watermark import FollowUpSweep, Watermark
from cpd_exporter.planner.follow_up import note_first_export
from tests.support.fakes import FakeTimeline
from tests.support.samples import START, TENANT

END = START + timedelta(days=3)
NOW = END + timedelta(minutes=2)
EXPORTED = Watermark("e" * 16, START, END, START, END)


def noted(watermark: Watermark) -> FollowUpSweep | None:
    timeline = FakeTimeline(TENANT)
    timeline.stored_watermark = watermark
    note_first_export(timeline, watermark, NOW)
    return timeline.stored_watermark.follow_up


def test_the_end_of_a_first_export_is_noted() -> None:
    assert noted(EXPORTED) == FollowUpSweep(START, END, NOW)


def test_it_is_noted_once() -> None:
    before = FollowUpSweep(START, START, START, requested_at=START)
    assert noted(replace(EXPORTED, follow_up=before)) == before


def test_an_export_that_is_far_behind_has_not_ended() -> None:
    assert noted(replace(EXPORTED, exported_through=END - timedelta(hours=2))) is None
