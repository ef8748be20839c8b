"""The same world does break what most scripts do: so that it holds here says something."""

from functools import reduce
from operator import add

from tests.simulation.baseline import run_baseline


def test_the_usual_script_loses_and_repeats_under_the_same_seeds() -> None:
    losses = reduce(add, (run_baseline(seed) for seed in range(80)))
    assert losses.entries > 200
    assert losses.lost > 0
    assert losses.repeated_rows > 0
    assert losses.repeated_events > 0
