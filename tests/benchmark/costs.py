"""AWS calls and list prices: of a million entries in bulk and trickling, and of an idle month."""

import io
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

import pytest

from simulator import EntryStore, Simulator, running
from tests.benchmark.report import Bar, Section
from tests.support.bill import bill
from tests.support.deployment import CREDENTIALS, deployed
from tests.support.metered import (
    TRICKLING,
    Billed,
    Metered,
    metered,
    million_in_bulk,
    million_trickling,
    month,
)


class _Output(io.StringIO):
    def take(self) -> str:
        text = self.getvalue()
        self.seek(0)
        self.truncate()
        return text


@contextmanager
def _new_deployment() -> Iterator[Metered]:
    simulator, output = Simulator(EntryStore(), credentials=CREDENTIALS), _Output()
    with (
        running(simulator) as url,
        pytest.MonkeyPatch.context() as patch,
        redirect_stdout(output),
        deployed(simulator, url, patch, output.take) as stack,
        metered(stack) as meter,
    ):
        yield meter


def usages() -> dict[str, Billed]:
    """A million in bulk, a million that trickles beyond idle months, and an idle month."""
    with _new_deployment() as meter:
        bulk = million_in_bulk(meter)
    with _new_deployment() as meter:
        idle = month(meter)
    with _new_deployment() as meter:
        trickle = million_trickling(month(meter, trickling=TRICKLING), idle)
    return {"bulk": bulk, "trickle": trickle, "idle": idle}


def measure_costs() -> Section:
    """Meter all three."""
    found = usages()
    bills = {name: bill(used.units) for name, used in found.items()}
    totals = {name: sum(dollars.values()) for name, dollars in bills.items()}
    services = dict.fromkeys(service for dollars in bills.values() for service in dollars)
    rows: list[tuple[object, ...]] = [
        ("AWS calls", *(f"{used.calls:,.0f}" for used in found.values()))
    ]
    rows += [
        (f"$ {service}", *(f"{dollars.get(service, 0):.3f}" for dollars in bills.values()))
        for service in services
    ]
    rows.append(("$ in all", *(f"{total:.2f}" for total in totals.values())))
    return Section(
        title="AWS calls and list prices (us-east-1, no free tier)",
        columns=("", "a million in bulk", "a million trickling", "an idle month"),
        rows=rows,
        members={
            "dollarsPerMillion": {name: round(totals[name], 4) for name in ("bulk", "trickle")},
            "dollarsIdleMonth": round(totals["idle"], 3),
            "awsCallsPerMillion": {name: round(found[name].calls) for name in ("bulk", "trickle")},
            "awsCallsIdleMonth": round(found["idle"].calls),
        },
        bars=[
            Bar("a million in bulk, $", totals["bulk"], 0.15),
            Bar("a million trickling, $", totals["trickle"], 5.80),
            Bar("an idle month, $", totals["idle"], 2.60),
        ],
        notes=["Trickling: a million a year at five-minute ticks, beyond the cost of idle months."],
    )
