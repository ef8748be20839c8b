"""A tick ends within 45 seconds, whatever it has to do: `sam remote invoke` asks again after 60.

The handler, the planner and the API's client are the real ones; the clock is virtual. Calls of the
stores take as long as they do at 512 MB.
"""

import importlib.util
from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from cpd_exporter import bootstrap
from cpd_exporter.adapters.thrive.pace import CallPace
from cpd_exporter.bootstrap import build_planner
from cpd_exporter.model.message import PageMessage
from cpd_exporter.model.page import Page, PageState
from cpd_exporter.model.watermark import Watermark
from cpd_exporter.model.window import Window
from local.places import ROOT
from local.stack.template import template
from simulator import InjectedFault
from tests.support.deployment import LambdaContext
from tests.support.fakes import FakeTimeline
from tests.support.timed_service import TimedService
from tests.support.world import NOW, ORIGIN, World, entries

BAR = timedelta(seconds=45)
CALL = timedelta(milliseconds=15)
ITEM = timedelta(milliseconds=0.4)
"""To read one item of a query: 100 µs of a whole processor, of which 512 MB give three tenths."""

PER_UNIT = timedelta(seconds=1 / 500)
UNITS = {"append": 4, "prepend": 4, "mark_sent": 2, "commit": 2}
"""Write units of each item; the adapter writes 500 a second."""

LIFE = timedelta(seconds=template()["Resources"]["PlannerFunction"]["Properties"]["Timeout"])
TICK = {"command": "export"}


class SlowStore:
    """A store whose calls take time."""

    def __init__(self, inner: Any, world: World) -> None:
        self._inner = inner
        self._world = world

    def __getattr__(self, name: str) -> Any:
        inner = getattr(self._inner, name)
        if not callable(inner):
            return inner

        def call(*args: Any, **kwargs: Any) -> Any:
            self._world.now += CALL
            items = args[0] if args and isinstance(args[0], list | tuple) else ()
            self._world.now += len(items) * UNITS.get(name, 0) * PER_UNIT
            answer = inner(*args, **kwargs)
            return self._stream(answer) if isinstance(answer, Iterator) else answer

        return call

    def _stream(self, items: Iterator[Any]) -> Iterator[Any]:
        for item in items:
            self._world.now += ITEM
            yield item


class Clocked(LambdaContext):
    """Lambda's view of a tick that began now."""

    def __init__(self, world: World) -> None:
        self._world, self._began = world, world.now

    def get_remaining_time_in_millis(self) -> int:
        return (self._began + LIFE - self._world.now) // timedelta(milliseconds=1)


class Handler:
    """Invokes the planner's real handler, on the clock of a world."""

    def __init__(self, world: World, service: TimedService, patch: pytest.MonkeyPatch) -> None:
        self.world = world
        pace = CallPace(monotonic=service.monotonic, sleep=service.sleep)
        planner = build_planner(
            api=service.client(pace, max_silence_seconds=bootstrap.MAX_PLANNER_SILENCE_SECONDS),
            timeline=SlowStore(world.timeline, world),
            queue=SlowStore(world.queue, world),
            clock=world.clock,
            new_token=world.new_token,
            limits=world.planner.limits,
            lake=world.lake,
        )
        patch.setattr(bootstrap, "planner", lambda: planner)
        patch.setattr(bootstrap, "planner_pace", lambda: pace)
        patch.setenv("POWERTOOLS_METRICS_NAMESPACE", "CpdExporter")
        patch.setenv("POWERTOOLS_SERVICE_NAME", "planner-on-a-virtual-clock")
        path = ROOT / "functions/planner/app.py"
        spec = importlib.util.spec_from_file_location("timed_planner", path)
        assert spec is not None
        assert spec.loader is not None
        self._module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self._module)

    def invoke(self, command: dict[str, Any] = TICK) -> tuple[dict[str, Any], timedelta]:
        """The answer, and the time that it took."""
        began = self.world.now
        answer = self._module.handler(command, Clocked(self.world))
        return answer, self.world.now - began


def first_export(**profile: Any) -> World:
    return World(store=entries(3000, **profile), origin=ORIGIN - timedelta(days=9000))


def failing(status: int, **fault: Any) -> tuple[InjectedFault, ...]:
    return (InjectedFault(status=status, **fault),)


SERVICES: dict[str, Callable[[World], TimedService]] = {
    "quick": lambda world: TimedService(world, lambda: 0.3),
    "slow": lambda world: TimedService(world, lambda: 4),
    "very slow": lambda world: TimedService(world, lambda: 11),
    "silent": lambda world: TimedService(world, lambda: 1000),
    "unreachable": lambda world: TimedService(world, lambda: 0, unreachable=True),
    "dripping": lambda world: TimedService(world, lambda: 11, drips=True),
}


