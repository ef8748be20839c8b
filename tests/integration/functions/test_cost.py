"""What an idle month and a million entries cost, counted from template and code.

``docs/cost.md`` tells the assumptions and shows the figures.
"""

import re
from collections.abc import Iterator

import pytest

from local.places import ROOT
from tests.support.bill import PRICES, bill
from tests.support.deployment import Deployment
from tests.support.metered import Metered, metered, million_in_bulk, month

MAX_IDLE_MONTH, MAX_MILLION, MAX_METRICS = 2.60, 0.15, 3


@pytest.fixture
def meter(stack: Deployment) -> Iterator[Metered]:
    with metered(stack) as meter:
        yield meter


def shown(title: str) -> dict[str, float]:
    """The dollars by service in a table of ``docs/cost.md``."""
    text = (ROOT / "docs/cost.md").read_text()
    section = text.partition(f"## {title}")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([^|*]+) \|.*\| ([\d.]+) \|$", section, re.MULTILINE)
    return {name: float(dollars) for name, dollars in rows}


def test_an_idle_month_costs_little(meter: Metered) -> None:
    idle = month(meter)
    assert len(idle.metrics) <= MAX_METRICS
    billed, table = bill(idle.units), shown("An idle month")
    assert billed == pytest.approx(table, abs=0.02)
    # So small that the bound above would hide how long logs are kept.
    assert billed["CloudWatch Logs"] == pytest.approx(table["CloudWatch Logs"], abs=0.003)
    assert sum(bill(idle.units).values()) <= MAX_IDLE_MONTH


def test_a_million_entries_cost_little(meter: Metered) -> None:
    million = bill(million_in_bulk(meter).units)
    assert million == pytest.approx(shown("A million entries"), abs=0.01)
    assert sum(million.values()) <= MAX_MILLION


def test_the_totals_are_those_of_the_rows() -> None:
    text = (ROOT / "docs/cost.md").read_text()
    totals = [float(total) for total in re.findall(r"\*\*([\d.]+)\*\* \|$", text, re.MULTILINE)]
    sums = [sum(shown(title).values()) for title in ("An idle month", "A million entries")]
    assert totals == pytest.approx(sums, abs=0.001)


@pytest.mark.parametrize("kind", PRICES)
def test_every_price_is_shown(kind: str) -> None:
    service = kind.partition(":")[0]
    assert re.search(rf"^\| {service} \|", (ROOT / "docs/cost.md").read_text(), re.MULTILINE)
