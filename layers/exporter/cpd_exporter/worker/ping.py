"""The ping: one event of no entry, to all subscribers or to one queue."""

from cpd_exporter.errors import PermanentError
from cpd_exporter.model.event import ping_for
from cpd_exporter.ports import HasTimeLeft
from cpd_exporter.worker.context import Outcome, WorkReport
from cpd_exporter.worker.job_claim import JobClaim
from cpd_exporter.worker.publish import publisher_for


def ping(claim: JobClaim, _: HasTimeLeft) -> WorkReport:
    """Publish the ping. Raises ``PermanentError`` where nobody takes it.

    The event is a function of the stored job: a worker that dies before the job's end repeats it.
    """
    job, tenant_id = claim.job, claim.context.timeline.tenant_id
    event = ping_for(tenant_id, job.name, job.requested_at, job.attributes)
    refused = publisher_for(claim)([event])
    if refused:
        raise PermanentError(f"the ping is refused: {refused[event.id]}")
    claim.end()
    return WorkReport(Outcome.DONE)