@pytest.mark.parametrize("name", SERVICES)
@pytest.mark.parametrize("is_exported", [False, True], ids=["first export", "exported"])
def test_a_tick_ends_in_time(name: str, is_exported: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    world = first_export()
    if is_exported:
        world.export()
        world.now += timedelta(days=2)
    handler = Handler(world, SERVICES[name](world), monkeypatch)
    before = world.timeline.watermark()
    took = []
    for _ in range(6):
        took.append(handler.invoke()[1])
        world.now += timedelta(minutes=5)
    assert max(took) <= BAR
    after = world.timeline.watermark()
    assert after is not None
    if name in {"quick", "slow", "very slow"}:
        planned = before.planned_through if before else world.origin
        assert after.planned_through > planned
        assert after.last_tick is not None
        assert after.last_tick.error is None


@pytest.mark.parametrize(
    "faults", [failing(503), failing(429, retry_after=9), failing(500, every=2), failing(401)]
)
def test_a_tick_that_repeats_calls_ends_in_time(
    faults: tuple[InjectedFault, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = first_export()
    world.simulator.behave(faults=faults)
    handler = Handler(world, TimedService(world, lambda: 3), monkeypatch)
    for _ in range(6):
        assert handler.invoke()[1] <= BAR
        world.now += timedelta(minutes=5)


class Snapshots(FakeTimeline):
    """Sorts its pages once a stream: nobody changes them meanwhile."""

    def pages(self, start: datetime, end: datetime | None = None) -> Iterator[Page]:
        starts = sorted(self.stored_pages)
        low = bisect_left(starts, start)
        high = len(starts) if end is None else bisect_left(starts, end)
        return iter([self.stored_pages[one] for one in starts[low:high]])

    def pages_before(self, end: datetime) -> Iterator[Page]:
        return reversed(list(self.pages(ORIGIN - timedelta(days=9000), end)))


def shattered(count: int) -> World:
    """So many pages of a split that none has done, and a new page behind them."""
    world = World(origin=NOW - timedelta(seconds=count) - timedelta(minutes=10))
    world.timeline = Snapshots(world.timeline.tenant_id)
    window = Window(world.origin, world.origin + timedelta(seconds=1))
    page = Page(window, 5, "timeline", "revision", updated_at=NOW, error="contradictory")
    for number in range(count):
        part = Window(
            window.start + timedelta(seconds=number), window.end + timedelta(seconds=number)
        )
        world.timeline.stored_pages[part.start] = replace(page, window=part)
    end = world.origin + timedelta(seconds=count)
    untried = Window(end, end + timedelta(minutes=5))
    world.timeline.stored_pages[end] = Page(untried, 1, "timeline", "revision")
    world.timeline.stored_watermark = Watermark(
        "timeline", world.origin, untried.end, world.origin, world.origin
    )
    return world


def test_a_status_and_a_tick_over_100_000_undone_pages_end_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = shattered(100_000)
    newest = max(world.timeline.stored_pages)
    handler = Handler(world, TimedService(world, lambda: 0.3), monkeypatch)
    answer, took = handler.invoke({"command": "status"})
    assert took <= BAR
    [tenant] = answer["tenants"]
    assert tenant["morePages"]
    assert tenant["pages"]["open"] == 20_000
    _, took = handler.invoke()
    assert took <= BAR
    first = world.queue.messages[:125]
    assert newest in {one.start for one in first if isinstance(one, PageMessage)}


def test_a_status_over_few_pages_counts_all(monkeypatch: pytest.MonkeyPatch) -> None:
    world = shattered(10)
    handler = Handler(world, TimedService(world, lambda: 0.3), monkeypatch)
    [tenant] = handler.invoke({"command": "status"})[0]["tenants"]
    assert not tenant["morePages"]
    assert tenant["pages"]["open"] == 11


def test_a_sweep_passes_over_100_000_pages_in_several_ticks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = shattered(100_000)
    pages, watermark = world.timeline.stored_pages, world.timeline.stored_watermark
    assert watermark is not None
    for start, page in pages.items():
        pages[start] = replace(page, state=PageState.DONE, updated_at=NOW, read_at=NOW)
    through = watermark.planned_through
    world.timeline.stored_watermark = replace(watermark, exported_through=through)
    world.command({"command": "sweep", "lookback": "P2D"})
    handler = Handler(world, TimedService(world, lambda: 0.3), monkeypatch)
    for _ in range(3):
        assert handler.invoke()[1] <= BAR
        world.now += timedelta(minutes=5)
