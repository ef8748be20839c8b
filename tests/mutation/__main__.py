"""Sample automatic mutants of the core, and let the tests kill them: ``make mutate``.

    python -m tests.mutation [--seed N] [--count N]

mutmut changes one expression of a function at a time. A sample of these mutants meets the tests
in four rounds, those that call the mutated function, the quickest first: the unit tests of the
core, small simulated worlds, the handlers and contracts, then the whole simulation. The type
checker, which ``make test`` runs too, sees those that no test killed. The result goes to
``tests/mutation/result.json``, which ``make prove`` quotes. There, each survivor has a reason,
written by hand; one that has it meets the first round alone. The exit status is 1 if a reason is
missing, or too few were killed.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import indent
from typing import Any

from mutmut.stats import status_by_exit_code

ROOT = Path(__file__).parents[2]
STAGE = ROOT / ".local/mutation"
MUTANTS = STAGE / "mutants"
RESULT = Path(__file__).with_name("result.json")
SEED = 20260301
COUNT = 300
LEAST_KILLED_PERCENT = 95
CONTROLS = 2
"""So many mutants that are known to survive go through all rounds: what kills them is mistaken."""

COPIED = (
    *("functions", "layers", "local", "simulator", "tests", "tools", "events", "docs", "lake"),
    *("requirements", "template.yaml", "samconfig.toml", "README.md", "CHANGELOG.md", "Makefile"),
    *("pyproject.toml", "CONTRIBUTING.md", "SECURITY.md"),
)
NOT_THE_CORE = ("adapters/*", "bootstrap.py", "settings.py")
SLOW_TESTS = tuple(
    f"tests/simulation/test_{name}.py"
    # They make mutants or processes themselves, or measure.
    for name in ("mutants", "hash_seeds", "dense_memory")
)
SMALL_WORLDS = (
    *("breaker", "commands", "compared_versions", "crash_table", "deletion_counts"),
    *("deletion_rules", "deletions", "dense_pages", "dense_reader", "empty_answers"),
    *("filter_checker", "filter_time_zone", "flood", "index_cleanup", "look_ups"),
    *("moved_entries", "pings"),
    *("pipeline", "planner", "poisoned_pages", "publishing_position", "rebuilt_state"),
    *("refresh", "refusals"),
    *("replay_job", "stored_replays", "sweep_planner", "sweep_poison"),
    *("verify", "verify_lake", "verify_minutes"),
)
ROUNDS = {
    "unit tests": [f"tests/unit/{name}" for name in ("model", "planner", "source", "worker")],
    "small worlds": [
        *(f"tests/simulation/test_{name}.py" for name in SMALL_WORLDS),
        "tests/integration/source",
    ],
    "handlers and contracts": ["tests/integration/functions", "tests/contracts"],
    "whole simulation": ["tests/simulation", *(f"--ignore={path}" for path in SLOW_TESTS)],
}
ARGUMENTS = ("-p", "no:cacheprovider")

KILLED = {"killed", "timeout"}
"""mutmut's verdicts on a mutant that its tests noticed. It has others where it could not judge."""


def main(arguments: Sequence[str]) -> int:
    """Judge the mutants; returns the exit status."""
    options = _options(arguments)
    known = json.loads(RESULT.read_text()) if RESULT.exists() else {"survivors": []}
    reasons = {(one["mutant"], one["change"]): one["reason"] for one in known["survivors"]}
    _copy_project()
    _judge(["cpd_exporter.model.timestamps*"], ROUNDS["unit tests"])  # makes all mutants
    sample = _sample(_verdicts(), options.seed, options.count)
    killed: dict[str, int] = {}
    explained: list[dict[str, str]] = []
    alive = sample
    for round_, tests in ROUNDS.items():
        if not alive:
            break
        controls = [one["mutant"] for one in explained[:CONTROLS]]
        left = _judge([*alive, *controls], tests)
        if dead_controls := set(controls).difference(left):
            raise SystemExit(f"the tests fail here without any fault: they kill {dead_controls}")
        before, alive = alive, [name for name in alive if name in left]
        killed[round_] = len(before) - len(alive)
        for name, change in _changes(alive).items():
            if reason := reasons.get((name, change)):
                explained.append({"mutant": name, "reason": reason, "change": change})
                alive.remove(name)
        _show(f"{round_}: {killed[round_]} killed, {len(alive)} go on, of {len(sample)}")
    noticed = _noticed_by_types(alive)
    killed["type checker"] = len(noticed)
    unexplained = [name for name in alive if name not in noticed]
    survivors = explained + [
        {"mutant": name, "reason": "", "change": change}
        for name, change in _changes(unexplained).items()
    ]
    total, dead = len(sample), sum(killed.values())
    result = {"seed": options.seed, "mutants": total, "killed": killed, "survivors": survivors}
    RESULT.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    _show(f"{dead} of {total} killed; survivors without a reason: {unexplained or 'none'}")
    return int(bool(unexplained) or dead * 100 < total * LEAST_KILLED_PERCENT)


