"""The metrics and log fields of a piece of work."""

from collections.abc import Mapping
from typing import Any

from cpd_exporter.model.row import Change
from cpd_exporter.worker.context import Outcome, WorkReport

MIN_COMPARED_ENTRIES = 20
"""Minimum entries before ``EditedPercent`` is emitted.

If nearly all look edited, a field changes by itself: add it to ``FingerprintExclude``.
"""


def report_metrics(report: WorkReport) -> Mapping[str, float]:
    """The metrics of a report. A name that ends in ``Percent`` says its unit; the others count.

    None is emitted while it is zero: a metric costs as much as three alarms for each hour that it
    is emitted in. Ordinary counts are log fields.
    """
    metrics: dict[str, float] = {}
    if report.quarantined:
        metrics["EntriesQuarantined"] = report.quarantined
    if report.differences:
        metrics["VerifyDifferences"] = report.differences
    edited = report.changes.get(Change.UPDATED, 0)
    if edited and report.compared >= MIN_COMPARED_ENTRIES:
        metrics["EditedPercent"] = 100 * edited / report.compared
    if report.outcome is Outcome.GIVEN_UP or report.unjudged:
        metrics["WorkGivenUp"] = 1
    return metrics


def report_fields(report: WorkReport) -> Mapping[str, Any]:
    """The log fields of a report."""
    return {
        "outcome": report.outcome,
        "changes": {change.value: count for change, count in report.changes.items()},
        "compared": report.compared,
        "unjudged": report.unjudged,
        "quarantined": report.quarantined,
        "replayed": report.replayed,
        "differences": report.differences,
        "report": report.report,
        "unknown": list(report.unknown),
    }
