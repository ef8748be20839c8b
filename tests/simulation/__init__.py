"""The proof: the real planner and worker in a world where anything may go wrong at any point.

processes   processes that stand still at every call of a port
source      the entries, and what others do to them
scenario    what a run begins with
simulation  one simulated deployment
schedules   who runs when, and what goes wrong
invariants  the invariants of the design, by name
lake_text   the lake's objects as anybody reads them
oracle      what must be true of the export
sweep_oracle  what must be true of sweeps
trials      single runs by name, and all of a kind
replay      one trial again, to look at
mutants     deliberate faults in the core, which the trials must catch
baseline    what most scripts do, in the same world
examples    how many examples Hypothesis tries
prove       the long version
report      its figures, and the page that shows them
"""
