"""The oracle for alarms: each loss in the stored state reaches a metric that has an alarm."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from cpd_exporter.planner.status import tick_metrics
from cpd_exporter.worker.context import Outcome
from cpd_exporter.worker.metrics import report_metrics
from local.stack.template import template
from tests.simulation.invariants import Invariant, check
from tests.simulation.processes import Process
from tests.support.fakes import FakeTimeline


def watched_metrics() -> frozenset[str]:
    """The exporter's own metrics that have an alarm in ``template.yaml``."""
    alarms = (
        one["Properties"]
        for one in template()["Resources"].values()
        if one["Type"] == "AWS::CloudWatch::Alarm"
    )
    return frozenset(one["MetricName"] for one in alarms if one["Namespace"] == "CpdExporter")


class AlarmOracle:
    """Takes the metrics that each process emits; a loss that reaches no alarm is a violation."""

    watched = watched_metrics()

    def __init__(self, timeline: FakeTimeline) -> None:
        self.timeline = timeline
        self._tick: Mapping[str, float] = {}
        self._ticked_at: datetime | None = None

    def take(self, process: Process, now: datetime) -> None:
        """Take the metrics of a process that has ended."""
        if process.dead:
            return
        if process.name.startswith("tick"):
            self._take_tick(process, now)
        elif process.name.startswith("worker"):
            self._take_work(process)

    def judge(self) -> None:
        """Judge the losses that the last tick could see, once all is at rest."""
        for kind, metric, since in self._losses():
            if self._ticked_at is None or since >= self._ticked_at:
                continue  # the next tick reports it
            age = int((self._ticked_at - since).total_seconds())
            value = self._tick.get(metric, 0)
            heard = value >= (age if metric.endswith("Seconds") else 1)
            _judge(kind, heard and metric in self.watched, f"since {since}: {metric} {value}")

    def _take_tick(self, process: Process, now: datetime) -> None:
        report = process.result
        if report is not None:
            self._tick, self._ticked_at = tick_metrics(report, now), process.started

    def _take_work(self, process: Process) -> None:
        report: Any = process.result
        if report is None:
            return  # the message comes again, or is a dead letter, which has an alarm
        heard = {name for name, value in report_metrics(report).items() if value} & self.watched
        if report.quarantined:
            _judge("quarantine", "EntriesQuarantined" in heard, f"{report.quarantined} records")
        if report.outcome is Outcome.GIVEN_UP:
            _judge("given-up", "WorkGivenUp" in heard, f"{process.name}: {report.error}")

    def _losses(self) -> Iterator[tuple[str, str, datetime]]:
        """Each loss with its metric, and since when it is one."""
        timeline, breaker = self.timeline, self.timeline.stored_breaker
        for page in (*timeline.stored_pages.values(), *timeline.stored_sweeps.values()):
            if page.hole_since is not None:
                yield "hole", "HoleAgeSeconds", page.hole_since
            for gone in page.missing.values():
                if gone.held_at is not None and breaker and breaker.holds(gone):
                    yield "held", "DeletionsHeld", gone.held_at
        for refusal in timeline.refusals():
            yield "refusal", "HoleAgeSeconds", refusal.since


def _judge(kind: str, heard: object, detail: str) -> None:
    check(Invariant.LOUD, heard, f"a {kind} reaches no alarm: {detail}")
