"""Hypothesis looks for a sequence of commands, faults and changes that breaks an invariant."""

from datetime import timedelta

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
)

from tests.simulation.examples import examples
from tests.simulation.processes import Fate, Process
from tests.simulation.scenario import SCENARIOS, at_random
from tests.simulation.schedules import OneByOne
from tests.simulation.simulation import Simulation
from tests.simulation.source import SourceChange

_indices = st.integers(0, 9)
_fates = st.one_of(st.just(Fate.PROCEED), st.sampled_from(list(Fate)))


class Export(RuleBasedStateMachine):
    """The oracle judges every effect; at the end the system must come to rest."""

    @initialize(
        beginning=st.one_of(
            st.sampled_from(sorted(SCENARIOS.keys() - {"poisoned"})), st.integers(0, 5000)
        )
    )
    def begin(self, beginning: str | int) -> None:
        scenario = at_random(beginning) if isinstance(beginning, int) else SCENARIOS[beginning]()
        self.simulation = Simulation(scenario)
        self.simulation.oracle.outages_only = False

    @precondition(lambda self: len(self.simulation.alive) < 4)
    @rule()
    def tick(self) -> None:
        self.simulation.tick()

    @precondition(lambda self: self.simulation.receivable and len(self.simulation.alive) < 4)
    @rule(index=_indices, skew=st.sampled_from([0, 0, -300, 300]))
    def deliver(self, index: int, skew: int) -> None:
        messages = self.simulation.receivable
        self.simulation.deliver(messages[index % len(messages)], skew=timedelta(seconds=skew))

    @precondition(lambda self: self.simulation.receivable)
    @rule(index=_indices, lost=st.booleans())
    def lose_or_repeat(self, index: int, *, lost: bool) -> None:
        messages = self.simulation.receivable
        message = messages[index % len(messages)]
        if lost:
            self.simulation.lose(message)
        else:
            self.simulation.repeat(message)

    @precondition(lambda self: self.simulation.alive)
    @rule(index=_indices, calls=st.integers(1, 12), fate=_fates)
    def run_on(self, index: int, calls: int, fate: Fate) -> None:
        """Some undisturbed calls of one process, and a last one with a fate of its own."""
        process = self._process(index)
        for _ in range(calls - 1):
            if process.alive:
                self.simulation.resume(process)
        if process.call is not None:
            possible = fate in process.call.fates
            self.simulation.resume(process, fate if possible else Fate.PROCEED)

    @rule(change=st.sampled_from(list(SourceChange)), index=_indices)
    def change(self, change: SourceChange, index: int) -> None:
        undone = self.simulation.undone
        near = undone[index % len(undone)].window if undone else None
        self.simulation.source.change(change, near)

    @rule(seconds=st.sampled_from([1, 60, 130, 900, 3600]))
    def wait(self, seconds: int) -> None:
        self.simulation.now += timedelta(seconds=seconds)

    def teardown(self) -> None:
        if not hasattr(self, "simulation"):
            return
        for process in self.simulation.alive:
            self.simulation.finish(process)
        OneByOne(self.simulation).come_to_rest()

    def _process(self, index: int) -> Process:
        return self.simulation.alive[index % len(self.simulation.alive)]


TestExport = Export.TestCase
TestExport.settings = examples(60)
