"""Peak memory (MiB) of one process: of a worker after so many entries, or of a planner.

Arguments: ``worker`` and numbers of entries, or ``planner`` and a number of days.
"""

import json
import sys
from collections.abc import Sequence
from datetime import timedelta

import aws_lambda_powertools  # noqa: F401  # what a function has loaded counts too
import boto3

from cpd_exporter.adapters.aws.topic import topic_client
from cpd_exporter.adapters.thrive.http import new_client
from cpd_exporter.model.event import Event
from cpd_exporter.model.message import message_for
from cpd_exporter.model.page import Page
from cpd_exporter.model.watermark import Watermark
from cpd_exporter.model.window import Window
from tests.benchmark.even_api import EvenApi
from tests.benchmark.ticks import END, FIVE_MINUTES, long_world
from tests.support.fakes import FakeLake, FakeTimeline
from tests.support.memory import peak
from tests.support.world import TENANT, World

ENTRIES_PER_PAGE = 800
PAGE_LENGTH = timedelta(minutes=ENTRIES_PER_PAGE)


class Drain(FakeLake):
    """A lake and a topic that keep nothing."""

    def put_new(self, key: str, body: bytes) -> bool:
        return True

    def publish(self, events: Sequence[Event]) -> dict[str, str]:
        return {}


def make_clients() -> float:
    """Make a worker's clients; returns the memory that they take."""
    before = peak()
    _kept.extend(boto3.client(name) for name in ("secretsmanager", "dynamodb", "s3", "sqs"))
    _kept.extend((topic_client(), new_client()))
    return peak() - before


_kept: list[object] = []


def worker(counts: Sequence[int]) -> dict[str, float]:
    """Export page after page; returns the peak after each number of entries."""
    world = World(origin=END)
    world.now = END + timedelta(days=3650)
    world.api = EvenApi(END, timedelta(minutes=1), world.clock)  # type: ignore[assignment]
    world.lake = world.topic = Drain()  # type: ignore[assignment]
    peaks: dict[str, float] = {"clients": make_clients()}
    pages = 0
    for count in counts:
        while pages * ENTRIES_PER_PAGE < count:
            start = END + pages * PAGE_LENGTH
            world.timeline = FakeTimeline(TENANT)
            world.timeline.begin(Watermark("timeline", start, start, start, start))
            page = Page(Window(start, start + PAGE_LENGTH), 1, "timeline", "planned")
            world.timeline.append([page], after=start)
            world.worker.handle(message_for(page, TENANT))
            done = world.timeline.page(start)
            assert done is not None
            assert done.entries == ENTRIES_PER_PAGE
            pages += 1
        peaks[str(count)] = peak()
    return peaks


def planner(days: int) -> dict[str, float]:
    """A day's ticks and sweeps over so many days of five-minute pages."""
    make_clients()
    world = long_world(days * 288)
    for tick in range(30):
        if tick % 12 == 1:
            world.command({"command": "sweep", "lookback": "P2D"})
        if tick == 5:
            world.command({"command": "sweep", "lookback": "P35D"})
        world.planner.tick()
        world.now += FIVE_MINUTES
    return {"peak": peak()}


if __name__ == "__main__":
    what, *numbers = sys.argv[1:]
    measured = worker([*map(int, numbers)]) if what == "worker" else planner(int(numbers[0]))
    print(json.dumps(measured))
