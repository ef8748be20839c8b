"""The counted figures: API calls, latency and bounds. No machine decides them.

Whoever changes one changes what the exporter costs. ``test_cost.py`` holds the bills,
``make bench`` that of a million that trickles.
"""

import pytest

from tests.benchmark.calls import PATTERNS, first_export
from tests.benchmark.latency import latencies
from tests.benchmark.ticks import backfill


@pytest.mark.parametrize(
    ("name", "calls"), [("uniform", 46), ("officeHours", 59), ("bulk", 59), ("sparse", 32)]
)
def test_a_first_export_takes_so_many_api_calls(name: str, calls: int) -> None:
    assert first_export(PATTERNS[name]).total() == calls


def test_an_event_follows_its_entry_within_two_ticks() -> None:
    found = latencies()
    assert max(found) <= 120 + 300
    assert sum(found) / len(found) == pytest.approx(120 + 150, rel=0.1)


def test_the_ticks_of_a_long_backfill_are_bounded() -> None:
    found = backfill()
    assert found.pages > 12_000
    assert max(found.most_planned, found.most_sent) <= 127
    assert found.most_calls <= 31
