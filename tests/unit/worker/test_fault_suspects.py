"""Whether a 500 is a page's own: by what was exported before it."""

from datetime import datetime, timedelta

import pytest

from cpd_exporter.model.entry import Listing
from cpd_exporter.model.page import PageState
from cpd_exporter.model.window import Window
from cpd_exporter.worker import fault_suspects
from cpd_exporter.worker.fault_suspects import lists_others
from cpd_exporter.worker.worker import Worker
from simulator.behaviour import InjectedFault
from tests.support.samples import START, page, window
from tests.support.world import World

HOUR = timedelta(hours=1)
FAILING = window(start=START + 4 * HOUR)


def world_with(*entries: int) -> World:
    """A world with a done page an hour, of so many entries each."""
    world = World()
    for n, count in enumerate(entries):
        start = START + n * HOUR
        world.timeline.stored_pages[start] = page(start=start, state=PageState.DONE, entries=count)
    return world


def asked(world: World, *, up: bool = True) -> tuple[bool, list[datetime]]:
    """The answer, and the starts of the windows that the API was asked for."""
    starts: list[datetime] = []
    query = world.api.query

    def noted(window: Window | None, *, page: int = 1, per_page: int = 1000) -> Listing:
        assert window is not None
        starts.append(window.start + timedelta(seconds=1))
        return query(window, page=page, per_page=per_page)

    world.api.query = noted  # type: ignore[method-assign]
    if not up:
        world.simulator.behave(faults=(InjectedFault(status=500),))
    worker: Worker = world.worker
    return lists_others(worker.context, FAILING), starts


def test_the_nearest_earlier_page_with_entries_is_listed_again() -> None:
    assert asked(world_with(3, 3, 0, 0)) == (True, [START + HOUR])


def test_two_pages_that_fail_are_an_outage() -> None:
    assert asked(world_with(3, 3, 3, 0), up=False) == (False, [START + 2 * HOUR, START + HOUR])


def test_no_page_far_away_is_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fault_suspects, "MAX_EARLIER_PAGES", 2)
    is_well, starts = asked(world_with(3, 3, 0, 0))
    assert is_well
    assert starts == [FAILING.start - timedelta(hours=49, minutes=17)]
