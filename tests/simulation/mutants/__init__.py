"""Deliberate faults in the core. The simulation must catch each: one that survives is a hole in the
proof.

A mutant is a patch of source text, applied to a copy of the package which a process of its own
imports instead. To add one: name the file, the text as it is, and what becomes of it.

mutant    what a mutant is
planner   faults in the planner and in the slicing of time
worker    faults in reading, in the life of a page, in rows and events
sweeps    faults in sweeps and deletions
verdicts  puts mutants to the trials
"""

from tests.simulation.mutants.mutant import mutant
from tests.simulation.mutants.planner import PLANNER_MUTANTS
from tests.simulation.mutants.sweeps import SWEEP_MUTANTS
from tests.simulation.mutants.worker import WORKER_MUTANTS

IDENTITY = mutant("the core as it is", "nothing is wrong")
"""No patch at all: whatever catches it is a mistake of the oracle's or of the trials'."""

MUTANTS = (*PLANNER_MUTANTS, *WORKER_MUTANTS, *SWEEP_MUTANTS)
