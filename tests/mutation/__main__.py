"""Sample automatic mutants of the core, and let the tests kill them: ``make mutate``.

    python -m tests.mutation [--seed N] [--count N]

mutmut changes one expression of a function at a time. A sample of these mutants meets the unit
tests that call the mutated function. Those that survive meet the type checker, and then the other
tests: the handlers, the contracts, and the simulation, which takes longest. The result goes to
``tests/mutation/result.json``, which ``make prove`` quotes. There, each survivor has a reason,
written by hand; one that has it does not meet the other tests again. The exit status is 1 if a
reason is missing, or too few were killed.
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
from textwrap import indent
from typing import Any

ROOT = Path(__file__).parents[2]
STAGE = ROOT / ".local/mutation"
MUTANTS = STAGE / "mutants"
RESULT = Path(__file__).with_name("result.json")
SEED = 20260301
COUNT = 300
LEAST_KILLED_PERCENT = 95

COPIED = (
    *("functions", "layers", "local", "simulator", "tests", "tools", "events", "docs", "lake"),
    *("requirements", "template.yaml", "samconfig.toml", "README.md", "CHANGELOG.md", "Makefile"),
    *("pyproject.toml", "CONTRIBUTING.md", "SECURITY.md"),
)
NOT_THE_CORE = ("adapters/*", "bootstrap.py", "settings.py")
QUICK_TESTS = tuple(f"tests/unit/{name}" for name in ("model", "planner", "source", "worker"))
SLOW_TESTS = tuple(
    f"tests/simulation/test_{name}.py"
    # They make mutants or processes themselves, or measure.
    for name in ("mutants", "hash_seeds", "dense_memory")
)
OTHER_TESTS = (
    *("tests/integration/functions", "tests/integration/source", "tests/contracts", "tests/unit"),
    *("tests/simulation", *(f"--ignore={path}" for path in SLOW_TESTS)),
)
ARGUMENTS = ("-p", "no:cacheprovider")
MAX_SECONDS = 3600

SURVIVED = 0
NO_TESTS = 33
"""mutmut's marks for a mutant that its tests did not notice, or that no test reaches."""


def main(arguments: Sequence[str]) -> int:
    """Judge the mutants; returns the exit status."""
    options = _options(arguments)
    known = json.loads(RESULT.read_text()) if RESULT.exists() else {"survivors": []}
    reasons = {(one["mutant"], one["change"]): one["reason"] for one in known["survivors"]}
    _stage()
    _mutmut("cpd_exporter.model.timestamps*")  # makes all mutants, and finds each one's tests
    sample = _sample(_all_mutants(), options.seed, options.count)
    _mutmut(*sample)
    verdicts = _verdicts()
    alive = [name for name in sample if verdicts[name] in {SURVIVED, NO_TESTS, None}]
    survivors = [
        {"mutant": name, "reason": reasons.get((name, change), ""), "change": change}
        for name, change in zip(alive, map(_change, alive), strict=True)
    ]
    unknown = [one["mutant"] for one in survivors if not one["reason"]]
    _show(f"{len(alive)} of {len(sample)} survive, {len(unknown)} meet the type checker")
    notices = {name: True for name in unknown if _types_notice(name)}
    unknown = [name for name in unknown if name not in notices]
    _show(f"{len(unknown)} meet the other tests")
    if unknown and _others_notice(""):
        raise SystemExit("the other tests fail here without any mutant, so they can judge none")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        notices |= zip(unknown, pool.map(_others_notice, unknown), strict=True)
    survivors = [one for one in survivors if not notices.get(one["mutant"])]
    total, killed = len(sample), len(sample) - len(survivors)
    result = {"seed": options.seed, "mutants": total, "killed": killed, "survivors": survivors}
    RESULT.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    unexplained = [one["mutant"] for one in survivors if not one["reason"]]
    _show(f"{killed} of {total} killed; survivors without a reason: {unexplained or 'none'}")
    return int(bool(unexplained) or killed * 100 < total * LEAST_KILLED_PERCENT)


def _stage() -> None:
    """Copy the project to where mutmut may work: it wants the package under ``src/``."""
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
    project = STAGE / "pyproject.toml"
    text = project.read_text().replace('[".", "layers/exporter"]', '[".", "src"]')
    excluded = [f"src/cpd_exporter/{pattern}" for pattern in NOT_THE_CORE]
    settings = {
        "source_paths": ["src/cpd_exporter"],
        "do_not_mutate": excluded,
        "also_copy": ["src", *COPIED],
        "pytest_add_cli_args": list(ARGUMENTS),
        "pytest_add_cli_args_test_selection": list(QUICK_TESTS),
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    project.write_text("\n".join([text, "[tool.mutmut]", *lines, ""]))


def _mutmut(*names: str) -> None:
    command = [str(Path(sys.executable).with_name("mutmut")), "run", *names]
    done = subprocess.run(  # noqa: S603  # a fixed command
        command, cwd=STAGE, env=_environment(), capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"mutmut failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")


def _others_notice(name: str) -> bool:
    """Whether one of the other tests fails with the mutant, or does not end."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", *ARGUMENTS, *OTHER_TESTS]
    environment = _environment() | {"MUTANT_UNDER_TEST": name}
    try:
        done = subprocess.run(  # noqa: S603  # a fixed command
            command,
            cwd=MUTANTS,
            env=environment,
            capture_output=True,
            timeout=MAX_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return True
    return done.returncode != 0


def _types_notice(name: str) -> bool:
    """Whether mypy, which ``make test`` runs before the tests, refuses the mutant."""
    first, _, _, *lines = _diff(name)
    path = STAGE / "layers/exporter" / first.removeprefix("--- src/")
    text = path.read_text()
    old, new = ([line[1:] for line in lines if line.startswith((" ", sign))] for sign in ("-", "+"))
    # mutmut shows a method as far left as a function.
    for margin in ("", "    "):
        found, changed = (indent("\n".join(one), margin) for one in (old, new))
        if text.count(found) == 1:
            break
    else:
        return False
    path.write_text(text.replace(found, changed))
    try:
        command = [sys.executable, "-m", "mypy", "layers/exporter/cpd_exporter"]
        done = subprocess.run(command, cwd=STAGE, capture_output=True, check=False)  # noqa: S603
    finally:
        path.write_text(text)
    return done.returncode == 1


def _verdicts() -> dict[str, int | None]:
    """mutmut's verdict on each mutant; ``None`` where it gave none."""
    verdicts: dict[str, int | None] = {}
    for meta in MUTANTS.rglob("*.meta"):
        verdicts |= json.loads(meta.read_text())["exit_code_by_key"]
    return verdicts


def _all_mutants() -> list[str]:
    return sorted(_verdicts())


def _sample(names: Iterable[str], seed: int, count: int) -> list[str]:
    """Draw by each name's own lot: a change of the core changes only its own part of the sample."""
    return sorted(names, key=lambda name: hashlib.sha256(f"{seed} {name}".encode()).digest())[
        :count
    ]


def _change(name: str) -> str:
    """The mutant's change, as the lines that differ."""
    _, _, *lines = _diff(name)
    return "\n".join(line for line in lines if line.startswith(("+", "-")))


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
