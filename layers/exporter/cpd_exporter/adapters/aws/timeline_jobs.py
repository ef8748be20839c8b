"""The timeline's jobs, under way and ended, and the conditional writes that all its items share."""

from collections.abc import Iterator
from datetime import datetime
from itertools import islice

from cpd_exporter.adapters.aws.codec import text_of
from cpd_exporter.adapters.aws.dynamodb import (
    ABSENT,
    LAST_SORT_KEY,
    PRESENT,
    Item,
    Partition,
    equal,
)
from cpd_exporter.adapters.aws.timeline_items import ENDED_JOB, JOB, ended_key, job_key
from cpd_exporter.model.job import EndedJob, Job

MAX_ENDED_JOBS = 10


class JobItems:
    """The items of one tenant's jobs."""

    def __init__(self, items: Partition) -> None:
        self._items = items

    def add_job(self, job: Job) -> None:
        self._put_if_none(job_key(job.name), JOB.encode(job))

    def jobs(self) -> Iterator[Job]:
        return map(JOB.decode, self._items.query("JOB#", f"JOB#{LAST_SORT_KEY}"))

    def update_job(self, job: Job, changed: Job) -> bool:
        key = job_key(job.name)
        before, after = JOB.encode(job), JOB.encode(changed)
        return self._replace(key, before, after) or self._find_revision(key, changed.revision)

    def mark_job_sent(self, job: Job, at: datetime) -> None:
        key = job_key(job.name)
        self._items.do(self._items.update(key, {"sentAt": text_of(at)}, PRESENT))

    def end_job(self, job: Job, ended: EndedJob) -> bool:
        removal = self._items.delete(job_key(job.name), equal(revision=job.revision))
        trace = self._items.put(ended_key(ended.name), ENDED_JOB.encode(ended))
        if not self._items.do_all([removal, trace]):
            return False
        for old in islice(self.ended_jobs(), MAX_ENDED_JOBS, None):
            self._items.do(self._items.delete(ended_key(old.name), PRESENT))
        return True

    def ended_jobs(self) -> Iterator[EndedJob]:
        found = map(ENDED_JOB.decode, self._items.query("ENDED#", f"ENDED#{LAST_SORT_KEY}"))
        yield from sorted(found, key=lambda one: one.ended_at, reverse=True)

    def _put_if_none(self, key: str, attributes: Item) -> None:
        self._items.do(self._items.put(key, attributes, ABSENT))

    def _replace(self, key: str, before: Item, after: Item) -> bool:
        """Write the attributes that changed, if the revision is still that of ``before``."""
        settings = {name: value for name, value in after.items() if before.get(name) != value}
        removals = [name for name in before if name not in after and name != "sentAt"]
        # The planner writes sentAt while workers write the rest: leave the planner's value.
        settings.pop("sentAt", None)
        condition = equal(revision=before["revision"])
        return self._items.do(self._items.update(key, settings, condition, removals=removals))

    def _find_revision(self, key: str, revision: str) -> bool:
        stored = self._items.get(key)
        return stored is not None and stored["revision"] == revision
