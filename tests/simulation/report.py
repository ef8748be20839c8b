"""The figures of the proof, and the page that shows them."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.simulation import hash_seeds
from tests.simulation.baseline import Losses
from tests.simulation.invariants import Invariant
from tests.simulation.mutants import MUTANTS
from tests.simulation.mutants.verdicts import MutantVerdict
from tests.simulation.processes import Fate
from tests.simulation.schedules import Run

AUTOMATIC = Path(__file__).parents[1] / "mutation/result.json"
"""What ``make mutate`` found last, with a reason for each survivor."""


@dataclass
class Figures:
    """Sums over some trials, and the worst numbers of repeated events and of ticks by kind."""

    runs: Counter[str] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    worst_repeats: Counter[str] = field(default_factory=Counter)
    worst_ticks: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)

    def __add__(self, other: "Figures") -> "Figures":
        return Figures(
            self.runs + other.runs,
            self.counts + other.counts,
            self.worst_repeats | other.worst_repeats,
            self.worst_ticks | other.worst_ticks,
            self.failures + other.failures,
        )

    def add(self, kind: str, run: Run) -> None:
        """Add one run."""
        simulation = run.simulation
        published = simulation.topic.published
        self.runs[kind] += 1
        self.counts += simulation.counts
        self.counts["changes"] += simulation.source.changes
        self.counts["entries"] += simulation.oracle.verified
        self.counts[f"entries {kind}"] += simulation.oracle.verified
        self.counts["events"] += len(published)
        self.counts["distinct events"] += len({event.id for event in published})
        # Without its ID, a body tells the rows apart, whatever ID an event of the same row got.
        rows = {(event.entry_id, event.body.replace(event.id, "")) for event in published}
        self.counts["published rows"] += len(rows)
        self.counts["repeated events"] += run.repeated_events
        self.worst_repeats[kind] = max(self.worst_repeats[kind], run.repeated_events)
        self.worst_ticks[kind] = max(self.worst_ticks[kind], run.ticks)

    @property
    def lost(self) -> int:
        """Runs in which an entry was lost, or was there twice."""
        return sum(Invariant.EXACT.value in failure for failure in self.failures)

    @property
    def duplicates(self) -> int:
        """Repeated events that a subscriber cannot recognise by their IDs."""
        return self.counts["distinct events"] - self.counts["published rows"]


_PAGE = """\
# The proof, in figures

Written by `make prove` (seed {seed}); do not edit.

The real planner and worker run over ports in memory, with a simulated clock, in an order that a
seed decides. At every call of a port the process can die, be throttled, lose its answer, have the
call done in part, or fall asleep while others take over. Messages are lost and repeated. Meanwhile
others insert, edit, back-date, move and delete entries. An oracle (`tests/simulation/oracle.py`)
judges each effect, and in the end the whole, by the invariants of the [design](architecture.md).

| figure | value |
|---|---:|
{summary}

An undisturbed export of these small worlds takes two ticks or more, depending on how deep its
splits are. A page of theirs holds two entries, and no crash repeats more events than its page has.

## Schedules

| kind | runs | worst ticks to rest | worst repeated events |
|---|---:|---:|---:|
{schedules}

`one fault` is exhaustive: every fault at every point of a small scenario, with and without a change
of the source when it strikes. `two faults` draws one pair in eight of them. High numbers of ticks
come from outages, and from holes that wait for their next attempt.

## Faults

| fault | times |
|---|---:|
{faults}

## The usual script, in the same world

A date as watermark, offset pages, publish, then commit; it runs with the seeds of `at random`.

| | the usual script | this exporter |
|---|---:|---:|
{baseline}

## Mutants

Deliberate faults in the package. The quick trials of `make test` must catch each, by a verdict of
the oracle: an error of the oracle's own catches nothing. The core as it is must survive them.

| mutant | the wrong belief behind it | caught by invariant | in the trial |
|---|---|---|---|
{mutants}

## Automatic mutants

{automatic}

## Again

`.venv/bin/python -m tests.simulation.replay <trial>` shows any trial, point by point.
{failures}"""

_AUTOMATIC = """\
`make mutate` lets mutmut change one expression of the core at a time, and takes a sample of these
mutants by a seed ({seed}). Of {mutants}, {killed} were killed by what `make test` runs: {rounds}.
Each known survivor has a reason:

