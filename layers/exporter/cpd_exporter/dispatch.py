"""Sends pages, sweeps and jobs into the work queue. Only the planner does.

The plan is the outbox: the next tick sends again whatever a call leaves in doubt.
"""

from collections.abc import Sequence

from cpd_exporter.model.job import Job
from cpd_exporter.model.message import JobMessage, Message, message_for
from cpd_exporter.model.page import Page
from cpd_exporter.ports import Clock, PlannerTimeline, Queue


def send(pages: Sequence[Page], *, timeline: PlannerTimeline, queue: Queue, clock: Clock) -> int:
    """Send pages to the workers and note it; returns how many are surely in the queue."""
    if not pages:
        return 0
    named: dict[Message, Page] = {message_for(page, timeline.tenant_id): page for page in pages}
    accepted = queue.send(list(named))
    timeline.mark_sent([named[message] for message in accepted], clock())
    return len(accepted)


def send_job(job: Job, *, timeline: PlannerTimeline, queue: Queue, clock: Clock) -> None:
    """Send a job to a worker and note it."""
    if queue.send([JobMessage(tenant_id=timeline.tenant_id, name=job.name)]):
        timeline.mark_job_sent(job, clock())
