"""The counted figures: API calls, AWS calls, cost, latency and bounds. No machine decides them.

Whoever changes one changes what the exporter costs: docs/cost.md quotes these figures.
"""

import pytest

from tests.benchmark.calls import PATTERNS, first_export
from tests.benchmark.costs import trickling
from tests.benchmark.latency import latencies
from tests.benchmark.ticks import backfill
from tests.support.bill import bill


@pytest.mark.parametrize(
    ("name", "calls"), [("uniform", 46), ("officeHours", 59), ("bulk", 59), ("sparse", 32)]
)
def test_a_first_export_takes_so_many_api_calls(name: str, calls: int) -> None:
    assert first_export(PATTERNS[name]).total() == calls


def test_a_million_that_trickles_costs_so_much() -> None:
    """``test_cost.py`` holds the other bills."""
    trickle = trickling()["trickle"]
    assert sum(bill(trickle.units).values()) == pytest.approx(5.54, rel=0.05)


def test_an_event_follows_its_entry_within_two_ticks() -> None:
    found = latencies()
    assert max(found) <= 120 + 300
    assert sum(found) / len(found) == pytest.approx(120 + 150, rel=0.1)


def test_the_ticks_of_a_long_backfill_are_bounded() -> None:
    found = backfill()
    assert found.pages > 12_000
    assert max(found.most_planned, found.most_sent) <= 127
    assert found.most_calls <= 31
