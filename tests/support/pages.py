"""A world with one planned page, and the ways in which its worker may end."""

from datetime import timedelta
from typing import Any

import pytest

from cpd_exporter.errors import (
    ExporterError,
)
from cpd_exporter.model.entry import Listing
from cpd_exporter.model.message import PageMessage
from cpd_exporter.model.page import Page
from cpd_exporter.model.row import Change
from cpd_exporter.worker.context import Outcome, WorkReport
from cpd_exporter.worker.worker import Worker
from simulator.behaviour import Behaviour
from simulator.source import EntryStore
from tests.support.samples import works
from tests.support.world import NOW, World, entries

START = NOW - timedelta(hours=2)


def planned(count: int = 20, *, faulty: int = 0, **switches: Any) -> tuple[World, PageMessage]:
    """A world with one page of so many entries, planned and sent, and its message."""
    store = EntryStore()
    if count:
        end = NOW - timedelta(hours=1)
        store = entries(count, first=START, end=end, faulty=faulty)
    world = World(store=store, origin=START)
    world.planner.tick()
    world.simulator.behaviour = Behaviour(**switches)
    [work] = works(world.queue)
    return world, work


class WorkerCrashError(BaseException):
    """Ends a worker amid its work, as a time-out or a lack of memory does."""


def crash(world: World, work: PageMessage) -> None:
    """Let a worker claim the page and then die."""
    real = world.api.query

    def die(*_: object, **__: object) -> Listing:
        raise WorkerCrashError

    world.api.query = die  # type: ignore[method-assign]
    with pytest.raises(WorkerCrashError):
        world.worker.handle(work)
    world.api.query = real  # type: ignore[method-assign]


def worker_with(world: World, **ports: Any) -> Worker:
    """The world's worker, with another lake, queue, timeline or topic."""
    own = {name: getattr(world, name) for name in ports}
    for name, port in ports.items():
        setattr(world, name, port)
    worker = world.worker
    for name, port in own.items():
        setattr(world, name, port)
    return worker


def done(entries: int) -> WorkReport:
    return WorkReport(Outcome.DONE, changes={Change.CREATED: entries})


def page_of(world: World, work: PageMessage) -> Page:
    page = world.timeline.page(work.start)
    assert page is not None
    return page


def attempt(world: World, work: PageMessage) -> WorkReport | ExporterError:
    """Receive the message once, after whatever lease there was."""
    world.now += timedelta(minutes=15)
    try:
        return world.worker.handle(work)
    except ExporterError as error:
        return error


def assert_published_once(world: World) -> None:
    world.assert_exact()
    assert len(world.topic.published) == len(world.rows) == len(world.store)


def fail(error: Exception) -> Any:
    raise error
