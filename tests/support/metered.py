"""What a deployment uses of what AWS bills: in a month, and for entries in bulk or trickling in.

``docs/cost.md`` tells the assumptions, which are the constants here.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3

from simulator import Profile, seeded
from tests.contracts.account import TABLE
from tests.support.bill import KB, Meter, Units, added, scaled
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
LOGGED = "CloudWatch Logs: GB ingested"
STORED = {
    "DynamoDB: GB-month": 0.01,
    "DynamoDB: GB-month of recovery": 0.01,
    "S3: GB-month": 0.01,
}


MILLION = 1_000_000
HISTORY, LONG_LOOKBACK = timedelta(days=3), timedelta(days=35)
TRICKLING = 10
"""Entries a tick: some million a year."""


@dataclass(frozen=True)
class BilledRun:
    """What some invocations used: ``lines`` is what they logged, ``calls`` those to AWS."""

    units: Units
    workers: int
    calls: int
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
        self.watched.wait(_noon() - self.watched.now)
        self._meter = Meter(TABLE)
        self._seen = 0

    def take(self) -> BilledRun:
        """What was used since the last look, without the functions' time."""
        self.stack.logged("INFO")
        text, self._seen = self.stack.output[self._seen :], len(self.stack.output)
        written = [line for line in text.splitlines() if line.startswith("{")]
        lines = [json.loads(line) for line in written]
        invocations = sum(line.get("message") in ("tick", "work") for line in lines)
        workers = sum(line.get("message") == "work" for line in lines)
        logged = sum(map(len, written)) + invocations * PLATFORM_LOG_BYTES
        others = {
            LOGGED: logged / KB**3,
            "Lambda: request": invocations,
            # The poller receives each message and deletes it.
            "SQS: request": 2 * workers,
        }
        calls, self._meter.calls = self._meter.calls, 0
        return BilledRun(added(self._meter.take(), others), workers, calls, lines)


@dataclass(frozen=True)
class Billed:
    """Units by kind, and the calls to AWS that they come from. ``metrics`` are billed by name."""

    units: Units
    calls: float
    metrics: frozenset[str] = frozenset()


@contextmanager
def metered(stack: Deployment) -> Iterator[Metered]:
    """Meter a deployment whose timeline begins three days ago; its API has one entry."""
    first = _noon() - HISTORY
    stack.simulator.store = seeded(Profile(first=first, end=first + HOUR, entries=1))
    stack.say(FIRST_DATE=f"{first:%Y-%m-%d}")
    try:
        yield Metered(stack)
    finally:
        boto3.setup_default_session()


def month(meter: Metered, *, trickling: int = 0) -> Billed:
    """Meter each schedule once, for a month. ``trickling`` entries come before each tick."""
    template, watched = ResolvedTemplate(), meter.watched
    if trickling:
        _seed(meter, entries=trickling * (HISTORY // TICK))
    watched.run(HOUR)
    watched.planner(sample("planner-sweep-lookback") | {"lookback": "P35D"})
    watched.work_off()
    units, calls, metrics = added(STORED), 0.0, set[str]()
    for event, times in _schedules(template).values():
        meter.take()
        rounds = 12 if times == TICKS else 1
        for _ in range(rounds):
            watched.wait(TICK)
            for number in range(trickling if times == TICKS else 0):
                meter.stack.simulator.insert(watched.now - number * TICK / trickling)
            watched.planner(event)
            watched.work_off()
        run = meter.take()
        time = rounds * SECONDS_PER_TICK + run.workers * SECONDS_PER_SWEEP
        # The long sweep looks back over more entries than the history has.
        length = LONG_LOOKBACK / HISTORY if trickling and times == LONG_SWEEPS else 1
        share = length * times / rounds
        units = added(units, scaled(added(run.units, _seconds(time)), share))
        calls += run.calls * share
        metrics |= run.metrics
    cold_starts = DAYS * COLD_STARTS_PER_DAY
    units = added(
        units,
        _seconds(cold_starts * COLD_START_SECONDS),
        {
            "CloudWatch: metric-month": len(metrics),
            "CloudWatch: alarm-month": len(template.of_type("AWS::CloudWatch::Alarm")),
            "CloudWatch Logs: GB-month": _kept_months(template) * units[LOGGED],
            "EventBridge Scheduler: invocation": TICKS + SHORT_SWEEPS + LONG_SWEEPS,
            "SQS: request": POLLERS * DAYS * 24 * 3600 / LONG_POLL_SECONDS,
            "Secrets Manager: secret-month": len(template.of_type("AWS::SecretsManager::Secret")),
            "Secrets Manager: call": cold_starts,
        },
    )
    return Billed(units, calls, frozenset(metrics))


def million_in_bulk(meter: Metered) -> Billed:
    """Meter a first export, for a million entries."""
    entries = 3 * ENTRIES_PER_PAGE
    _seed(meter, entries=entries)
    for _ in range(3):
        meter.watched.planner(sample("planner-export"))
        meter.watched.work_off()
        meter.watched.wait(TICK)
    run = meter.take()
    assert len(meter.stack.lake) == entries
    # An environment reads the secret once, however much it exports.
    used = {kind: n for kind, n in run.units.items() if not kind.startswith("Secrets Manager")}
    used = added(used, _seconds(entries / ENTRIES_PER_PAGE * SECONDS_PER_PAGE))
    return Billed(scaled(used, MILLION / entries), run.calls * MILLION / entries)


def million_trickling(trickling: Billed, idle: Billed) -> Billed:
    """What a million entries add to idle months."""
    factor = MILLION / (TRICKLING * TICKS)
    units = scaled(added(trickling.units, scaled(idle.units, -1)), factor)
    return Billed(units, (trickling.calls - idle.calls) * factor)


def _seed(meter: Metered, *, entries: int) -> None:
    first = _noon() - HISTORY
    store = seeded(Profile(first=first, end=first + 60 * HOUR, entries=entries))
    meter.stack.simulator.store = store
    # A queue of moto's takes ever longer, the more messages it holds.
    sns = meter.stack.account.sns
    for one in sns.list_subscriptions()["Subscriptions"]:
        sns.unsubscribe(SubscriptionArn=one["SubscriptionArn"])


def _schedules(stack: ResolvedTemplate) -> dict[str, tuple[dict[str, Any], int]]:
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


def _kept_months(stack: ResolvedTemplate) -> float:
    """For how many months each line of a log is stored, and paid for."""
    (days,) = {one["RetentionInDays"] for one in stack.of_type("AWS::Logs::LogGroup").values()}
    return float(days) / DAYS


def _noon() -> datetime:
    """Noon of a 15th to come: how many pages there are depends on the time of day and of month."""
    now = datetime.now(UTC)
    next_month = now + timedelta(days=31 if now.day > 14 else 0)
    return next_month.replace(day=15, hour=12, minute=0, second=0, microsecond=0)


def _seconds(count: float) -> Units:
    return {"Lambda: GB-second (arm64)": count * GB}
