"""``make bench``: measures everything, prints tables, writes ``bench-report.json`` and pictures."""

import json
import multiprocessing
import sys
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Annotated

import typer
from rich.console import Console
from typer.exceptions import TyperException

from local.cli.refusal import refusal
from tests.benchmark.calls import measure_calls
from tests.benchmark.cold_starts import measure_cold_starts
from tests.benchmark.costs import measure_costs
from tests.benchmark.cpu import measure_cpu
from tests.benchmark.latency import measure_latency
from tests.benchmark.memory import measure_memory
from tests.benchmark.pictures import draw
from tests.benchmark.processes import ROOT
from tests.benchmark.report import Section
from tests.benchmark.ticks import measure_ticks

REPORT = ROOT / "bench-report.json"


def _cpu(*, quick: bool) -> Section:
    if quick:
        return measure_cpu(rounds=3, entries=12_000, published=2_000)
    return measure_cpu(rounds=7, entries=20_000, published=4_000)


def _cold_starts(*, quick: bool) -> Section:
    return measure_cold_starts(rounds=3 if quick else 9)


def _ticks(*, quick: bool) -> Section:
    return measure_ticks(runs=1 if quick else 5)


UNTIMED: dict[str, Callable[[], Section]] = {
    "memory": measure_memory,
    "costs": measure_costs,
    "calls": measure_calls,
    "latency": measure_latency,
}
TIMED: dict[str, Callable[..., Section]] = {
    "cpu": _cpu,
    "cold-starts": _cold_starts,
    "ticks": _ticks,
}
NAMES = (*UNTIMED, *TIMED)


def _sections(names: Collection[str], *, quick: bool) -> Iterator[Section]:
    """What no other process disturbs runs first, all at once; what is timed runs alone."""
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawning) as pool:
        counted = [pool.submit(measure) for name, measure in UNTIMED.items() if name in names]
        for future in counted:
            yield future.result()
    for name, measure in TIMED.items():
        if name in names:
            yield measure(quick=quick)


def main(
    *,
    quick: Annotated[bool, typer.Option(help="fewer rounds: all within five minutes")] = False,
    only: Annotated[list[str] | None, typer.Option(help=" · ".join(NAMES))] = None,
) -> None:
    """Measure what the exporter costs."""
    if unknown := set(only or ()) - set(NAMES):
        raise typer.BadParameter(f"{', '.join(unknown)}: not one of {', '.join(NAMES)}")
    began = time.monotonic()
    # Into a file or a pipe, the tables are as wide as they need.
    console = Console(width=None if sys.stdout.isatty() else 120)
    members = json.loads(REPORT.read_text()) if only and REPORT.exists() else {}
    missed = []
    for section in _sections(only or NAMES, quick=quick):
        section.print(console)
        missed += [bar.name for bar in section.bars if not bar.is_met]
        members |= section.members
    REPORT.write_text(json.dumps(members, indent=2) + "\n")
    pictures = [str(path.relative_to(ROOT)) for path in draw(members)]
    console.print(f"Bars missed: {', '.join(missed) or 'none'}.")
    took = time.monotonic() - began
    console.print(f"Wrote {', '.join([REPORT.name, *pictures])} in {took:.0f} s.")


app = typer.Typer(add_completion=False)
app.command()(main)

if __name__ == "__main__":
    try:
        sys.exit(app(standalone_mode=False))
    except TyperException as error:
        print(f"Error: {refusal(error)}", file=sys.stderr)
        sys.exit(error.exit_code)
