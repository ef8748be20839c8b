"""What the tests of the core's duties share."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from cpd_exporter.model.page import PageState
from cpd_exporter.model.window import Window
from tests.simulation import scenario as scenarios
from tests.simulation.lake_text import StoredRow, index_in
from tests.simulation.processes import Process
from tests.simulation.runs import sweep
from tests.simulation.scenario import MONTH, Scenario
from tests.simulation.schedules import OneByOne
from tests.simulation.simulation import Simulation
from tests.simulation.source import SourceChange

HOUR = timedelta(hours=1)


SECOND = timedelta(seconds=1)


def at_rest(scenario: Scenario, seed: int = 1) -> OneByOne:
    schedule = OneByOne(Simulation(scenario, seed))
    schedule.come_to_rest()
    return schedule


def exported(simulation: Simulation) -> Window:
    watermark = simulation.timeline.stored_watermark
    assert watermark is not None
    return Window(watermark.exported_from, watermark.exported_through)


def swept() -> OneByOne:
    """Some pages that hold rows of several objects, among them some that are not the last."""
    schedule = at_rest(scenarios.parted())
    for change in (
        SourceChange.EDIT,
        SourceChange.BACK_DATE,
        SourceChange.EDIT,
        SourceChange.DELETE,
    ):
        schedule.simulation.source.change(change, exported(schedule.simulation))
        for _ in range(2):
            sweep(schedule)
    return schedule


def rows(simulation: Simulation, change: str) -> list[StoredRow]:
    return [row for row in simulation.oracle.rows if row["change"] == change]


def tick(simulation: Simulation) -> Process:
    process = simulation.tick()
    simulation.finish(process)
    return process


def entry_in(schedule: OneByOne, nth: int) -> str:
    return schedule.simulation.scenario.entries[nth].log_entry_id


def last_rows(simulation: Simulation, window: Window) -> set[tuple[str, str]]:
    """Where the last row of each indexed entry of a window is, by the lake alone."""
    found: set[tuple[str, str]] = set()
    for page in simulation.timeline.stored_pages.values():
        if page.state is not PageState.DONE:
            continue
        for entry_id, row in index_in(page, simulation.lake.objects).items():
            if datetime.fromisoformat(row["entryDate"]) in window:
                stored = simulation.oracle.rows_by_key.items()
                [key] = [key for key, rows in stored if rows.get(entry_id) == row]
                found.add((simulation.lake.uri(key), entry_id))
    return found


def several_pages(max_deletions: int = 1) -> Scenario:
    """Each of some sweeps may have a deletion to publish."""
    return replace(scenarios.guarded(), target=2, max_deletions=max_deletions)


def crowd(**settings: Any) -> Scenario:
    """A dozen entries, each a page of its own, most of them before the first date to export."""
    entries = scenarios.entries_at(*range(0, 240, 20))
    scenario = Scenario(entries, origin=MONTH + 200 * SECOND, target=1)
    return replace(scenario, **settings)
