"""What every piece of work needs, and what a worker reports of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, timedelta, tzinfo
from enum import StrEnum
from typing import Self

from cpd_exporter.errors import ExporterError
from cpd_exporter.model.local_time import is_divisible
from cpd_exporter.model.page import Page
from cpd_exporter.model.row import Change
from cpd_exporter.ports import (
    Clock,
    EntriesApi,
    Lake,
    NewToken,
    ReplayQueue,
    Topic,
    WorkerTimeline,
)

MAX_LOOKUPS_AT_ONCE = 8
"""Entries that are asked for by ID at the same time."""


class Outcome(StrEnum):
    """How a message ended. Each outcome is a success: the queue may delete the message."""

    DONE = "done"
    SPLIT = "split"
    HOLE = "hole"
    GONE = "gone"
    LEASED = "leased"
    PAUSED = "paused"
    GIVEN_UP = "given up"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, slots=True)
class WorkReport:
    """The result of one message, for logs and metrics.

    ``changes`` counts the published rows by change. ``compared`` counts the entries that a sweep
    compared with the API's listing, ``unjudged`` the missing ones of which it could not find out
    whether they are deleted, ``replayed`` the replayed events. ``differences`` and the lake
    key ``report`` come from a verification. ``unknown`` are the IDs of a refresh that the API does
    not have, or fails over.
    """

    outcome: Outcome
    changes: Mapping[Change, int] = field(default_factory=dict)
    quarantined: int = 0
    compared: int = 0
    unjudged: int = 0
    error: ExporterError | None = None
    replayed: int = 0
    differences: int | None = None
    report: str | None = None
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """How long and how often a worker tries, and how careful it is with deletions.

    A page becomes a hole after ``max_attempts`` claims; each claim lasts for ``lease``. An entry
    counts as deleted once it was missing for ``deletion_delay``; of one day's deletions, at most
    ``max_deletions`` are published without the operator's confirmation. Members in
    ``fingerprint_exclude`` make no new version of an entry. In a minute, a worker looks at most
    ``lookups`` entries up by ID.
    """

    lease: timedelta
    max_attempts: int = 5
    deletion_delay: timedelta = timedelta(hours=1)
    max_deletions: int = 500
    fingerprint_exclude: frozenset[str] = frozenset()
    filter_time_zone: tzinfo = UTC
    lookups: int = 200

    def within(self, seconds_between_calls: float) -> Self:
        """The limits under which work goes on although its calls are so far apart.

        A worker then looks entries up for a minute, well within its lease. Zero leaves all as it
        is.
        """
        if not seconds_between_calls:
            return self
        return replace(self, lookups=max(1, min(self.lookups, int(60 / seconds_between_calls))))

    @property
    def lookups_at_once(self) -> int:
        """How many entries are asked for between two looks at the clock, and by a refresh between
        two writes: a failing one takes some calls.
        """
        return min(MAX_LOOKUPS_AT_ONCE, max(1, self.lookups // 20))

    def may_split(self, page: Page) -> bool:
        """Whether parts of the page's window would take narrower queries."""
        return is_divisible(page.window, self.filter_time_zone)


@dataclass(frozen=True, slots=True)
class WorkerContext:
    """Every port and limit that a worker uses, for one tenant."""

    api: EntriesApi
    timeline: WorkerTimeline
    lake: Lake
    topic: Topic
    clock: Clock
    new_token: NewToken
    limits: WorkerLimits
    replay_queue: ReplayQueue
