"""Sends jobs to the workers."""

from dataclasses import dataclass

from cpd_exporter.dispatch import send_job
from cpd_exporter.model.job import Job, JobKind
from cpd_exporter.model.resend_policy import ResendPolicy
from cpd_exporter.ports import Clock, NewToken, PlannerTimeline, Queue

_LONG_JOBS = (JobKind.REPLAY, JobKind.REPLAY_STORED, JobKind.VERIFY)
_SHORT_JOBS = (JobKind.REFRESH, JobKind.REPUBLISH, JobKind.PING)


@dataclass(frozen=True, slots=True)
class JobSender:
    """Sends due jobs: at most ``max_jobs`` long ones are under way, and as many short ones.

    So no refresh waits for the end of a replay.
    """

    timeline: PlannerTimeline
    queue: Queue
    clock: Clock
    resend_policy: ResendPolicy
    max_jobs: int

    def send_due(self) -> int:
        """Send due jobs, the oldest command first; returns how many jobs workers have to do."""
        jobs = list(self.timeline.jobs())
        return sum(
            self._send([job for job in jobs if job.kind in kinds])
            for kinds in (_LONG_JOBS, _SHORT_JOBS)
        )

    def _send(self, jobs: list[Job]) -> int:
        now = self.clock()
        due = [job for job in jobs if job.due(now, self.resend_policy)]
        room = max(0, self.max_jobs - len(jobs) + len(due))
        for job in sorted(due, key=lambda one: one.requested_at)[:room]:
            send_job(job, timeline=self.timeline, queue=self.queue, clock=self.clock)
        return len(jobs)


def add_republish_job(timeline: PlannerTimeline, clock: Clock, new_token: NewToken) -> None:
    """Store the job that publishes refused events again, if it is not under way."""
    now = clock()
    kind = JobKind.REPUBLISH
    timeline.add_job(Job(kind.value, kind, now, now, now, now, new_token()))
