"""What is measured: tables for people, and members of ``bench-report.json``."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Spread:
    """One figure's values in several runs."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.values)

    def over(self, other: "Spread") -> "Spread":
        """The ratio in each round."""
        pairs = zip(self.values, other.values, strict=True)
        return Spread(tuple(one / another for one, another in pairs))

    def plus(self, other: "Spread") -> "Spread":
        pairs = zip(self.values, other.values, strict=True)
        return Spread(tuple(one + another for one, another in pairs))

    def __str__(self) -> str:
        return (
            f"{rounded(self.median)} ({rounded(min(self.values))} to {rounded(max(self.values))})"
        )


def rounded(value: float) -> str:
    """Three digits, and never a power of ten."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


@dataclass(frozen=True, slots=True)
class Bar:
    """A figure that may not be larger than its limit."""

    name: str
    value: float
    limit: float

    @property
    def is_met(self) -> bool:
        return self.value <= self.limit


@dataclass(frozen=True, slots=True)
class Section:
    """One table, its bars, and its members of the report."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    members: dict[str, Any]
    bars: Sequence[Bar] = ()
    notes: Sequence[str] = field(default=())

    def print(self, console: Console) -> None:
        table = Table(title=self.title, title_justify="left", title_style="bold")
        for number, column in enumerate(self.columns):
            table.add_column(column, justify="right" if number else "left")
        for row in self.rows:
            table.add_row(*map(str, row))
        console.print(table)
        for bar in self.bars:
            verdict = "[green]met[/]" if bar.is_met else "[red]missed[/]"
            console.print(
                f"  {verdict}: {bar.name}: {rounded(bar.value)}, at most {rounded(bar.limit)}"
            )
        for note in self.notes:
            console.print(f"  {note}", style="dim")
        console.print()
