"""The findings of a verification, and its report in the lake."""

from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any

from cpd_exporter.errors import LakeError
from cpd_exporter.model import exact_json
from cpd_exporter.model.timestamps import format_instant
from cpd_exporter.model.window import Window
from cpd_exporter.worker.job_claim import JobClaim

type Finding = dict[str, Any]

MAX_FINDINGS = 500
"""Findings of one kind in a report; the rest is counted."""

MAX_NAMES = 50
"""Users or entries in one finding; the rest is counted."""

_STAMP = "%Y%m%dT%H%M%SZ"


@dataclass(slots=True)
class Findings:
    """The content of a report. ``differences`` counts findings beyond ``MAX_FINDINGS`` too."""

    entries: int = 0
    objects: int = 0
    differences: int = 0
    damages: list[Finding] = field(default_factory=list)
    minutes: list[Finding] = field(default_factory=list)
    uncompared: list[Finding] = field(default_factory=list)
    unexported: list[Finding] = field(default_factory=list)

    def note(self, findings: list[Finding], finding: Finding, *, differences: int = 1) -> None:
        """Add a finding to one of the lists."""
        self.differences += differences
        if len(findings) < MAX_FINDINGS:
            findings.append(finding)


def read_findings(claim: JobClaim) -> Findings:
    """Read the findings up to the job's cursor. Raises ``LakeError``."""
    job = claim.job
    if job.cursor == job.start:
        return Findings()
    key = progress_key(claim, job.cursor)
    stored = claim.context.lake.read(key)
    if stored is None:
        raise LakeError(key)
    try:
        found = exact_json.load(stored)
        return Findings(**{one.name: found[one.name] for one in fields(Findings)})
    except (ValueError, KeyError, TypeError) as error:
        raise LakeError(key, damage="not the findings of a verification") from error


def encode(claim: JobClaim, findings: Findings, through: datetime) -> bytes:
    """The report up to ``through``, as JSON."""
    job = claim.job
    report = {
        "tenantId": claim.context.timeline.tenant_id,
        **bounds(Window(job.start, job.end)),
        "requestedAt": format_instant(job.requested_at),
        "through": format_instant(through),
        "clean": not findings.differences,
        **asdict(findings),
    }
    return exact_json.dump(report)


def report_key(claim: JobClaim) -> str:
    """The lake key of the finished report."""
    return f"{_name(claim)}.json"


def progress_key(claim: JobClaim, through: datetime) -> str:
    """The lake key of the findings up to ``through``."""
    return f"{_name(claim)}/through-{through:{_STAMP}}.json"


def bounds(window: Window) -> Finding:
    """A window as a report names it."""
    return {"from": format_instant(window.start), "to": format_instant(window.end)}


def _name(claim: JobClaim) -> str:
    job = claim.job
    requested_at = f"{job.requested_at:%Y%m%dT%H%M%S.%fZ}"
    span = f"{job.start:{_STAMP}}_{job.end:{_STAMP}}_{requested_at}"
    return f"reports/verify-{span}"