def _copy_project() -> None:
    """Copy it to where mutmut may work: it wants the package under ``src/``."""
    shutil.rmtree(STAGE, ignore_errors=True)
    ignored = shutil.ignore_patterns("__pycache__", "result.json")
    for name in COPIED:
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        options: dict[str, Any] = {"ignore": ignored} if source.is_dir() else {}
        STAGE.mkdir(parents=True, exist_ok=True)
        copy(source, STAGE / name, **options)
    package = ROOT / "layers/exporter/cpd_exporter"
    shutil.copytree(package, STAGE / "src/cpd_exporter", ignore=ignored)


def _judge(names: Sequence[str], tests: Sequence[str]) -> list[str]:
    """Put mutants to these tests; returns those that survive."""
    text = (ROOT / "pyproject.toml").read_text().replace('[".", "layers/exporter"]', '[".", "src"]')
    settings = {
        "source_paths": ["src/cpd_exporter"],
        "do_not_mutate": [f"src/cpd_exporter/{pattern}" for pattern in NOT_THE_CORE],
        "also_copy": ["src", *COPIED],
        "pytest_add_cli_args": list(ARGUMENTS),
        "pytest_add_cli_args_test_selection": list(tests),
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    (STAGE / "pyproject.toml").write_text("\n".join([text, "[tool.mutmut]", *lines, ""]))
    # It holds which of the last round's tests call which function.
    (MUTANTS / "mutmut-stats.json").unlink(missing_ok=True)
    command = [str(Path(sys.executable).with_name("mutmut")), "run", *names]
    done = subprocess.run(  # noqa: S603  # a fixed command
        command, cwd=STAGE, env=_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"mutmut failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    verdicts = _verdicts()
    return [name for name in names if status_by_exit_code[verdicts.get(name)] not in KILLED]


def _noticed_by_types(names: Sequence[str]) -> set[str]:
    """The mutants that mypy refuses. Each has a copy of package and cache of its own: a cache in
    which a mutant's errors stay would refuse all later ones.
    """
    package, cache = Path("layers/exporter/cpd_exporter"), Path(".mypy_cache")

    def is_refused(folder: Path) -> bool:
        command = [sys.executable, "-m", "mypy", str(package)]
        done = subprocess.run(command, cwd=folder, capture_output=True, check=False)  # noqa: S603
        return done.returncode == 1

    def notices(name: str) -> bool:
        with TemporaryDirectory(dir=STAGE) as folder:
            for copied in (package, cache):
                shutil.copytree(STAGE / copied, Path(folder) / copied)
            shutil.copy(STAGE / "pyproject.toml", folder)
            return _change_in(Path(folder) / package, name) and is_refused(Path(folder))

    if names and is_refused(STAGE):
        raise SystemExit("mypy refuses the package as it is, so it can judge no mutant")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return {
            name for name, noticed in zip(names, pool.map(notices, names), strict=True) if noticed
        }


def _change_in(package: Path, name: str) -> bool:
    """Change a copy of the package as the mutant does; returns whether its place was found."""
    first, _, _, *lines = _diff(name)
    path = package / first.removeprefix("--- src/cpd_exporter/")
    text = path.read_text()
    old, new = ([line[1:] for line in lines if line.startswith((" ", sign))] for sign in ("-", "+"))
    # mutmut shows a method as far left as a function.
    for margin in ("", "    "):
        found, changed = (indent("\n".join(one), margin) for one in (old, new))
        if text.count(found) == 1:
            path.write_text(text.replace(found, changed))
            return True
    return False


def _verdicts() -> dict[str, int | None]:
    """mutmut's verdict on each mutant; ``None`` where it gave none."""
    verdicts: dict[str, int | None] = {}
    for meta in MUTANTS.rglob("*.meta"):
        verdicts |= json.loads(meta.read_text())["exit_code_by_key"]
    return verdicts


def _sample(names: Iterable[str], seed: int, count: int) -> list[str]:
    """Draw by each name's own lot: a change of the core changes only its own part of the sample."""
    return sorted(names, key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).digest())[
        :count
    ]


def _changes(names: Sequence[str]) -> dict[str, str]:
    """The change of each mutant, as the lines that differ."""
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        diffs = list(pool.map(_diff, names))
    return {
        name: "\n".join(line for line in lines if line.startswith(("+", "-")))
        for name, (_, _, *lines) in zip(names, diffs, strict=True)
    }


def _diff(name: str) -> list[str]:
    """The mutant's unified diff, from the line that names the file."""
    done = subprocess.run(  # noqa: S603  # a fixed command
        [Path(sys.executable).with_name("mutmut"), "show", name],
        cwd=STAGE,
        env=_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    return lines[next(at for at, line in enumerate(lines) if line.startswith("--- ")) :]


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--count", type=int, default=COUNT)
    return parser.parse_args(arguments)


def _show(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
