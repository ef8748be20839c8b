"""Days of planner, queue and workers at the side of each other, on virtual time."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cpd_exporter.errors import ExporterError
from cpd_exporter.model.event import Event
from cpd_exporter.model.message import Message
from cpd_exporter.worker.backoff import is_resent, seconds_until_retry
from local.stack.template import template
from tests.support.world import World

TICK = timedelta(minutes=5)
LIFE, RESERVE = timedelta(seconds=300), timedelta(seconds=120)
OVERHEAD = timedelta(milliseconds=200)
_REDRIVE = template()["Resources"]["WorkQueue"]["Properties"]["RedrivePolicy"]
MAX_RECEIVES: int = _REDRIVE["maxReceiveCount"]


@dataclass
class WaitingMessage:
    """A message, since when it can be received, and how often it was."""

    message: Message
    visible_at: datetime
    receives: int = 0


@dataclass
class WorkDay:
    """Ticks every five minutes, and ``workers`` that take messages in order in between.

    Each publishing takes ``publishing``.

    Each worker has its own time; the calls of a world move that of whoever makes them. A worker
    that needs longer than its life is ``killed`` in the books only: nothing here takes so long but
    by a mistake. ``published_at`` says when each entry was published first.
    """

    world: World
    workers: int = 4
    tick: Callable[[], object] | None = None
    turn: Callable[[int], None] = lambda _: None
    publishing: timedelta = timedelta(0)
    waiting: list[WaitingMessage] = field(default_factory=list)
    dead_letters: list[Message] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    published_at: dict[str, datetime] = field(default_factory=dict)
    longest_queue: int = 0

    def __post_init__(self) -> None:
        self.free_at = [self.world.now] * self.workers
        publish = self.world.topic.publish

        def noted(events: list[Event]) -> dict[str, str]:
            for event in events:
                self.published_at.setdefault(event.entry_id, self.world.now)
            self.world.now += self.publishing
            return publish(events)

        self.world.topic.publish = noted  # type: ignore[method-assign,assignment]

    def run(self, until: datetime, *, each: Callable[[], None] = lambda: None) -> None:
        """Tick and work until an instant; ``each`` runs before each tick."""
        world = self.world
        while world.now < until:
            ticked = world.now
            each()
            (self.tick or world.planner.tick)()
            sent_at = world.now
            self.waiting += [WaitingMessage(one, sent_at) for one in world.queue.messages]
            world.queue.messages.clear()
            self.longest_queue = max(self.longest_queue, len(self.waiting))
            self._work(ticked + TICK)
            world.now = ticked + TICK

    def _work(self, until: datetime) -> None:
        while True:
            worker = min(range(self.workers), key=self.free_at.__getitem__)
            ready = [one for one in self.waiting if one.visible_at <= self.free_at[worker]]
            some = ready[0] if ready else min(self.waiting, key=_visible_at, default=None)
            if some is None:
                return
            start = max(self.free_at[worker], some.visible_at)
            if start >= until:
                return
            self.waiting.remove(some)
            self.world.now = start
            self.turn(worker)
            self._work_on(some)
            self.free_at[worker] = self.world.now + OVERHEAD
            self.outcomes["killed"] += self.world.now - start > LIFE

    def _work_on(self, some: WaitingMessage) -> None:
        some.receives += 1
        if some.receives > MAX_RECEIVES:
            self.dead_letters.append(some.message)
            return
        until = self.world.now + LIFE - RESERVE
        try:
            report = self.world.worker.handle(
                some.message, has_time_left=lambda: self.world.now < until
            )
            self.outcomes[report.outcome] += 1
        except ExporterError as error:
            self.outcomes[type(error).__name__] += 1
            if not is_resent(error):
                wait = timedelta(seconds=seconds_until_retry(error, some.receives))
                some.visible_at = self.world.now + wait
                self.waiting.append(some)


def _visible_at(one: WaitingMessage) -> datetime:
    return one.visible_at
