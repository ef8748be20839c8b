"""The core as it is must hold under any hash seed: ``python -m tests.simulation.hash_seeds``.

An oracle that walks a set can call the same run sound or a violation, as the hash seed decides. So
each seed has a process of its own, which runs the trials that the mutants are put to.
"""

import os
import subprocess
import sys
from itertools import chain

from tests.simulation.trials import quick_sweeps, quick_trials, read_trial

SEEDS = tuple(range(10))
FEW = ("operated 30", "tied back merged", "tied forth apart", "random 20262037")
"""The trials for ``make test``; first those that an order of a set once decided."""


def failures_under(seed: int, *, all_trials: bool) -> list[str]:
    """Run trials in a process with this hash seed; returns a line for each that fails."""
    arguments = ["all"] if all_trials else list(FEW)
    done = subprocess.run(  # noqa: S603  # a fixed command
        [sys.executable, "-m", "tests.simulation.hash_seeds", *arguments],
        env=os.environ
        | {"PYTHONHASHSEED": str(seed), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=False,
    )
    failures = done.stdout.splitlines()
    if done.returncode and not failures:
        failures = [done.stderr[-2000:]]
    return [f"under hash seed {seed}: {failure}" for failure in failures]


def main(arguments: list[str]) -> int:
    """Run the named trials, or ``all`` quick ones."""
    every = chain(quick_trials(), quick_sweeps())
    failed = False
    for trial in every if arguments == ["all"] else map(read_trial, arguments):
        try:
            trial.run()
        except Exception as error:  # noqa: BLE001  # any error is a finding
            sys.stdout.write(f"{trial}: {type(error).__name__}: {error}\n")
            failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