| mutant | change | why it survives |
|---|---|---|
{rows}"""


def report(
    seed: int,
    figures: Figures,
    identity: MutantVerdict,
    judged: list[MutantVerdict],
    losses: Losses,
) -> str:
    """The page, as Markdown: two runs with one seed give the same page."""
    failures = [f"- `{failure}`" for failure in figures.failures]
    return _PAGE.format(
        seed=seed,
        summary=_rows(_summary(figures, identity, judged)),
        schedules=_rows(
            (kind, runs, figures.worst_ticks[kind], figures.worst_repeats[kind])
            for kind, runs in sorted(figures.runs.items())
        ),
        faults=_rows((name, figures.counts[count]) for name, count in _FAULTS.items()),
        baseline=_rows(
            [
                ("runs", losses.runs, figures.runs["at random"]),
                ("entries lost (the exporter: runs that lost any)", losses.lost, figures.lost),
                ("of", losses.entries, figures.counts["entries at random"]),
                (
                    "rows again (the exporter: runs that had any)",
                    losses.repeated_rows,
                    figures.lost,
                ),
                ("events again, under new IDs", losses.repeated_events, figures.duplicates),
            ]
        ),
        mutants=_rows(
            (mutant.name, mutant.why, _caught_by(verdict), f"`{verdict.trial}`")
            for mutant, verdict in zip(MUTANTS, judged, strict=True)
        ),
        automatic=_automatic(),
        failures="\n".join(["\n## Failures\n", *failures, ""]) if failures else "",
    )


_FAULTS = {
    "died before a call": Fate.DIE_BEFORE,
    "died after a call": Fate.DIE_AFTER,
    "call done, answer lost": Fate.LOSE_ANSWER,
    "throttled": Fate.THROTTLE,
    "done in part": Fate.PARTLY,
    "answer that is not JSON": Fate.MALFORM,
    "fell asleep until others were done": "paused",
    "message lost": "lost messages",
    "message repeated": "repeated messages",
    "message in the dead-letter queue": "dead letters",
    "worker that found itself superseded": "outcome superseded",
}


def _summary(
    figures: Figures, identity: MutantVerdict, judged: list[MutantVerdict]
) -> Iterator[tuple[object, ...]]:
    counts = figures.counts
    yield "schedules run", figures.runs.total()
    yield "calls of ports", counts["points"]
    yield "source changes", counts["changes"]
    yield "violations of an invariant", len(figures.failures)
    yield "entries that nobody touched, found exactly once", counts["entries"]
    yield "entries lost", figures.lost
    yield "events published", counts["events"]
    yield "events published again, equal to the byte", counts["repeated events"]
    yield "duplicates after de-duplication by ID", figures.duplicates
    yield "worst number of repeated events after one fault", figures.worst_repeats["one fault"]
    yield "worst number of ticks to rest after one fault", figures.worst_ticks["one fault"]
    yield "worst number of ticks to rest after two faults", figures.worst_ticks["two faults"]
    yield "hash seeds", len(hash_seeds.SEEDS)
    yield "the core as it is, as a mutant", "killed" if identity.killed else "survives"
    yield "mutants killed", f"{sum(verdict.killed for verdict in judged)} of {len(judged)}"


def _rows(rows: Iterable[tuple[object, ...]]) -> str:
    return "\n".join(
        "| " + " | ".join(f"{v:,}" if isinstance(v, int) else str(v) for v in row) + " |"
        for row in rows
    )


def _automatic() -> str:
    """What ``make mutate`` found last, if it has run to its end."""
    if not AUTOMATIC.exists():
        return "`make mutate` samples them; it has not run to its end on this core."
    found = json.loads(AUTOMATIC.read_text(encoding="utf-8"))
    rows = (
        (f"`{one['mutant']}`", _in_a_cell(one["change"]), one["reason"])
        for one in found["survivors"]
    )
    killed: dict[str, int] = found["killed"]
    rounds = ", ".join(f"{count} by the {name}" for name, count in killed.items())
    found |= {"killed": sum(killed.values()), "rounds": rounds}
    return _AUTOMATIC.format(**found, rows=_rows(rows))


def _in_a_cell(change: str) -> str:
    lines = (line.replace("|", "\\|") for line in change.splitlines())
    return "<br>".join(f"`{line}`" for line in lines)


def _caught_by(verdict: MutantVerdict) -> str:
    """The invariant that the evidence names."""
    named = [i.value for i in Invariant if f"invariant {i.value}:" in verdict.evidence]
    return named[0] if named else "**nothing**"
