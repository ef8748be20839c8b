"""The worker: takes a message, attempts the work that it names, and reports the outcome."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from cpd_exporter.errors import MalformedInputError, PermanentError
from cpd_exporter.model.job import JobKind, JobOutcome
from cpd_exporter.model.message import JobMessage, Message, PageMessage
from cpd_exporter.model.page import PageState, WorkKind
from cpd_exporter.model.timestamps import format_instant
from cpd_exporter.ports import HasTimeLeft
from cpd_exporter.worker.attempt import Claim, PageClaim, SupersededError
from cpd_exporter.worker.context import Outcome, WorkerContext, WorkReport
from cpd_exporter.worker.export import export_page, give_up_page
from cpd_exporter.worker.job_claim import JobClaim
from cpd_exporter.worker.ping import ping
from cpd_exporter.worker.refresh import refresh
from cpd_exporter.worker.replay import replay, replay_stored
from cpd_exporter.worker.republish import republish
from cpd_exporter.worker.sweep.sweep import give_up_sweep, sweep_pages
from cpd_exporter.worker.verify.verify import verify

_JOBS: dict[JobKind, Callable[[JobClaim, HasTimeLeft], WorkReport]] = {
    JobKind.REPLAY: replay,
    JobKind.REPLAY_STORED: replay_stored,
    JobKind.VERIFY: verify,
    JobKind.REFRESH: refresh,
    JobKind.REPUBLISH: republish,
    JobKind.PING: ping,
}


@dataclass(frozen=True, slots=True)
class Worker:
    """The worker of one tenant."""

    context: WorkerContext

    def handle(self, message: Message, *, has_time_left: HasTimeLeft = lambda: True) -> WorkReport:
        """Do the piece of work that a message names, as far as it is not done.

        A job and a dense page go on for as long as ``has_time_left``. Raises ``TransientError`` and
        ``ConfigurationError`` (the message is to come again, and the attempt does not count),
        ``PermanentError`` (to come again, and it counts) and ``MalformedInputError`` (never again).
        """
        tenant_id = self.context.timeline.tenant_id
        if message.tenant_id != tenant_id:
            raise MalformedInputError(
                f"the message is for tenant {message.tenant_id}, but this stack exports "
                f"{tenant_id}: was the secret changed, or the queue shared?"
            )
        try:
            if isinstance(message, JobMessage):
                return self._continue_job(message, has_time_left)
            return self._work_on_page(message, has_time_left)
        except SupersededError:
            return WorkReport(Outcome.SUPERSEDED)

    def _work_on_page(self, message: PageMessage, has_time_left: HasTimeLeft) -> WorkReport:
        page = self.context.timeline.page(message.start, message.kind)
        if page is None or not message.names(page) or page.state is PageState.DONE:
            return WorkReport(Outcome.GONE)
        claim = PageClaim(page, self.context, has_time_left)
        if page.kind is WorkKind.SWEEP:
            return _attempt(claim, partial(sweep_pages, claim), partial(give_up_sweep, claim))
        return _attempt(claim, partial(export_page, claim), partial(give_up_page, claim))

    def _continue_job(self, message: JobMessage, has_time_left: HasTimeLeft) -> WorkReport:
        job = next((one for one in self.context.timeline.jobs() if one.name == message.name), None)
        if job is None or job.kind not in _JOBS:
            return WorkReport(Outcome.GONE)
        claim = JobClaim(job, self.context)
        return _attempt(
            claim, partial(_JOBS[job.kind], claim, has_time_left), partial(_give_up_job, claim)
        )


def _attempt(
    claim: Claim, work: Callable[[], WorkReport], give_up: Callable[[PermanentError], WorkReport]
) -> WorkReport:
    if claim.is_leased:
        return WorkReport(Outcome.LEASED)
    return claim.attempt(work, give_up)


def _give_up_job(claim: JobClaim, error: PermanentError) -> WorkReport:
    """End a job after the last attempt at one cursor. The operator may send the command again."""
    stopped_at = format_instant(claim.job.cursor)
    reason = PermanentError(
        f"{claim.job.name} is given up at {stopped_at}: {error}. "
        "Mend that, then send the command again"
    )
    claim.end(JobOutcome.GIVEN_UP, error=str(reason))
    return WorkReport(Outcome.GIVEN_UP, error=reason)
