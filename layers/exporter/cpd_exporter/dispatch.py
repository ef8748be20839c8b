"""Sends pages, sweeps and jobs into the work queue.

The plan is the outbox: the next tick sends again whatever a call leaves in doubt.
"""

from collections.abc import Sequence
from typing import Protocol

from cpd_exporter.model.job import Job
from cpd_exporter.model.message import JobMessage, Message, message_for
from cpd_exporter.model.page import Page
from cpd_exporter.ports import Clock, JobStore, MarkStore, PageStore, Queue


class _Marks(PageStore, MarkStore, Protocol): ...


class _Jobs(PageStore, JobStore, Protocol): ...


def send(
    pages: Sequence[Page], *, timeline: _Marks, queue: Queue, clock: Clock, chain_length: int = 0
) -> int:
    """Send pages to the workers and note it; returns how many are surely in the queue."""
    if not pages:
        return 0
    named: dict[Message, Page] = {
        message_for(page, timeline.tenant_id, chain_length=chain_length): page for page in pages
    }
    accepted = queue.send(list(named))
    timeline.mark_sent([named[message] for message in accepted], clock())
    return len(accepted)


def send_job(job: Job, *, timeline: _Jobs, queue: Queue, clock: Clock) -> None:
    """Send a job to a worker and note it."""
    if queue.send([JobMessage(tenant_id=timeline.tenant_id, name=job.name)]):
        timeline.mark_job_sent(job, clock())
