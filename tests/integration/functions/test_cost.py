"""What an idle month and a million entries cost, counted from template and code.

``docs/cost.md`` tells the assumptions, which are the constants here, and shows the figures.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from local.places import ROOT
from simulator import Profile, seeded
from tests.contracts.account import TABLE
from tests.support.bill import KB, PRICES, Meter, Units, added, bill, scaled
from tests.support.deployment import Deployment, sample
from tests.support.resolved import ResolvedTemplate
from tests.support.watched import Watched

TICK, HOUR = timedelta(minutes=5), timedelta(hours=1)
DAYS = 30
TICKS, SHORT_SWEEPS, LONG_SWEEPS = DAYS * 24 * 12, DAYS * 24, DAYS
POLLERS, LONG_POLL_SECONDS = 5, 20

GB = 512 / 1024
SECONDS_PER_TICK, SECONDS_PER_SWEEP, SECONDS_PER_PAGE = 0.6, 2.0, 4.5
ENTRIES_PER_PAGE = 800
COLD_STARTS_PER_DAY, COLD_START_SECONDS = 24, 2.0
PLATFORM_LOG_BYTES = 450
STORED = {
    "DynamoDB: GB-month": 0.01,
    "DynamoDB: GB-month of recovery": 0.01,
    "S3: GB-month": 0.01,
}

MAX_IDLE_MONTH, MAX_MILLION, MAX_METRICS = 2.60, 0.15, 3
MILLION = 1_000_000


@dataclass(frozen=True)
class BilledRun:
    """What some invocations used: ``lines`` is what they logged."""

    units: Units
    workers: int
    lines: list[dict[str, Any]] = field(repr=False)

    @property
    def metrics(self) -> set[str]:
        return {
            metric["Name"]
            for line in self.lines
            for directive in line.get("_aws", {}).get("CloudWatchMetrics", [])
            for metric in directive["Metrics"]
        }


class Metered:
    """A deployment whose calls, messages and log lines are counted."""

    def __init__(self, stack: Deployment) -> None:
        self.stack = stack
        self.watched = Watched(stack)
        self._meter = Meter(TABLE)
        self._seen = 0

    def take(self) -> BilledRun:
        """What was used since the last look, without the functions' time."""
        self.stack.logged("INFO")
        text, self._seen = self.stack.output[self._seen :], len(self.stack.output)
        written = [line for line in text.splitlines() if line.startswith("{")]
        lines = [json.loads(line) for line in written]
        invocations = sum(line.get("message") in ("tick", "page") for line in lines)
        workers = sum(line.get("message") == "page" for line in lines)
        logged = sum(map(len, written)) + invocations * PLATFORM_LOG_BYTES
        others = {
            "CloudWatch Logs: GB ingested": logged / KB**3,
            "Lambda: request": invocations,
            # The poller receives each message and deletes it.
            "SQS: request": 2 * workers,
        }
        return BilledRun(added(self._meter.take(), others), workers, lines)


@pytest.fixture
def metered(stack: Deployment) -> Iterator[Metered]:
    first = datetime.now(UTC) - timedelta(days=3)
    stack.simulator.store = seeded(Profile(first=first, end=first + HOUR, entries=1))
    stack.say(FIRST_DATE=f"{first:%Y-%m-%d}")
    yield Metered(stack)
    boto3.setup_default_session()


def schedules(stack: ResolvedTemplate) -> dict[str, tuple[dict[str, Any], int]]:
    """Each schedule's event and how often it comes in a month, by the schedule's name."""
    times = {
        "rate(5 minutes)": TICKS,
        "rate(1 hour)": SHORT_SWEEPS,
        "cron(20 2 * * ? *)": LONG_SWEEPS,
    }
    events = stack.resources["PlannerFunction"]["Properties"]["Events"]
    return {
        name: (
            json.loads(one["Properties"]["Input"]),
            times[one["Properties"]["ScheduleExpression"]],
        )
        for name, one in events.items()
    }


def seconds(count: float) -> Units:
    return {"Lambda: GB-second (arm64)": count * GB}


