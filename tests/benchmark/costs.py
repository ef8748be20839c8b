"""AWS calls and list prices: of a million entries in bulk and trickling, and of an idle month."""

from datetime import UTC, datetime, timedelta
from random import Random

import yaml

from tests.benchmark.account import LONG_SWEEP, TICK, Meter, metered
from tests.benchmark.arrivals import entry_at, span, store_of, uniform
from tests.benchmark.processes import ROOT
from tests.benchmark.report import Section
from tests.contracts.account import PlainTemplate
from tests.support.prices import POLLER_REQUESTS_A_DAY

FIRST = datetime(2026, 3, 2, tzinfo=UTC)
DAY = timedelta(days=1)
MONTH_DAYS = 30
BULK = 20_000
TRICKLE_A_DAY = 2740
"""A million a year: some ten in each five minutes."""

HISTORY = 7 * DAY
LONG_LOOKBACK = 35 * DAY
LIVE_AT = FIRST + HISTORY + timedelta(hours=6)
MEASURED = timedelta(hours=2)
LIVE = MEASURED + timedelta(hours=1)
FREE_METRICS = 10
FREE_ALARMS = 10


def bulk() -> Meter:
    """Export a history of a fortnight, all at once."""
    end = FIRST + 14 * DAY
    dates = uniform(Random(7), BULK, *span(FIRST, end - FIRST))
    with metered(store_of(dates), FIRST, end + timedelta(hours=1)) as account:
        account.export_all()
        assert len(account.topic.published) == BULK
        return account.meter()


def day_of(entries: int, *, history: int) -> Meter:
    """A day of the default schedule on which so many entries come; ``history`` a day before.

    The history is exported at once. Two hours then stand for the day, after one that leads in. The
    long sweep is metered by itself, over a part of its lookback.
    """
    rng = Random(7)
    dates = uniform(rng, HISTORY.days * history, *span(FIRST, HISTORY))
    coming = uniform(rng, entries * LIVE // DAY, *span(LIVE_AT, LIVE))
    with metered(store_of(dates), FIRST, LIVE_AT + TICK) as account:
        account.export_all()
        account.arrivals.extend(entry_at(rng, at_ms) for at_ms in sorted(coming))
        account.run(LIVE_AT + LIVE - MEASURED)
        account.forget()
        account.run(LIVE_AT + LIVE)
        hours = account.meter() * (DAY / MEASURED)
        account.forget()
        account.invoke_planner(LONG_SWEEP)
        account.export_all()
        return hours + account.meter() * (LONG_LOOKBACK / HISTORY)


def standing(metrics: float) -> Meter:
    """What a month costs without any call: alarms, secrets, pollers, and so many metrics."""
    text = (ROOT / "template.yaml").read_text()
    resources = yaml.load(text, Loader=PlainTemplate)["Resources"]  # noqa: S506  # a SafeLoader
    types = [resource["Type"] for resource in resources.values()]
    return Meter(
        {
            "alarms.months": types.count("AWS::CloudWatch::Alarm"),
            "secrets.months": types.count("AWS::SecretsManager::Secret"),
            "sqs.requests": POLLER_REQUESTS_A_DAY * MONTH_DAYS,
            "metrics.months": metrics,
        }
    )


def measure_costs() -> Section:
    """Meter all three. A million that trickles costs what its days cost beyond idle days."""
    idle_day = day_of(0, history=20)
    trickle = (day_of(TRICKLE_A_DAY, history=TRICKLE_A_DAY) - idle_day) * (1e6 / TRICKLE_A_DAY)
    months = {
        "bulk": bulk() * (1e6 / BULK),
        "trickle": trickle,
        "idle": idle_day * MONTH_DAYS + standing(idle_day["metrics"]),
    }
    totals = {name: sum(meter.dollars.values()) for name, meter in months.items()}
    free = cost_of_free(months["idle"])
    services = dict.fromkeys(service for meter in months.values() for service in meter.dollars)
    rows: list[tuple[object, ...]] = [
        (name, *(f"{meter[unit]:,.0f}" for meter in months.values()))
        for name, unit in (("API calls", "api.calls"), ("AWS calls", "aws.calls"))
    ]
    rows += [
        (f"$ {service}", *(f"{meter.dollars.get(service, 0):.3f}" for meter in months.values()))
        for service in services
    ]
    rows.append(("$ in all", *(f"{total:.2f}" for total in totals.values())))
    return Section(
        title="AWS calls and list prices (us-east-1, no free tier)",
        columns=("", "a million in bulk", "a million trickling", "an idle month"),
        rows=rows,
        members={
            "dollarsPerMillion": {name: round(totals[name], 4) for name in ("bulk", "trickle")},
            "dollarsIdleMonth": round(totals["idle"], 2),
            "dollarsIdleMonthWithFreeMetricsAndAlarms": round(totals["idle"] - free, 2),
            "awsCallsPerMillion": {
                name: round(months[name]["aws.calls"]) for name in ("bulk", "trickle")
            },
        },
        notes=[
            "Trickling: a million a year, beyond the cost of idle days.",
            f"An account's free {FREE_METRICS} metrics and {FREE_ALARMS} alarms spare ${free:.2f}.",
        ],
    )


def cost_of_free(month: Meter) -> float:
    """The price of the metrics and alarms that each account has for nothing."""
    return sum(
        Meter(
            {
                "metrics.months": min(FREE_METRICS, month["metrics.months"]),
                "alarms.months": min(FREE_ALARMS, month["alarms.months"]),
            }
        ).dollars.values()
    )
