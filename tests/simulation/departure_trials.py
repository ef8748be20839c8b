"""Trials of an entry that gets a date outside its page's window.

``KINDS`` names them as ``trials.KINDS`` does.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from cpd_exporter.model.timestamps import format_instant
from tests.simulation.invariants import Invariant, check
from tests.simulation.runs import sweep, sweep_until_quiet, tick_and_work
from tests.simulation.scenario import MONTH, NOW, SCENARIOS
from tests.simulation.schedules import OneByOne, Run
from tests.simulation.simulation import Simulation
from tests.simulation.trials import Trial

_BEFORE, _AHEAD = MONTH - timedelta(days=3), NOW + timedelta(hours=30)
_ACROSS = MONTH + timedelta(seconds=100)


def _left_page(case: str) -> Run:
    """An entry gets a date outside its page's window: the page that it left publishes that."""
    simulation = Simulation(SCENARIOS["bordered"]())
    schedule = OneByOne(simulation)
    schedule.come_to_rest()
    return Run(simulation, _LEAVING[case](schedule))


def _leaves_for(goal: datetime) -> Callable[[OneByOne], int]:
    def leave(schedule: OneByOne) -> int:
        """It goes, is edited there, and is deleted: the view is right each time."""
        source, id_ = schedule.simulation.source, _traveller(schedule)
        source.move(id_, goal)
        sweep_until_quiet(schedule)
        source.store.edit(id_, description="edited there")
        source.renew_snapshot()
        sweep_until_quiet(schedule)
        source.delete(id_)
        return sweep_until_quiet(schedule)

    return leave


def _is_reached(schedule: OneByOne) -> int:
    """It goes to a time that is not planned yet, which then is exported."""
    simulation = schedule.simulation
    simulation.source.move(_traveller(schedule), NOW + timedelta(hours=4))
    for _ in range(3):
        sweep(schedule)
    simulation.now = NOW + timedelta(hours=6)
    sweep_until_quiet(schedule)
    simulation.source.delete(_traveller(schedule))
    return sweep_until_quiet(schedule)


def _is_gone_before_it_is_seen(schedule: OneByOne) -> int:
    """It crosses the border, and is deleted before the page of its new date was read."""
    simulation = schedule.simulation
    simulation.source.move(_traveller(schedule), _ACROSS)
    _sweep_first_month(schedule)
    simulation.now += timedelta(hours=2)
    _sweep_first_month(schedule, until_rest=False)
    simulation.source.delete(_traveller(schedule))
    return sweep_until_quiet(schedule)


def _is_reverted(schedule: OneByOne) -> int:
    """Its old page publishes an edit which is taken back before its new page could see it."""
    simulation, id_ = schedule.simulation, _traveller(schedule)
    simulation.source.move(id_, _ACROSS)
    sweep(schedule)  # the new page has it
    before = simulation.source.snapshot()[id_]
    simulation.source.store.edit(id_, description="for a moment")
    simulation.source.renew_snapshot()
    _sweep_first_month(schedule, until_rest=False)
    simulation.source.store.delete(id_)
    simulation.source.store.add(before)
    simulation.source.renew_snapshot()
    return sweep_until_quiet(schedule)


def _page_is_split(schedule: OneByOne) -> int:
    """The page that it left outgrows a response, and is split."""
    simulation = schedule.simulation
    simulation.source.move(_traveller(schedule), _BEFORE)
    for _ in range(3):
        sweep(schedule)
    for minutes in range(100, 130, 3):
        simulation.source.insert_at(MONTH - timedelta(minutes=minutes))
    for _ in range(2):
        sweep(schedule)
    simulation.source.delete(_traveller(schedule))
    return sweep_until_quiet(schedule)


def _is_spoilt(schedule: OneByOne) -> int:
    """It goes and turns faulty: the version before that stays, and quarantine has the record."""
    simulation, id_ = schedule.simulation, _traveller(schedule)
    simulation.source.move(id_, _BEFORE)
    simulation.source.spoil(id_, "missing-field")
    ticks = sweep_until_quiet(schedule)
    rows = [row["change"] for row in simulation.oracle.rows if row["logEntryId"] == id_]
    check(Invariant.EXACT, rows == ["created"], f"a faulty entry became {rows}")
    simulation.oracle.judge_kept(simulation.source.snapshot()[id_].text.encode())
    return ticks


_LEAVING: dict[str, Callable[[OneByOne], int]] = {
    "before": _leaves_for(_BEFORE),
    "ahead": _leaves_for(_AHEAD),
    "across": _leaves_for(_ACROSS),
    "reached": _is_reached,
    "gone": _is_gone_before_it_is_seen,
    "reverted": _is_reverted,
    "split": _page_is_split,
    "spoilt": _is_spoilt,
}


def _traveller(schedule: OneByOne) -> str:
    return schedule.simulation.scenario.entries[0].log_entry_id


def _sweep_first_month(schedule: OneByOne, *, until_rest: bool = True) -> None:
    """Sweep the first month; without ``until_rest``, a request for another sweep stays."""
    simulation = schedule.simulation
    start, end = map(format_instant, (simulation.scenario.origin, MONTH))
    simulation.finish(simulation.command({"command": "sweep", "from": start, "to": end}))
    if until_rest:
        schedule.come_to_rest()
        return
    tick_and_work(simulation)


KINDS: dict[str, Callable[..., Run]] = {"left": _left_page}


def left_trials() -> Iterator[Trial]:
    for case in _LEAVING:
        yield Trial("left", (case,))
