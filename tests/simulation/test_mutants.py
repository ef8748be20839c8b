"""A fault in the core does not go unnoticed; nor does one in the world around the core."""

import re
from collections import deque
from collections.abc import Sequence
from itertools import batched

import pytest

from cpd_exporter.model.breaker import BreakerChange
from cpd_exporter.model.event import Event
from cpd_exporter.model.page import ConditionalWrite, Page
from local.places import ROOT
from tests.simulation.invariants import Invariant, Violation
from tests.simulation.mutants import MUTANTS
from tests.simulation.mutants.mutant import Mutant
from tests.simulation.mutants.verdicts import patched, verdicts
from tests.simulation.simulation import Simulation
from tests.simulation.trials import quick_trials
from tests.support.fakes import FakeLake, FakeTimeline, FakeTopic

CAUGHT_IN = dict(
    re.findall(
        r"^\| ([^|]+) \| .* \| `([^`]+)` \|$",
        (ROOT / "docs/proof.md").read_text().partition("## Mutants")[2],
        re.MULTILINE,
    )
)
"""The trial in which ``make prove`` last caught each mutant."""


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_mutant_fits_the_core_as_it_is(mutant: Mutant) -> None:
    assert patched(mutant)


@pytest.mark.parametrize(
    "some", list(batched(MUTANTS[::5], 10, strict=False)), ids=lambda some: some[0].name
)
def test_every_fifth_mutant_is_caught(some: Sequence[Mutant]) -> None:
    """``make prove`` judges them all."""
    judged = verdicts(some, caught_in=CAUGHT_IN)
    assert [verdict.mutant for verdict in judged if not verdict.killed] == []


class OverwritingLake(FakeLake):
    """A bucket without conditional writes."""

    def put_new(self, key: str, body: bytes) -> bool:
        self.objects[key] = body
        return True


class UnconditionalTimeline(FakeTimeline):
    """A table where the last writer wins."""

    def update(self, page: Page, changed: Page) -> bool:
        self._put([changed])
        return True


class HalvingTimeline(FakeTimeline):
    """A table whose transactions may happen in part."""

    def commit(
        self, writes: Sequence[ConditionalWrite], breaker: BreakerChange | None = None
    ) -> bool:
        return super().commit(writes[:1], breaker)


class InventiveTopic(FakeTopic):
    """A topic that sends subscribers more than it got."""

    def publish(self, events: Sequence[Event]) -> dict[str, str]:
        return super().publish([*events, *(_renamed(event) for event in events)])


def _renamed(event: Event) -> Event:
    return Event(event.id, "x", event.body.replace(event.entry_id, "x"), event.attributes)


@pytest.mark.parametrize(
    ("port", "broken", "invariant"),
    [
        ("lake", OverwritingLake, Invariant.WRITE_ONCE),
        ("timeline", UnconditionalTimeline, None),
        ("timeline", HalvingTimeline, Invariant.TILES),
        ("topic", InventiveTopic, Invariant.STORED_FIRST),
    ],
)
def test_the_oracle_sees_a_world_that_breaks_its_word(
    port: str, broken: type, invariant: Invariant | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def spoil(simulation: Simulation) -> None:
        made = broken(simulation.topic.refuse) if port == "topic" else broken()
        setattr(simulation, port, made)
        setattr(simulation.oracle, port, made)

    monkeypatch.setattr(Simulation, "watchers", [spoil])
    with pytest.raises(Violation) as caught:
        deque((trial.run() for trial in quick_trials()), maxlen=0)
    assert invariant in (None, caught.value.invariant)
