"""Runs that most trials are made of: an export, a backfill, or sweeps, with faults at points."""

from collections.abc import Mapping
from datetime import timedelta

from cpd_exporter.model.timestamps import format_instant
from cpd_exporter.model.window import Window
from tests.simulation.invariants import Invariant, check
from tests.simulation.scenario import SCENARIOS, parted
from tests.simulation.schedules import OneByOne, Run
from tests.simulation.schedules import Strike as Struck
from tests.simulation.simulation import Simulation
from tests.simulation.source import SourceChange


def backfilled(change: str, seed: str, faults: Mapping[int, Struck]) -> tuple[Run, OneByOne, int]:
    """A run with a backfill, its schedule, and the point at which the backfill began."""
    simulation = Simulation(SCENARIOS["late"](), int(seed))
    schedule = OneByOne(simulation)
    schedule.come_to_rest()
    begun = len(schedule.met)
    schedule.faults = {begun + point: fault for point, fault in faults.items()}
    schedule.change = None if change == "none" else SourceChange(change)
    past = parted().origin
    command = {"command": "backfill", "from": format_instant(past)}
    ticks = schedule.command(command)
    watermark = simulation.timeline.stored_watermark
    if watermark is not None and watermark.origin > past:  # the command was lost: send it again
        ticks += schedule.command(command)
    reached = simulation.timeline.stored_watermark
    check(Invariant.REST, reached and reached.exported_from == past, "the past is not exported")
    return Run(simulation, ticks), schedule, begun


def swept(
    scenario: str, change: str, seed: str, faults: Mapping[int, Struck]
) -> tuple[Run, OneByOne, range]:
    """A run with sweeps, its schedule, and the range of points that belong to the sweeps."""
    simulation = Simulation(SCENARIOS[scenario](), int(seed))
    schedule = OneByOne(simulation)
    schedule.come_to_rest()
    for one in (SourceChange.EDIT, SourceChange.DELETE, SourceChange.BACK_DATE, SourceChange.MOVE):
        simulation.source.change(one, exported_window(simulation))
    begun = len(schedule.met)
    schedule.faults = {begun + point: fault for point, fault in faults.items()}
    schedule.change = None if change == "none" else SourceChange(change)
    ticks = max(sweep(schedule) for _ in range(2))
    struck = range(begun, len(schedule.met))
    schedule.faults = {}
    return Run(simulation, max(ticks, sweep_until_quiet(schedule))), schedule, struck


def sweep_until_quiet(schedule: OneByOne) -> int:
    """Sweep the whole export for some hours. Then the lake equals the source, and one more sweep
    writes and publishes nothing. Returns the ticks of the slowest sweep.
    """
    simulation = schedule.simulation
    ticks = max(sweep(schedule, hasty=True) for _ in range(7))
    simulation.oracle.judge_view()
    rows = [key for key in simulation.lake.objects if key.startswith("entries/")]
    published = len(simulation.topic.published)
    sweep(schedule)
    again = [key for key in simulation.lake.objects if key.startswith("entries/")]
    check(Invariant.EXACT, again == rows, "a sweep without changes wrote rows")
    check(Invariant.EXACT, len(simulation.topic.published) == published, "a sweep repeated events")
    return ticks


def sweep(schedule: OneByOne, *, hasty: bool = False) -> int:
    """Sweep all, then let the deletion delay pass (half if ``hasty``); returns the ticks."""
    exported = exported_window(schedule.simulation)
    ticks = schedule.command({"command": "sweep", "from": format_instant(exported.start)})
    delay = schedule.simulation.scenario.deletion_delay / (2 if hasty else 1)
    schedule.simulation.now += delay + timedelta(minutes=1)
    return ticks


def exported_window(simulation: Simulation) -> Window:
    watermark = simulation.timeline.stored_watermark
    assert watermark is not None
    return Window(watermark.exported_from, watermark.exported_through)


def one_by_one(
    scenario: str, change: str, seed: str, faults: Mapping[int, Struck]
) -> tuple[Run, OneByOne]:
    """A run, and its schedule, which records the points that it met."""
    simulation = Simulation(SCENARIOS[scenario](), int(seed))
    schedule = OneByOne(simulation, faults, None if change == "none" else SourceChange(change))
    return Run(simulation, schedule.come_to_rest()), schedule


def tick_and_work(simulation: Simulation, capacity: int = 1000) -> None:
    """A tick, and then as many messages as the workers can take, in the queue's order."""
    simulation.finish(simulation.tick())
    for _ in range(capacity):
        if not (messages := simulation.receivable):
            return
        simulation.finish(simulation.deliver(messages[0]))
