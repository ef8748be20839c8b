"""One verification: checks stretch by stretch, from the job's cursor on, and writes a report.

The check of the lake is exact. The API's sums are the only independent checksum there is, with
bounds that nobody documents: a difference in minutes is a warning, which names users and the
windows to sweep.

The findings so far are an object in the lake, named by the cursor, so that a verification of any
length goes on. Every worker that reaches a cursor has checked all before it, so the findings of
either of two workers may stand there.
"""

from collections.abc import Sequence

from cpd_exporter.errors import PermanentError
from cpd_exporter.model.page import Page, PageState
from cpd_exporter.model.window import next_month
from cpd_exporter.ports import HasTimeLeft
from cpd_exporter.worker.context import Outcome, WorkReport
from cpd_exporter.worker.job_claim import JobClaim
from cpd_exporter.worker.verify.lake_check import PageShare, check_page
from cpd_exporter.worker.verify.minutes_check import find_differing_users, trace, window_of
from cpd_exporter.worker.verify.report import (
    MAX_NAMES,
    Findings,
    bounds,
    encode,
    progress_key,
    read_findings,
    report_key,
)

MAX_STRETCH_ENTRIES = 10_000
"""Entries whose sums are compared at once: a worker holds them in memory."""


def verify(claim: JobClaim, has_time_left: HasTimeLeft) -> WorkReport:
    """Verify stretch by stretch for as long as ``has_time_left``, then write the report.

    A stretch holds as many neighbouring pages of one month as time and memory allow, but one at
    least. A page that is not done is only named.
    """
    lake = claim.context.lake
    findings = read_findings(claim)
    while page := claim.find_page_from(claim.job.cursor):
        if page.state is PageState.DONE:
            shares = _read_stretch(claim, page, findings, has_time_left)
            _compare_minutes(claim, shares, findings)
            through = shares[-1].window.end
        else:
            window = claim.share_of(page, claim.job.cursor)
            finding = bounds(window) | {"state": page.state.value}
            findings.note(findings.unexported, finding, differences=0)
            through = window.end
        lake.put_new(progress_key(claim, through), encode(claim, findings, through))
        claim.progress(through)
        if not has_time_left() and claim.find_page_from(through):
            claim.pause()
            return WorkReport(Outcome.PAUSED)
    key = report_key(claim)
    lake.put_new(key, encode(claim, findings, claim.job.cursor))
    counts = {"differences": findings.differences, "entries": findings.entries}
    claim.end(report=key, counts=counts)
    return WorkReport(Outcome.DONE, differences=findings.differences, report=key)


def _read_stretch(
    claim: JobClaim, first: Page, findings: Findings, has_time_left: HasTimeLeft
) -> list[PageShare]:
    """Check pages against the lake, from the first on; returns their shares."""
    shares: list[PageShare] = []
    since, entries = claim.job.cursor, 0
    month_end = next_month(claim.share_of(first, since).start)
    page: Page | None = first
    while page and page.state is PageState.DONE and page.window.start < month_end:
        share = PageShare(claim.share_of(page, since), page.quarantined)
        check_page(claim.context, page, share, findings)
        shares.append(share)
        claim.renew_lease()
        entries += len(share.logged)
        if entries >= MAX_STRETCH_ENTRIES or not has_time_left():
            break
        since = share.window.end
        page = claim.find_page_from(since)
    return shares


def _compare_minutes(claim: JobClaim, shares: Sequence[PageShare], findings: Findings) -> None:
    """Compare a stretch's minutes with the API's sums, and trace the differences."""
    stretch = bounds(window_of(shares))
    try:
        users = find_differing_users(claim.context, shares)
    except PermanentError as error:
        findings.note(findings.uncompared, stretch | {"error": str(error)})
        return
    if not users:
        return
    sweep = [
        bounds(window_of(some)) | {"quarantined": sum(share.quarantined for share in some)}
        for some in trace(claim.context, shares, users.keys())
    ]
    named = [users[user] for user in sorted(users)[:MAX_NAMES]]
    finding = stretch | {"users": named, "usersDiffering": len(users), "sweep": sweep}
    findings.note(findings.minutes, finding, differences=len(users))
