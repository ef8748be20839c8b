"""One simulated deployment: the real planner and worker in a world in memory, point by point.

Nothing happens here by itself: a schedule starts processes, decides the fate of each of their
calls, loses and repeats messages, moves the clock, and lets others change the source.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any, ClassVar, cast

from cpd_exporter.bootstrap import build_planner, build_worker
from cpd_exporter.errors import MalformedInputError, MalformedResponseError, TransientError
from cpd_exporter.model.breaker import BreakerChange
from cpd_exporter.model.command import read_command
from cpd_exporter.model.entry import Entry, FaultyEntry, Listing
from cpd_exporter.model.message import JobMessage, PageMessage
from cpd_exporter.model.page import ConditionalWrite, Page, PageState, lake_key
from cpd_exporter.model.resend_policy import ResendPolicy
from cpd_exporter.model.window import Window
from cpd_exporter.planner.limits import PlannerLimits
from cpd_exporter.planner.planner import Planner
from cpd_exporter.planner.slicer import SlicePolicy
from cpd_exporter.worker.backoff import is_resent
from cpd_exporter.worker.context import WorkerLimits
from cpd_exporter.worker.worker import Worker
from simulator.simulator import Simulator
from simulator.source import EntryStore
from tests.simulation.alarms import AlarmOracle
from tests.simulation.oracle import Oracle
from tests.simulation.processes import Fate, Port, PortCall, Process
from tests.simulation.scenario import NOW, SETTLE, Scenario
from tests.simulation.source import Source
from tests.simulation.world import Costs, Lie
from tests.support.fakes import (
    FakeApi,
    FakeLake,
    FakeQueue,
    FakeReplayQueue,
    FakeTimeline,
    FakeTopic,
)

TENANT = "eu-west-2_AbcdEfghI"
REPLAY_QUEUE = "arn:aws:sqs:eu-west-2:123456789012:a-subscriber"
VISIBILITY = timedelta(minutes=12)
RESEND_POLICY = ResendPolicy(in_queue=VISIBILITY + timedelta(minutes=1))
RECEIVES = 10
"""As often a message is delivered before it lands in the dead-letter queue."""


@dataclass(slots=True)
class QueuedMessage:
    """A message, and since when it can be received: while it is being worked on, it is hidden."""

    work: PageMessage | JobMessage
    visible: datetime
    receives: int = 0


class Simulation:
    """``trace`` is what happened, in order; ``counts`` counts fates, changes and ends.

    While ``hurried``, jobs are to stop as soon as they can. ``watchers`` get each new
    simulation: to look into the one that a trial makes.
    """

    watchers: ClassVar[list[Callable[["Simulation"], None]]] = []

    def __init__(self, scenario: Scenario, seed: int = 0) -> None:
        self.scenario = scenario
        self.now = NOW
        self.chance = Random(f"simulation {seed}")  # reproducible by intent
        store = EntryStore(scenario.entries)
        simulator = Simulator(store, scenario.behaviour, clock=lambda: self.now, seed=seed)
        self.source = Source(simulator, scenario.faulty, self.chance, scenario.anchors)
        self.api = _SimulatedApi(simulator, scenario)
        self.timeline = _SimulatedTimeline(TENANT, scenario.costs)
        self.queue = FakeQueue()
        self.lake = _SimulatedLake(clock=lambda: self.now)
        self.replay_queue = FakeReplayQueue(REPLAY_QUEUE)
        self.hurried = False
        self.topic = FakeTopic(self._refusal)
        self.oracle = Oracle(scenario, self.source, self.timeline, self.lake, self.topic)
        self.alarms = AlarmOracle(self.timeline)
        self.messages: list[QueuedMessage] = []
        self.processes: list[Process] = []
        self.trace: list[tuple[str, str, str]] = []
        self.counts: Counter[str] = Counter()
        self._started = 0
        self._delivered: dict[Process, QueuedMessage] = {}
        for watcher in self.watchers:
            watcher(self)

    # ── what a schedule can do ───────────────────────────────────────────────────────────────

    def tick(self) -> Process:
        """Start a run of the planner."""

        def run(process: Process) -> Any:
            return self._planner(process).tick()

        return self._start("tick", run)

    def command(self, event: dict[str, Any]) -> Process:
        """Start a run of the planner's function with an operator's command."""

        def run(process: Process) -> Any:
            return self._planner(process).commands.accept(read_command(event))

        return self._start("command", run)

    def deliver(self, message: QueuedMessage, *, skew: timedelta = timedelta(0)) -> Process:
        """Start a worker on a message, which stays in the queue, hidden, until that is done."""
        message.receives += 1
        message.visible = self.now + VISIBILITY

        def run(process: Process) -> Any:
            return self._worker(process).handle(
                message.work, has_time_left=lambda: self._has_time_left(process)
            )

        process = self._start("worker", run, skew)
        self._delivered[process] = message
        self._settle(process)
        return process

    def resume(self, process: Process, fate: Fate = Fate.PROCEED) -> None:
        """Let a process make its call, as ``fate`` has it, and run on to its next one."""
        call = process.call
        assert call is not None
        if not self._pay(process, call):
            fate = Fate.DIE_BEFORE
            self.counts["killed at the time-out"] += 1
        if fate is not Fate.PROCEED:
            self.counts[fate] += 1
        if fate in (Fate.DIE_AFTER, Fate.DIE_BEFORE, Fate.MALFORM):
            self.oracle.outages_only = False
        self.trace.append((process.name, call.name, fate))
        self.counts["points"] += 1
        self.oracle.now = self.now
        process.resume(fate, self.oracle.observe)
        self._settle(process)

    def lose(self, message: QueuedMessage) -> None:
        """A message is gone."""
        self.counts["lost messages"] += 1
        self.messages.remove(message)

    def repeat(self, message: QueuedMessage) -> None:
        """A message comes twice."""
        self.counts["repeated messages"] += 1
        self.messages.append(QueuedMessage(message.work, self.now))

    def lose_timeline(self) -> None:
        """The table is gone, and the timeline with it; lake and queue stay as they are."""
        self.timeline = _SimulatedTimeline(TENANT, self.scenario.costs)
        self.oracle.begin_again(self.timeline)
        self.alarms = AlarmOracle(self.timeline)

    def change_settings(self, **settings: Any) -> None:
        """The operator changes settings; processes under way keep the settings they began with."""
        self.scenario = replace(self.scenario, **settings)
        self.oracle.scenario = self.oracle.sweeps.scenario = self.scenario
        self.api.fingerprint_exclude = self.scenario.fingerprint_exclude
        self.api.scenario = self.scenario

    def finish(self, process: Process) -> None:
        """Let a process run to its end, undisturbed."""
        while process.alive:
            self.resume(process)

    @property
    def receivable(self) -> list[QueuedMessage]:
        """The messages that a worker may be given."""
        return [message for message in self.messages if message.visible <= self.now]

    @property
    def alive(self) -> list[Process]:
        return [process for process in self.processes if process.alive]

    def window_of(self, process: Process) -> Window | None:
        """What a worker works on."""
        message = self._delivered.get(process)
        work = message.work if message else None
        return work.window if isinstance(work, PageMessage) else None

    def window_before(self, end: datetime) -> Window:
        """From the first date to an instant, in whole seconds."""
        return Window(self.scenario.origin, end.replace(microsecond=0))

    @property
    def undone(self) -> list[Page]:
        """The pages that are not done."""
        return [
            page for page in self.timeline.stored_pages.values() if page.state is not PageState.DONE
        ]

    @property
    def worked_off(self) -> bool:
        """Whether no work is left, but to try again what cannot be read for sure."""
        timeline = self.timeline
        waiting = (
            self.messages
            or timeline.stored_sweeps
            or timeline.added_jobs
            or timeline.requested_sweeps
        )
        return not waiting and all(self._may_stay(page) for page in self.undone)

    def rests_after(self, tick: Process) -> bool:
        """Whether there is nothing left to do: this run of the planner found nothing to plan, all
        work is done, and the watermark says so.
        """
        report, watermark = tick.result, self.timeline.stored_watermark
        if report is None or report.planned or report.error or watermark is None:
            return False
        exported = (watermark.exported_from, watermark.exported_through)
        return self.worked_off and exported == (watermark.origin, watermark.planned_through)

    # ── inside ───────────────────────────────────────────────────────────────────────────────

    def _may_stay(self, page: Page) -> bool:
        if page.hole_since is None or not self.scenario.may_stay_holes:
            return False
        if page.state is PageState.WRITING and lake_key(page) in self.lake.objects:
            return False  # its next turn finds the rows that a dead worker stored
        return page.attempts > 6 or not self.scenario.poison

    def _pay(self, process: Process, call: PortCall) -> bool:
        """Let the time of a worker's call pass; returns whether that left the worker alive.

        The topic publishes what it can until the worker is killed.
        """
        costs = self.scenario.costs
        if costs.time_out is None or not process.name.startswith("worker"):
            return True
        deadline = process.started + costs.time_out
        if call.port == "api":
            self.now += costs.call
        if call.name == "topic.publish" and costs.events_per_second:
            [events] = call.args
            in_time = max(0, int((deadline - self.now).total_seconds() * costs.events_per_second))
            if len(events) > in_time:
                self.topic.publish(events[:in_time])
            self.now += timedelta(seconds=len(events) / costs.events_per_second)
        self.now = min(self.now, max(deadline, process.started))
        return self.now < deadline

    def _has_time_left(self, process: Process) -> bool:
        costs = self.scenario.costs
        if costs.time_out is None:
            return not self.hurried
        left = process.started + costs.time_out - self.now
        return left > costs.reserve and not self.hurried

    def _start(self, kind: str, run: Any, skew: timedelta = timedelta(0)) -> Process:
        self._started += 1
        process = Process(f"{kind} {self._started}", run, self.now, skew)
        if process.alive:
            self.processes.append(process)
        return process

    def _settle(self, process: Process) -> None:
        """Take what is newly in the queue; and what became of a message whose worker has ended."""
        self.messages += [QueuedMessage(work, self.now) for work in self.queue.messages]
        self.queue.messages.clear()
        if process.alive:
            return
        if process in self.processes:
            self.processes.remove(process)
        self.counts["dead" if process.dead else "ended"] += 1
        self.alarms.take(process, self.now)
        message = self._delivered.pop(process, None)
        if message is None or message not in self.messages:
            return
        succeeded = not process.dead and process.error is None
        dropped = process.error is not None and is_resent(process.error)
        if succeeded or dropped or message.receives >= RECEIVES:
            self.counts["dead letters"] += not (succeeded or dropped)
            self.messages.remove(message)
        elif isinstance(process.error, MalformedInputError):
            self.messages.remove(message)
        if succeeded:
            self.counts[f"outcome {cast(Any, process.result).outcome}"] += 1

    def _planner(self, process: Process) -> Planner:
        scenario = self.scenario
        return build_planner(
            api=self._port(process, "api"),
            timeline=self._port(process, "timeline"),
            queue=self._port(process, "queue"),
            clock=lambda: self.now + process.skew,
            new_token=self._new_token,
            limits=PlannerLimits(
                origin=scenario.origin,
                resend_policy=RESEND_POLICY,
                slice_policy=SlicePolicy(
                    settle=SETTLE,
                    target=scenario.target,
                    floor=scenario.floor,
                ),
                max_outstanding_pages=scenario.outstanding,
                sweep_capacity=scenario.target,
                max_sweeps=scenario.sweeps,
                filter_time_zone=scenario.filter_time_zone,
            ),
            lake=self._port(process, "lake"),
        )

    def _worker(self, process: Process) -> Worker:
        scenario = self.scenario
        return build_worker(
            api=self._port(process, "api"),
            timeline=self._port(process, "timeline"),
            lake=self._port(process, "lake"),
            topic=self._port(process, "topic"),
            replay_queue=self._port(process, "replay_queue"),
            clock=lambda: self.now + process.skew,
            new_token=self._new_token,
            limits=WorkerLimits(
                lease=scenario.lease,
                deletion_delay=scenario.deletion_delay,
                max_deletions=scenario.max_deletions,
                fingerprint_exclude=scenario.fingerprint_exclude,
                filter_time_zone=scenario.filter_time_zone,
            ),
        )

    def _port(self, process: Process, name: str) -> Any:
        return Port(process, name, getattr(self, name))

    def _new_token(self) -> str:
        return f"{self.chance.getrandbits(64):016x}"

    def _refusal(self, event: Any) -> str | None:
        if event.entry_id in self.scenario.refused:
            return "refused"
        whole = '"entry":' in event.body and event.entry_id in self.scenario.refused_whole
        return "too large" if whole else None


class _SimulatedTimeline(FakeTimeline):
    """A table that refuses an item that is too large."""

    def __init__(self, tenant_id: str, costs: Costs) -> None:
        super().__init__(tenant_id)
        self._costs = costs

    def update(self, page: Page, changed: Page) -> bool:
        self._costs.check_item(changed)
        return super().update(page, changed)

    def commit(
        self, writes: Sequence[ConditionalWrite], breaker: BreakerChange | None = None
    ) -> bool:
        for write in writes:
            if write.after is not None:
                self._costs.check_item(write.after)
        return super().commit(writes, breaker)


class _SimulatedLake(FakeLake):
    """A lake of which some objects are ``broken``: gone where that is ``None``, or spoilt."""

    def __init__(self, *, clock: Callable[[], datetime]) -> None:
        super().__init__(clock=clock)
        self.broken: dict[str, bytes | None] = {}

    def read(self, key: str) -> bytes | None:
        return self.broken[key] if key in self.broken else super().read(key)


class _SimulatedApi(FakeApi):
    """The API, with a scenario's own tricks.

    A filter that ``finds_nothing``; a list with only a share of what it ``lists`` otherwise, and
    says so; a service that ``knows_nobody``, whichever ID it is asked for.
    """

    def __init__(self, simulator: Simulator, scenario: Scenario) -> None:
        super().__init__(simulator, scenario.fingerprint_exclude, scenario.filter_time_zone)
        self.scenario = scenario
        self.lie: Lie | None = None
        self.finds_nothing = False
        self.lists = 1.0
        self.knows_nobody = False
        self.away: Window | None = None
        self.finds_by_id = True

    def entry(self, entry_id: str) -> Entry | FaultyEntry | None:
        if not self.finds_by_id:
            raise MalformedResponseError("not JSON")
        found = super().entry(entry_id)
        return None if self.knows_nobody else found

    def query(self, window: Window | None, *, page: int = 1, per_page: int = 1000) -> Listing:
        if self.away and window and window.start < self.away.end and self.away.start < window.end:
            raise TransientError("away")
        listing = super().query(window, page=page, per_page=per_page)
        self.scenario.costs.check_body(listing)
        if self.lie is not None:
            listing = self.lie.of(listing, window, self.simulator.now())
        if self.lists < 1:
            some = listing.records[: int(len(listing.records) * self.lists)]
            return replace(listing, records=some, total=len(some))
        if self.finds_nothing and window is not None:
            return replace(listing, records=(), total=0)
        if any(record.id in self.scenario.poison for record in listing.records):
            raise MalformedResponseError("poisoned")
        return replace(listing, per_page=per_page) if self.scenario.hides_cap else listing