def shown(title: str) -> dict[str, float]:
    """The dollars by service in a table of ``docs/cost.md``."""
    text = (ROOT / "docs/cost.md").read_text()
    section = text.partition(f"## {title}")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([^|*]+) \|.*\| ([\d.]+) \|$", section, re.MULTILINE)
    return {name: float(dollars) for name, dollars in rows}


def test_an_idle_month_costs_little(metered: Metered) -> None:
    template, watched = ResolvedTemplate(), metered.watched
    watched.run(HOUR)
    watched.planner(sample("planner-sweep-lookback") | {"lookback": "P35D"})
    watched.work_off()
    month, metrics = added(STORED), set[str]()
    for event, times in schedules(template).values():
        metered.take()
        rounds = 12 if times == TICKS else 1
        for _ in range(rounds):
            watched.wait(TICK)
            watched.planner(event)
            watched.work_off()
        run = metered.take()
        time = rounds * SECONDS_PER_TICK + run.workers * SECONDS_PER_SWEEP
        month = added(month, scaled(added(run.units, seconds(time)), times / rounds))
        metrics |= run.metrics
    cold_starts = DAYS * COLD_STARTS_PER_DAY
    month = added(
        month,
        seconds(cold_starts * COLD_START_SECONDS),
        {
            "CloudWatch: metric-month": len(metrics),
            "CloudWatch: alarm-month": len(template.of_type("AWS::CloudWatch::Alarm")),
            "CloudWatch Logs: GB-month": 3 * month["CloudWatch Logs: GB ingested"],
            "EventBridge Scheduler: invocation": TICKS + SHORT_SWEEPS + LONG_SWEEPS,
            "SQS: request": POLLERS * DAYS * 24 * 3600 / LONG_POLL_SECONDS,
            "Secrets Manager: secret-month": len(template.of_type("AWS::SecretsManager::Secret")),
            "Secrets Manager: call": cold_starts,
        },
    )
    assert len(metrics) <= MAX_METRICS
    assert bill(month) == pytest.approx(shown("An idle month"), abs=0.02)
    assert sum(bill(month).values()) <= MAX_IDLE_MONTH


def test_a_million_entries_cost_little(metered: Metered) -> None:
    first, entries = datetime.now(UTC) - timedelta(days=3), 3 * ENTRIES_PER_PAGE
    store = seeded(Profile(first=first, end=first + 60 * HOUR, entries=entries))
    metered.stack.simulator.store = store
    # A queue of moto's takes ever longer, the more messages it holds.
    sns = metered.stack.account.sns
    for one in sns.list_subscriptions()["Subscriptions"]:
        sns.unsubscribe(SubscriptionArn=one["SubscriptionArn"])
    for _ in range(3):
        metered.watched.planner(sample("planner-export"))
        metered.watched.work_off()
        metered.watched.wait(TICK)
    run = metered.take()
    assert len(metered.stack.lake) == entries
    # An environment reads the secret once, however much it exports.
    used = {kind: n for kind, n in run.units.items() if not kind.startswith("Secrets Manager")}
    used = added(used, seconds(entries / ENTRIES_PER_PAGE * SECONDS_PER_PAGE))
    million = scaled(used, MILLION / entries)
    assert bill(million) == pytest.approx(shown("A million entries"), abs=0.01)
    assert sum(bill(million).values()) <= MAX_MILLION


def test_the_totals_are_those_of_the_rows() -> None:
    text = (ROOT / "docs/cost.md").read_text()
    totals = [float(total) for total in re.findall(r"\*\*([\d.]+)\*\* \|$", text, re.MULTILINE)]
    sums = [sum(shown(title).values()) for title in ("An idle month", "A million entries")]
    assert totals == pytest.approx(sums, abs=0.001)


@pytest.mark.parametrize("kind", PRICES)
def test_every_price_is_shown(kind: str) -> None:
    service = kind.partition(":")[0]
    assert re.search(rf"^\| {service} \|", (ROOT / "docs/cost.md").read_text(), re.MULTILINE)
