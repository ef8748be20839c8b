"""A whole world in memory: the real planner and worker over fakes, with a clock that is set."""

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cpd_exporter.claiming import Effort
from cpd_exporter.commanding import Commander
from cpd_exporter.cutting import Cutting
from cpd_exporter.errors import ExporterError
from cpd_exporter.model import rows
from cpd_exporter.model.messages import Message, read_command
from cpd_exporter.model.rows import Row
from cpd_exporter.model.timeline import Page, Patience, State
from cpd_exporter.planning import Plan, Planner, TickReport
from cpd_exporter.working import Worker
from local.simulator.behaviour import Behaviour
from local.simulator.simulator import Simulator
from local.simulator.source import EntryStore
from tests.fakes import FakeApi, FakeLake, FakeMailbox, FakeQueue, FakeTimeline, FakeTopic

ORIGIN = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)
TENANT = "eu-west-2_AbcdEfghI"


@dataclass
class World:
    """The stores, the source and the clock; ``planner`` and ``worker`` are made of them anew."""

    store: EntryStore = field(default_factory=EntryStore)
    behaviour: Behaviour = field(default_factory=Behaviour)
    slack: timedelta = timedelta(seconds=1)
    origin: datetime = ORIGIN
    volatile: frozenset[str] = frozenset()
    cutting_target: int = 800
    cutting_floor: timedelta = timedelta(minutes=15)
    deletion_delay: timedelta = timedelta(hours=1)
    seed: int = 1

    def __post_init__(self) -> None:
        self.now = NOW
        self.simulator = Simulator(self.store, self.behaviour, clock=self.clock, seed=self.seed)
        self.api = FakeApi(self.simulator, self.volatile)
        self.timeline = FakeTimeline(TENANT)
        self.queue = FakeQueue()
        self.lake = FakeLake()
        self.topic = FakeTopic()
        self.mailbox = FakeMailbox()
        self.reports: list[TickReport] = []
        self._tokens = random.Random(self.seed)

    def clock(self) -> datetime:
        return self.now

    def new_token(self) -> str:
        return f"{self._tokens.getrandbits(64):016x}"

    @property
    def planner(self) -> Planner:
        plan = Plan(
            origin=self.origin,
            cutting=Cutting(
                slack=self.slack,
                settle=timedelta(seconds=120),
                target=self.cutting_target,
                floor=self.cutting_floor,
            ),
            patience=Patience(in_queue=timedelta(minutes=13)),
        )
        return Planner(self.api, self.timeline, self.queue, self.clock, self.new_token, plan)

    @property
    def worker(self) -> Worker:
        effort = Effort(
            slack=self.slack,
            lease=timedelta(seconds=120),
            deletion_delay=self.deletion_delay,
            volatile=self.volatile,
        )
        return Worker(
            self.api,
            self.timeline,
            self.lake,
            self.topic,
            self.queue,
            self.clock,
            self.new_token,
            effort,
            self.mailbox,
        )

    def command(self, event: object) -> dict[str, Any]:
        commander = Commander(self.api, self.timeline, self.clock, self.new_token)
        return commander.take(read_command(event))

    def drain(self) -> None:
        """Work off the queue; a message whose work fails is lost, so that the planner must act."""
        while self.queue.messages:
            self.work_on(self.queue.messages.pop(0))

    def work_on(self, work: Message) -> None:
        try:
            self.worker.work(work)
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
        stands = self.timeline.watermark()
        return (
            stands is not None
            and stands.exported_through == stands.planned_through
            and stands.exported_from == stands.origin
            and not self.queue.messages
            and not list(self.timeline.sweeps())
            and not list(self.timeline.requests())
            and not list(self.timeline.asks())
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
        """All is in the lake once, as the source has it, told, and in a timeline that tiles."""
        stands = self.timeline.watermark()
        assert stands is not None
        bounds = [self.origin, *(page.window.end for page in self.pages)]
        assert [page.window.start for page in self.pages] == bounds[:-1]
        assert bounds[-1] == stands.planned_through
        assert all(page.state is State.DONE for page in self.pages if page.hole_since is None)
        expected = {
            entry.log_entry_id: entry.value
            for entry in self.store
            if self.origin <= _date(entry.at_ms) < stands.exported_through
        }
        assert Counter(row.entry_id for row in self.rows) == Counter(expected.keys())
        assert {row.entry_id: row.content for row in self.rows} == expected
        told = Counter(event.entry_id for event in self.topic.published)
        assert told.keys() == expected.keys()
        assert len({event.body for event in self.topic.published}) == len(expected)


def _date(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
