"""The proof: the real planner and worker in a simulated world where any call can fail at any point.

processes         processes that stop at every call of a port
source            the entries, and the changes that others make to them
scenario          the state that a run begins with
world             what calls cost, where services have limits, and how the API lies
simulation        one simulated deployment
schedules         the order of processes, and the faults they meet
invariants        the invariants of docs/architecture.md, by name
lake_text         the lake's objects, read without the package's code
oracle            judges the export after every effect, and at rest
event_oracle      judges events
sweep_oracle      judges sweeps
alarms            judges whether each loss reaches a metric that has an alarm
runs              what most trials are made of
trials            single runs by name, and all runs of a kind
world_trials      trials of ties, lies, limits, settings and old work
departure_trials  trials of entries that leave their page
replay            runs one trial again and prints each point
mutants           deliberate faults in the package, which the trials must catch
hash_seeds        the unchanged core under other hash seeds, which no trial may catch
baseline          the usual export script, in the same world
dense_stage       a world with seconds that hold more than a response
dense_memory      a worker's memory for such a second, `make bench`
duties            what the tests of the core's duties share
examples          the number of examples that Hypothesis tries
prove             the long version, `make prove`
report            its figures, and docs/proof.md
"""
