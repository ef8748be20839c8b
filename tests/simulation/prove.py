"""The long version of the proof: writes its figures to ``docs/proof.md``.

    python -m tests.simulation.prove [--seed N] [--share PERCENT]

The same seed gives the same figures. Each failure is listed with the trial's name, to run it again,
and makes the exit status 1. ``--share`` runs only a part of the trials and writes nothing.
"""

import argparse
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial, reduce
from itertools import batched, islice, product
from operator import add
from pathlib import Path

from tests.simulation import departure_trials, hash_seeds, trials, world_trials
from tests.simulation.baseline import run_baseline
from tests.simulation.examples import SCALE
from tests.simulation.hash_seeds import failures_under
from tests.simulation.mutants import IDENTITY, MUTANTS
from tests.simulation.mutants.verdicts import verdicts
from tests.simulation.report import Figures, report
from tests.simulation.scenario import SCENARIOS
from tests.simulation.source import SourceChange
from tests.simulation.trials import Trial, read_trial

ROOT = Path(__file__).parents[2]
REPORT = ROOT / "docs" / "proof.md"
SEED = 20260301
RANDOM = 6000
RANDOM_WITH_COMMANDS = 1000
EXAMPLES = 4
ONE_PAIR_IN = 8
CHANGES = ("none", *SourceChange)


def sections(seed: int) -> Iterator[tuple[str, Iterator[Trial]]]:
    """Every kind of trial, by its name in the report."""
    yield "undisturbed", map(trials.undisturbed, SCENARIOS)
    yield "a filter that does not work", trials.blind_trials()
    yield "a timeline lost and begun again", trials.reborn_trials(300)
    yield "the same fault over and over", trials.doomed_trials()
    for scenario, change in product(("one-page", "lone", "nearly-full", "small"), CHANGES):
        yield "one fault", trials.single_faults(scenario, change)
    yield "one fault", trials.single_faults("poisoned")
    yield "one fault", trials.single_faults("refused", "edit")
    changes = (SourceChange.REPLACE, SourceChange.DELETE, SourceChange.BACK_DATE)
    for scenario, change, some in product(("dense", "unstable"), changes, range(3)):
        yield "a change amid a dense second", trials.source_changes(scenario, change, some)
    for change in ("none", SourceChange.EDIT, SourceChange.DELETE):
        yield "a sleeper and its waking", trials.late_wakers("one-page", change)
    yield "a sleeper and its waking", islice(trials.late_wakers("small", SourceChange.MOVE), 4000)
    for scenario, change in product(("anchored", "parted", "brimful"), CHANGES):
        yield "sweeps", iter([Trial("swept", (scenario, change, "2", "-"))])
    for change in ("none", SourceChange.EDIT, SourceChange.MOVE, SourceChange.BACK_DATE):
        yield "sweeps, one fault", trials.swept_faults("anchored", change, 1)
    yield "sweeps, one fault", islice(trials.swept_faults("parted", "move", 1), 0, None, 4)
    for change in ("none", SourceChange.BACK_DATE):
        yield "a backfill, one fault", trials.backfill_faults(change)
    yield "sweeps, an API that answers nonsense", trials.lied_to_trials()
    yield "sweeps, a mass deletion", trials.held_trials(20)
    yield "sweeps, an entry that wanders", trials.wandering_trials()
    yield "sweeps, the same fault over and over", trials.doomed_sweep_trials()
    yield "two rows of one instant", world_trials.tied_trials()
    yield "an entry that leaves", departure_trials.left_trials()
    yield "time and limits", world_trials.costly_trials()
    yield "settings that change", world_trials.resettled_trials(100)
    yield "a member that changes by itself", world_trials.self_changing_trials(20)
    yield "losses that stay for hours", world_trials.loud_trials()
    yield "the breaker and unnamed indexes", world_trials.breaker_trials()
    yield "new entries beside old work", world_trials.fresh_trials()
    yield "an API that lies while exporting", world_trials.misled_trials()
    yield "at random, with commands", trials.operated_trials(seed, RANDOM_WITH_COMMANDS)
    for scenario, change in (("one-page", "none"), ("one-page", "edit"), ("lone", "delete")):
        yield "two faults", trials.pairs_of_faults(scenario, change, one_in=ONE_PAIR_IN)
    yield "at random", trials.random_trials(seed, RANDOM)


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.simulation.trials"])
    with context.Pool(options.processes) as pool:
        figures = Figures()
        jobs = _jobs(options.seed, options.share)
        for done in pool.imap_unordered(run_batch, jobs):
            figures += done
            for failure in done.failures:
                _show(failure)
            _show(f"{figures.runs.total()} trials, {len(figures.failures)} failures")
        seeds = range(options.seed, options.seed + RANDOM * options.share // 100)
        losses = reduce(add, pool.imap_unordered(run_baseline, seeds, chunksize=50))
        _show("hash seeds")
        hashed = hash_seeds.SEEDS[: max(1, len(hash_seeds.SEEDS) * options.share // 100)]
        for failures in pool.imap_unordered(partial(failures_under, all_trials=True), hashed):
            figures.failures += failures
    figures.failures.sort()
    _show("mutants")
    identity, *judged = verdicts([IDENTITY, *MUTANTS], processes=options.processes)
    if identity.killed or identity.mistakes:
        figures.failures.append(f"the core as it is is caught: {identity}")
    figures.failures += [
        f"mutant survived: {verdict.mutant}" for verdict in judged if not verdict.killed
    ]
    _show("examples")
    figures.failures += _examples(max(1, EXAMPLES * options.share // 100))
    if options.share == 100:
        REPORT.parent.mkdir(exist_ok=True)
        REPORT.write_text(report(options.seed, figures, identity, judged, losses))
    _show("\n".join(figures.failures) or "everything holds")
    return bool(figures.failures)


def run_batch(batch: tuple[str, tuple[str, ...]]) -> Figures:
    """Run trials by name, all of one kind."""
    kind, names = batch
    figures = Figures()
    for name in names:
        try:
            figures.add(kind, read_trial(name).run())
        except Exception as error:  # noqa: BLE001  # any error is a finding
            figures.failures.append(f"{name}: {type(error).__name__}: {error}")
    return figures


def _jobs(seed: int, share: int) -> Iterator[tuple[str, tuple[str, ...]]]:
    number = 0
    for kind, some in sections(seed):
        for batch in batched(some, 50, strict=False):
            number += 1
            if number % 100 < share:
                yield kind, tuple(map(str, batch))


def _examples(scale: int) -> list[str]:
    """Run Hypothesis with more examples; returns the failures."""
    tests = [f"tests/simulation/test_{name}.py" for name in ("stateful", "hostile")]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(  # noqa: S603  # a fixed command
        command,
        cwd=ROOT,
        env=os.environ | {SCALE: str(scale)},
        capture_output=True,
        text=True,
        check=False,
    )
    return [] if done.returncode == 0 else [f"examples: {done.stdout[-2000:]}"]


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--share", type=int, default=100, choices=range(1, 101), metavar="PERCENT")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    return parser.parse_args(arguments)


def _show(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
