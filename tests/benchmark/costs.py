"""AWS calls and list prices: of a million entries in bulk and trickling, and of an idle month."""

from datetime import UTC, datetime, timedelta
from random import Random

import yaml

from tests.benchmark.account import API_CALLS, AWS_CALLS, LONG_SWEEP, TICK, Usage, metered
from tests.benchmark.arrivals import entry_at, span, store_of, uniform
from tests.benchmark.processes import ROOT
from tests.benchmark.report import Bar, Section
from tests.contracts.account import PlainTemplate

FIRST = datetime(2026, 3, 2, tzinfo=UTC)
DAY = timedelta(days=1)
MONTH_DAYS = 30
BULK = 20_000
TRICKLE_A_DAY = 2740
"""A million a year: some ten in each five minutes."""

HISTORY = 3 * DAY
LONG_LOOKBACK = 35 * DAY
LIVE_AT = FIRST + HISTORY + timedelta(hours=6)
MEASURED = timedelta(hours=2)
LIVE = MEASURED + timedelta(hours=1)
POLLER_REQUESTS_A_DAY = 5 * 86_400 / 20
"""Lambda keeps five pollers; each asks the queue every 20 seconds."""


def bulk() -> Usage:
    """Export a history of a fortnight, all at once."""
    end = FIRST + 14 * DAY
    dates = uniform(Random(7), BULK, *span(FIRST, end - FIRST))
    with metered(store_of(dates), FIRST, end + timedelta(hours=1)) as account:
        account.export_all()
        assert len(account.topic.published) == BULK
        return account.used()


def day_of(entries: int, *, history: int) -> Usage:
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
        hours = account.used() * (DAY / MEASURED)
        account.forget()
        account.invoke_planner(LONG_SWEEP)
        account.export_all()
        return hours + account.used() * (LONG_LOOKBACK / HISTORY)


def standing(metrics: int) -> Usage:
    """What a month costs without any call: alarms, secrets, pollers, and so many metrics."""
    text = (ROOT / "template.yaml").read_text()
    resources = yaml.load(text, Loader=PlainTemplate)["Resources"]  # noqa: S506  # a SafeLoader
    types = [resource["Type"] for resource in resources.values()]
    return Usage(
        {
            "CloudWatch: alarm-month": types.count("AWS::CloudWatch::Alarm"),
            "CloudWatch: metric-month": metrics,
            "Secrets Manager: secret-month": types.count("AWS::SecretsManager::Secret"),
            "SQS: request": POLLER_REQUESTS_A_DAY * MONTH_DAYS,
        }
    )


def usages() -> dict[str, Usage]:
    """A million in bulk, a million that trickles, and an idle month.

    A million that trickles costs what its days cost beyond idle days.
    """
    idle = day_of(0, history=20)
    trickle = day_of(TRICKLE_A_DAY, history=TRICKLE_A_DAY) - idle
    return {
        "bulk": bulk() * (1e6 / BULK),
        "trickle": trickle * (1e6 / TRICKLE_A_DAY),
        "idle": idle * MONTH_DAYS + standing(idle.metrics),
    }


def measure_costs() -> Section:
    """Meter all three."""
    found = usages()
    totals = {name: sum(used.dollars.values()) for name, used in found.items()}
    services = dict.fromkeys(service for used in found.values() for service in used.dollars)
    rows: list[tuple[object, ...]] = [
        (name, *(f"{used.units.get(name, 0):,.0f}" for used in found.values()))
        for name in (API_CALLS, AWS_CALLS)
    ]
    rows += [
        (f"$ {service}", *(f"{used.dollars.get(service, 0):.3f}" for used in found.values()))
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
            "awsCallsPerMillion": {
                name: round(found[name].units[AWS_CALLS]) for name in ("bulk", "trickle")
            },
        },
        bars=[
            Bar("a million in bulk, $", totals["bulk"], 0.15),
            Bar("an idle month, $", totals["idle"], 2.60),
        ],
        notes=["Trickling: a million a year at five-minute ticks, beyond the cost of idle days."],
    )
