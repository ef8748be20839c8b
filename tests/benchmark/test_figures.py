"""The counted figures: API calls, AWS calls, cost, latency and bounds. No machine decides them.

Whoever changes one changes what the exporter costs: the README quotes these figures.
"""

import pytest

from tests.benchmark.account import AWS_CALLS
from tests.benchmark.calls import PATTERNS, first_export
from tests.benchmark.costs import usages
from tests.benchmark.latency import latencies
from tests.benchmark.ticks import backfill


@pytest.mark.parametrize(
    ("name", "calls"), [("uniform", 45), ("officeHours", 97), ("bulk", 171), ("sparse", 32)]
)
def test_a_first_export_takes_so_many_api_calls(name: str, calls: int) -> None:
    assert first_export(PATTERNS[name]).total() == calls


def test_a_million_entries_and_an_idle_month_take_so_many_calls_and_dollars() -> None:
    found = usages()
    calls = {name: used.units[AWS_CALLS] for name, used in found.items()}
    assert calls == pytest.approx(
        {"bulk": 114_300, "trickle": 2_423_723, "idle": 241_520}, rel=0.01
    )
    dollars = {name: sum(used.dollars.values()) for name, used in found.items()}
    assert dollars == pytest.approx({"bulk": 0.090, "trickle": 3.64, "idle": 7.07}, rel=0.03)


def test_an_event_follows_its_entry_within_two_ticks() -> None:
    found = latencies()
    assert max(found) <= 120 + 300
    assert sum(found) / len(found) == pytest.approx(120 + 150, rel=0.1)


def test_the_ticks_of_a_long_backfill_are_bounded() -> None:
    found = backfill()
    assert found.pages > 12_500
    assert max(found.most_planned, found.most_sent) <= 127
    assert found.most_calls <= 12
