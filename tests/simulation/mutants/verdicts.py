"""Puts each mutant to the trials, in a process of its own that imports a patched copy."""

import multiprocessing
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import cpd_exporter
from tests.simulation.mutants import MUTANTS
from tests.simulation.mutants.mutant import Mutant

PACKAGE = Path(cpd_exporter.__file__).parent


@dataclass(frozen=True, slots=True)
class MutantVerdict:
    """``trial`` and ``evidence`` are empty where the mutant survived all of them.

    ``mistakes`` are the trials that ended otherwise than by a verdict of the oracle's, such as by a
    ``KeyError``: they catch nothing.
    """

    mutant: str
    trial: str
    evidence: str
    mistakes: tuple[str, ...] = ()

    @property
    def killed(self) -> bool:
        return bool(self.trial)


def verdicts(
    mutants: Iterable[Mutant] = MUTANTS,
    *,
    caught_in: Mapping[str, str] | None = None,
    processes: int = 2,
) -> Iterator[MutantVerdict]:
    """The verdict on each mutant, in order.

    A mutant is put first to the trial that ``caught_in`` has under its name: one that caught it
    before most often does so again, and then no other has to run.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["boto3", "pydantic", "simplejson", "greenlet", "simulator"])
    with context.Pool(processes, maxtasksperchild=1) as pool:
        named = list(mutants)
        tries = [(mutant, (caught_in or {}).get(mutant.name, "")) for mutant in named]
        for mutant, found in zip(named, pool.imap(_try, tries), strict=True):
            yield MutantVerdict(mutant.name, *found)


def _try(mutant_and_trial: tuple[Mutant, str]) -> tuple[str, str, tuple[str, ...]]:
    return try_mutant(*mutant_and_trial)


def try_mutant(mutant: Mutant, first: str = "") -> tuple[str, str, tuple[str, ...]]:
    """Run the trials against a mutant until one of them catches it by a ``Violation``.

    Returns the members of a verdict but its first. Needs a process of its own: afterwards its
    modules are the mutant's.
    """
    mistakes: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        apply(mutant, Path(folder))
        for name in [name for name in sys.modules if name.startswith(("cpd_exporter", "tests."))]:
            del sys.modules[name]
        sys.path.insert(0, folder)
        from tests.simulation import invariants, trials  # the mutant's own

        suites = [trials.quick_trials(), trials.quick_sweeps()]
        known = [trials.read_trial(first)] if first else []
        queue = chain(known, *(reversed(suites) if mutant.of_sweeps else suites))
        trial: trials.Trial | None = None
        while True:
            try:
                # A suite itself runs an undisturbed trial, to find the points of its faults.
                if (trial := next(queue, None)) is None:
                    return "", "", tuple(mistakes)
                trial.run()
            except invariants.Violation as error:
                return str(trial or "undisturbed"), str(error), tuple(mistakes)
            except Exception as error:  # noqa: BLE001  # no verdict: another trial must catch it
                mistakes.append(f"{trial}: {type(error).__name__}: {error}")


def apply(mutant: Mutant, folder: Path) -> None:
    """Put the patched package into a folder."""
    package = folder / PACKAGE.name
    # Files keep their times, so that the bytecode of all but the patched ones still counts. What
    # another process is just writing has one more suffix, and goes away.
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("*.pyc.*"))
    for file, text in patched(mutant).items():
        (package / file).write_text(text)


def patched(mutant: Mutant) -> dict[str, str]:
    """The text of each patched file. ``ValueError`` where a patch does not fit."""
    texts: dict[str, str] = {}
    for patch in mutant.patches:
        text = texts.get(patch.file) or (PACKAGE / patch.file).read_text()
        if text.count(patch.old) != 1:
            raise ValueError(
                f"mutant {mutant.name!r}: {patch.file} has {text.count(patch.old)} times:\n"
                f"{patch.old}"
            )
        texts[patch.file] = text.replace(patch.old, patch.new)
    return texts
