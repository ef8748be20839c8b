"""Twenty calls a minute, which other integrations share, and 429 beyond.

Planner and workers run side by side on virtual time, each at the pace that its settings give. The
backfill is of 1,250 pages, as a million entries are. A page has 10 entries here instead of 800:
it costs one call whatever it holds, and the time that 800 events take at 300 a second is added.
"""

from collections import deque
from datetime import datetime, timedelta
from typing import Any

from cpd_exporter.adapters.thrive.pace import CallPace
from cpd_exporter.bootstrap import build_planner
from cpd_exporter.model.window import Window
from cpd_exporter.settings import Settings
from tests.support.work_day import TICK, WorkDay
from tests.support.world import NOW, World, entries

MINUTE = timedelta(minutes=1)
LIMIT, WORKERS = 20, 4
PAGES, ENTRIES_OF_A_PAGE = 1250, 10
CALL = timedelta(seconds=1)
PUBLISHING = timedelta(seconds=800 / 300)
FIRST = NOW - timedelta(days=3650)
SETTINGS = Settings.read(
    {
        "CPD_ENVIRONMENT": "production",
        "CPD_AUTHENTICATION": "auto",
        "CPD_SECRET_ARN": "secret",
        "CPD_TIMELINE_TABLE": "table",
        "CPD_QUEUE_URL": "queue",
        "CPD_WORKER_TIMEOUT_SECONDS": "300",
        "CPD_WORKER_CONCURRENCY": str(WORKERS),
        "CPD_API_CALLS_PER_MINUTE": str(LIMIT),
    }
)


class SharedApi:
    """Lets the caller whose turn it is call at its own pace, and notes when."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.called_at: list[datetime] = []
        clock: Any = {"monotonic": self._monotonic, "sleep": self._sleep}
        seconds = SETTINGS.seconds_between_calls
        self._planner = CallPace(SETTINGS.planner_calls_per_minute, **clock)
        self._workers = [CallPace(1, seconds, patient=True, **clock) for _ in range(WORKERS)]
        self._pace = self._planner
        query = world.api.query

        def paced(window: Window | None, *, page: int = 1, per_page: int = 1000) -> Any:
            self._pace.take_turn()
            self.called_at.append(world.now)
            world.api.may_ask = self._pace.is_open
            world.now += CALL
            return query(window, page=page, per_page=per_page)

        world.api.query = paced  # type: ignore[method-assign]
        self.planner = build_planner(
            api=world.api,
            timeline=world.timeline,
            queue=world.queue,
            clock=world.clock,
            new_token=world.new_token,
            limits=world.planner.limits.within(SETTINGS.worker_calls_per_minute),
            lake=world.lake,
        )

    def tick(self) -> None:
        self._pace = self._planner
        self._pace.limit(closes_in=15, ends_in=30)
        self.world.api.may_ask = self._pace.is_open
        self.planner.tick()

    def turn(self, worker: int) -> None:
        self._pace = self._workers[worker]
        self.world.api.may_ask = True

    @property
    def refused(self) -> int:
        """Calls beyond the limit within a minute before."""
        recent: deque[datetime] = deque()
        refused = 0
        for at in sorted(self.called_at):
            while recent and recent[0] <= at - MINUTE:
                recent.popleft()
            if len(recent) < LIMIT:
                recent.append(at)
            else:
                refused += 1
        return refused

    def _monotonic(self) -> float:
        return (self.world.now - NOW).total_seconds()

    def _sleep(self, seconds: float) -> None:
        self.world.now += timedelta(seconds=seconds)


def test_a_backfill_of_a_million_entries_at_twenty_calls_a_minute() -> None:
    count = PAGES * ENTRIES_OF_A_PAGE
    store = entries(count, first=FIRST, end=NOW - timedelta(days=30))
    world = World(
        store=store,
        slice_target=ENTRIES_OF_A_PAGE,
        origin=NOW - timedelta(days=20),
        in_queue=timedelta(minutes=6),
    )
    api = SharedApi(world)
    day = WorkDay(world, WORKERS, tick=api.tick, turn=api.turn, publishing=PUBLISHING)
    arrived: dict[str, datetime] = {}

    def arrive() -> None:
        for part in range(3):
            at = world.now - part * TICK / 3
            arrived[world.simulator.insert(at).log_entry_id] = at
        if world.now.minute == 0:
            world.command({"command": "sweep", "lookback": "P2D"})

    day.run(NOW + timedelta(hours=1), each=arrive)
    world.command({"command": "backfill", "from": f"{FIRST:%Y-%m-%dT%H:%M:%SZ}"})
    began = world.now
    while any(world.timeline.jobs()) or any(world.timeline.undone()):
        day.run(world.now + timedelta(hours=1), each=arrive)
        assert world.now < began + timedelta(days=2)
    assert not [page for page in world.pages if page.hole_since]
    assert not day.dead_letters
    assert not day.outcomes["killed"]
    assert len(day.published_at) >= count
    late = [day.published_at[id_] - at for id_, at in arrived.items() if id_ in day.published_at]
    assert len(late) >= len(arrived) - 9
    assert max(late) <= timedelta(minutes=10)
    assert api.refused < 0.02 * len(api.called_at)


def test_lookups_of_a_worker_end_within_its_lease() -> None:
    world = World()
    limits = world.worker.context.limits.within(SETTINGS.seconds_between_calls)
    assert limits.lookups == 2
    assert world.worker.context.limits.within(0).lookups == 200
