"""A world whose calls take time, with seconds that hold more entries than a response.

A worker lives for 300 s, an API call takes 2 s, and the topic accepts 300 events a second.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from cpd_exporter.errors import ExporterError, OversizedResponseError, TransientError
from cpd_exporter.model import exact_json
from cpd_exporter.model.entry import Entry, Listing
from cpd_exporter.model.event import Event
from cpd_exporter.model.message import Message
from cpd_exporter.model.page import PageState
from cpd_exporter.model.window import Window
from tests.support.samples import content
from tests.support.world import ORIGIN, World

LIFE = timedelta(seconds=300)
RESERVE = timedelta(seconds=120)
CALL = timedelta(seconds=2)
DENSE = ORIGIN + timedelta(days=1)


class LifeOverError(BaseException):
    """The worker's time is over."""


@dataclass
class Stage:
    """A world with ``entries`` whose API and topic take time.

    Each reading sees the entries in another order if ``shuffled``. A response of more than
    ``max_rows`` rows is too large. Each of ``kills`` kills a worker after so many ``events`` or
    ``calls``, once.
    """

    entries: dict[datetime, int]
    shuffled: bool = False
    max_rows: int = 1000
    events_per_second: float = 300
    calls_per_minute: int = 10**6
    kills: list[tuple[str, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.world = World()
        self.began = self.world.now
        self.calls = 0
        self.events = 0
        self.published: Counter[str] = Counter()
        self.outcomes: Counter[str] = Counter()
        self._found: dict[Window | None, list[int]] = {}
        self.dies_at: datetime | None = None
        self._served: list[datetime] = []
        self._dates = [at for at, count in self.entries.items() for _ in range(count)]
        api, topic = self.world.api, self.world.topic
        api.query = self.query  # type: ignore[method-assign]
        topic.publish = self.publish  # type: ignore[method-assign]

    @property
    def count(self) -> int:
        return len(self._dates)

    def run(self, *, ticks: int) -> timedelta:
        """Tick every five minutes until all is done; returns the time that it took."""
        world, began = self.world, self.world.now
        for _ in range(ticks):
            ticked = world.now
            world.planner.tick()
            while world.queue.messages:
                self.work_on(world.queue.messages.pop(0))
            if len(self.published) == self.count and not list(world.timeline.undone()):
                break
            world.now = max(world.now, ticked + timedelta(minutes=5))
        return world.now - began

    def work_on(self, message: Message) -> None:
        """One life of a worker."""
        world = self.world
        self.dies_at = world.now + LIFE
        until = self.dies_at - RESERVE
        try:
            report = world.worker.handle(message, has_time_left=lambda: world.now < until)
            self.outcomes[report.outcome] += 1
        except LifeOverError:
            self.outcomes["killed"] += 1
        except ExporterError as error:
            self.outcomes[type(error).__name__] += 1
            world.now += timedelta(seconds=60)
        self.dies_at = None

    def _pass(self, time: timedelta, what: str, amount: int) -> None:
        self.world.now += time
        if self.dies_at is None:
            return
        if self.kills and self.kills[0][0] == what and amount >= self.kills[0][1]:
            self.kills.pop(0)
            raise LifeOverError
        if self.world.now > self.dies_at:
            raise LifeOverError

    def query(self, window: Window | None, *, page: int = 1, per_page: int = 1000) -> Listing:
        self._pass(CALL, "calls", self.calls)
        return self._answer(window, page, per_page)

    def _answer(self, window: Window | None, page: int, per_page: int) -> Listing:
        self.calls += 1
        now = self.world.now
        self._served = [at for at in self._served if at > now - timedelta(minutes=1)]
        if len(self._served) >= self.calls_per_minute:
            raise TransientError("429")
        self._served.append(now)
        if window not in self._found:
            within = [n for n, at in enumerate(self._dates) if window is None or at in window]
            self._found[window] = within
        found = self._found[window]
        if self.shuffled:
            found = list(found)
            Random(f"{per_page} {self.calls // (self.count // per_page + 1)}").shuffle(found)
        rows = found[(page - 1) * per_page : page * per_page]
        if len(rows) > self.max_rows:
            raise OversizedResponseError("more than 1 MB")
        return Listing(tuple(self._entries(rows)), len(found), per_page)

    def _entries(self, rows: Sequence[int]) -> Iterator[Entry]:
        dates = {at: f"{at:%Y-%m-%dT%H:%M:%S}.000Z" for at in self.entries}
        for n in rows:
            text = f"I will change how I hand over at the end of shift {n}. " * 4
            date = dates[self._dates[n]]
            values = content(logEntryId=f"{n:024x}", entryDate=date, description=text)
            yield Entry(f"{n:024x}", self._dates[n], exact_json.dump(values), f"{n:064x}")

    def publish(self, events: Sequence[Event]) -> dict[str, str]:
        for start in range(0, len(events), 10):
            batch = events[start : start + 10]
            self.published.update(event.id for event in batch)
            time = timedelta(seconds=len(batch) / self.events_per_second)
            self.events += len(batch)
            self._pass(time, "events", self.events)
        return {}

    @property
    def holes(self) -> list[Window]:
        return [page.window for page in self.world.pages if page.hole_since]

    def assert_all_arrived(self) -> None:
        assert not self.holes
        assert all(page.state is PageState.DONE for page in self.world.pages)
        assert sum(page.entries for page in self.world.pages) == self.count
        assert len(self.published) == self.count
