"""The core as it is holds under any hash seed, and nothing but a verdict kills a mutant."""

import pytest

from tests.simulation import hash_seeds
from tests.simulation.mutants.mutant import Mutant, Patch
from tests.simulation.mutants.verdicts import verdicts
from tests.simulation.processes import Process
from tests.simulation.scenario import NOW


@pytest.mark.parametrize("seed", hash_seeds.SEEDS[::5])
def test_the_core_holds_under_any_hash_seed(seed: int) -> None:
    """``make prove`` tries them all, with more trials."""
    assert hash_seeds.failures_under(seed, all_trials=False) == []


def test_an_error_of_the_simulation_s_own_is_no_verdict() -> None:
    def mistaken(_: Process) -> None:
        raise KeyError("ours")

    with pytest.raises(KeyError):
        Process("worker 1", mistaken, NOW)


def test_an_unexpected_error_of_the_core_is_a_verdict() -> None:
    patch = Patch("worker/export.py", "    rows = resume(claim)\n", "    rows = claim.nothing\n")
    [verdict] = verdicts([Mutant("a typing error", "who needs types", (patch,))])
    assert verdict.killed
    assert "AttributeError" in verdict.evidence
