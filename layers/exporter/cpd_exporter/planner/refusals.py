"""The refused events that wait to be published again."""

from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from cpd_exporter.ports import RefusalStore

MAX_COUNTED_REFUSALS = 5000
"""Refusals that a tick or a status reads, so that its time is bounded."""


@dataclass(frozen=True, slots=True)
class RefusalSummary:
    """How many events are refused, since when, and whether one of them is due."""

    count: int
    oldest: datetime | None
    is_due: bool


def read_refusals(timeline: RefusalStore, now: datetime) -> RefusalSummary:
    """Sum up at most ``MAX_COUNTED_REFUSALS`` refusals."""
    refusals = list(islice(timeline.refusals(), MAX_COUNTED_REFUSALS))
    return RefusalSummary(
        count=len(refusals),
        oldest=min((one.since for one in refusals), default=None),
        is_due=any(one.due(now) for one in refusals),
    )
