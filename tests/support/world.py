"""A whole world in memory: the real planner and worker over fakes, with a clock that is set."""

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from typing import Any

from cpd_exporter.bootstrap import build_planner, build_worker
from cpd_exporter.errors import ExporterError
from cpd_exporter.model import row as rows
from cpd_exporter.model.command import read_command
from cpd_exporter.model.message import Message
from cpd_exporter.model.page import Page, PageState
from cpd_exporter.model.resend_policy import ResendPolicy
from cpd_exporter.model.row import Row
from cpd_exporter.planner.limits import PlannerLimits
from cpd_exporter.planner.planner import Planner
from cpd_exporter.planner.report import TickReport
from cpd_exporter.planner.slicer import SlicePolicy
from cpd_exporter.worker.context import WorkerLimits
from cpd_exporter.worker.worker import Worker
from simulator.behaviour import Behaviour
from simulator.entry_writer import Profile, seeded
from simulator.simulator import Simulator
from simulator.source import EntryStore, StoredEntry
from tests.support.fakes import (
    FakeApi,
    FakeLake,
    FakeQueue,
    FakeReplayQueue,
    FakeTimeline,
    FakeTopic,
)
from tests.support.samples import content_of

ORIGIN = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
TENANT = "eu-west-2_AbcdEfghI"


def entries(
    count: int, *, first: datetime = ORIGIN, end: datetime = NOW - timedelta(days=1), **profile: Any
) -> EntryStore:
    """So many made-up entries, evenly over the time; those of equal profiles are made once."""
    return EntryStore(_made(Profile(first=first, end=end, entries=count, **profile)))


@cache
def _made(profile: Profile) -> tuple[StoredEntry, ...]:
    return tuple(seeded(profile))


@dataclass
class World:
    """The stores, the source and the clock; ``planner`` and ``worker`` are made of them anew."""

    store: EntryStore = field(default_factory=EntryStore)
    behaviour: Behaviour = field(default_factory=Behaviour)
    origin: datetime = ORIGIN
    fingerprint_exclude: frozenset[str] = frozenset()
    slice_target: int = 13_000
    slice_floor: timedelta = timedelta(minutes=15)
    deletion_delay: timedelta = timedelta(hours=1)
    full_sweep: timedelta = timedelta(days=30)
    max_deletions: int = 500
    seed: int = 1
    filter_time_zone: tzinfo = UTC
    in_queue: timedelta = timedelta(minutes=13)

    def __post_init__(self) -> None:
        self.now = NOW
        self.simulator = Simulator(self.store, self.behaviour, clock=self.clock, seed=self.seed)
        self.api = FakeApi(self.simulator, self.fingerprint_exclude, self.filter_time_zone)
        self.timeline = FakeTimeline(TENANT)
        self.queue = FakeQueue()
        self.lake = FakeLake(clock=self.clock)
        self.topic = FakeTopic()
        self.replay_queue = FakeReplayQueue()
        self.reports: list[TickReport] = []
        self._tokens = random.Random(self.seed)

    def clock(self) -> datetime:
        return self.now

    def new_token(self) -> str:
        return f"{self._tokens.getrandbits(64):016x}"

    @property
    def planner(self) -> Planner:
        return build_planner(
            api=self.api,
            timeline=self.timeline,
            queue=self.queue,
            clock=self.clock,
            new_token=self.new_token,
            limits=PlannerLimits(
                origin=self.origin,
                slice_policy=SlicePolicy(
                    settle=timedelta(seconds=120),
                    target=self.slice_target,
                    floor=self.slice_floor,
                ),
                resend_policy=ResendPolicy(in_queue=self.in_queue),
                sweep_capacity=min(self.slice_target, 800),
                full_sweep=self.full_sweep,
                filter_time_zone=self.filter_time_zone,
            ),
            lake=self.lake,
        )

    @property
    def worker(self) -> Worker:
        return build_worker(
            api=self.api,
            timeline=self.timeline,
            lake=self.lake,
            topic=self.topic,
            replay_queue=self.replay_queue,
            clock=self.clock,
            new_token=self.new_token,
            limits=WorkerLimits(
                lease=timedelta(seconds=120),
                deletion_delay=self.deletion_delay,
                max_deletions=self.max_deletions,
                fingerprint_exclude=self.fingerprint_exclude,
                filter_time_zone=self.filter_time_zone,
            ),
        )

    def command(self, event: object) -> dict[str, Any]:
        return self.planner.commands.accept(read_command(event))

    def drain(self) -> None:
        """Work off the queue; a message whose work fails is lost, so that the planner must act."""
        while self.queue.messages:
            self.work_on(self.queue.messages.pop(0))

    def work_on(self, message: Message) -> None:
        try:
            self.worker.handle(message)
        except ExporterError:
            self.now += timedelta(seconds=1)

    def export(self, ticks: int = 60) -> list[TickReport]:
        """Tick and drain until all is at rest; each tick is a quarter of an hour later."""
        self.reports = reports = []
        for _ in range(ticks):
            reports.append(self.planner.tick())
            self.drain()
            if not any(page.hole_since is None for page in self.timeline.undone()):
                reports.append(self.planner.tick())
                if self.at_rest:
                    break
            self.now += timedelta(minutes=15)
        return reports

    @property
    def at_rest(self) -> bool:
        watermark = self.timeline.watermark()
        return (
            watermark is not None
            and watermark.exported_through == watermark.planned_through
            and watermark.exported_from == watermark.origin
            and not self.queue.messages
            and not list(self.timeline.sweeps())
            and not list(self.timeline.jobs())
            and not list(self.timeline.sweep_requests())
        )

    @property
    def pages(self) -> list[Page]:
        return list(self.timeline.pages(self.origin))

    @property
    def rows(self) -> list[Row]:
        """All rows of all lake objects that the timeline knows."""
        return self.rows_of(key for key in self.lake.objects if key.startswith("entries/"))

    def rows_of(self, keys: Iterable[str]) -> list[Row]:
        return [row for key in sorted(keys) for row in rows.decode(self.lake.objects[key])]

    @property
    def quarantined(self) -> list[str]:
        return [key for key in self.lake.objects if key.startswith("quarantine/")]

    def assert_exact(self) -> None:
        """Every entry is once in the lake, as in the source, and published; the timeline tiles."""
        watermark = self.timeline.watermark()
        assert watermark is not None
        bounds = [self.origin, *(page.window.end for page in self.pages)]
        assert [page.window.start for page in self.pages] == bounds[:-1]
        assert bounds[-1] == watermark.planned_through
        assert all(page.state is PageState.DONE for page in self.pages if page.hole_since is None)
        expected = {
            entry.log_entry_id: entry.value
            for entry in self.store
            if self.origin <= _date(entry.at_ms) < watermark.exported_through
        }
        assert Counter(row.entry_id for row in self.rows) == Counter(expected.keys())
        assert {row.entry_id: content_of(row) for row in self.rows} == expected
        published = Counter(event.entry_id for event in self.topic.published)
        assert published.keys() == expected.keys()
        assert len({event.body for event in self.topic.published}) == len(expected)


def _date(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
