"""``make bench``: measures everything, prints tables and writes ``bench-report.json``."""

import json
from collections.abc import Callable
from typing import Annotated

import typer
from rich.console import Console

from tests.benchmark.calls import measure_calls
from tests.benchmark.cold_starts import measure_cold_starts
from tests.benchmark.costs import measure_costs
from tests.benchmark.cpu import measure_cpu
from tests.benchmark.processes import ROOT
from tests.benchmark.report import Section

REPORT = ROOT / "bench-report.json"


def _cpu(quick: bool) -> Section:
    if quick:
        return measure_cpu(rounds=3, entries=12_000, published=2_000)
    return measure_cpu(rounds=7, entries=20_000, published=4_000)


MEASURES: dict[str, Callable[[bool], Section]] = {
    "calls": lambda _: measure_calls(),
    "costs": lambda _: measure_costs(),
    "cpu": _cpu,
    "cold-starts": lambda quick: measure_cold_starts(rounds=3 if quick else 9),
}


def main(
    *,
    quick: Annotated[bool, typer.Option(help="fewer rounds: all within five minutes")] = False,
    only: Annotated[list[str] | None, typer.Option(help=" · ".join(MEASURES))] = None,
) -> None:
    """Measure what the exporter costs."""
    if unknown := set(only or ()) - MEASURES.keys():
        raise typer.BadParameter(f"{', '.join(unknown)}: not one of {', '.join(MEASURES)}")
    console = Console()
    members = json.loads(REPORT.read_text()) if only and REPORT.exists() else {}
    missed = []
    for name in only or MEASURES:
        section = MEASURES[name](quick)
        section.print(console)
        missed += [bar.name for bar in section.bars if not bar.is_met]
        members |= section.members
    REPORT.write_text(json.dumps(members, indent=2) + "\n")
    console.print(f"Bars missed: {', '.join(missed) or 'none'}. All figures: {REPORT.name}")


if __name__ == "__main__":
    typer.run(main)
