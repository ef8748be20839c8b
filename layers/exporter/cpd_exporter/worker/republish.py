"""Publishes refused events again from the lake, and drops the refusals of those accepted."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice

from cpd_exporter.errors import LakeError
from cpd_exporter.model.refusal import Refusal
from cpd_exporter.ports import HasTimeLeft
from cpd_exporter.worker.context import Outcome, WorkerContext, WorkReport
from cpd_exporter.worker.job_claim import JobClaim
from cpd_exporter.worker.lake_reader import LakeReader
from cpd_exporter.worker.publish import publish_stored

REFUSALS_PER_BATCH = 100


def republish(claim: JobClaim, has_time_left: HasTimeLeft) -> WorkReport:
    """Try all refusals that are due, for as long as ``has_time_left``, but one batch at least.

    A refusal that is tried is due no more, so the next message goes on with the others.
    """
    accepted = 0
    while batch := _read_due_refusals(claim.context):
        parts = _by_object(batch).items()
        just_accepted = sum(_try_again(claim.context, key, part) for key, part in parts)
        accepted += just_accepted
        claim.progress(claim.job.cursor, replayed=just_accepted)
        if not has_time_left():
            claim.pause()
            return WorkReport(Outcome.PAUSED, replayed=accepted)
    claim.end()
    return WorkReport(Outcome.DONE, replayed=accepted)


def _read_due_refusals(context: WorkerContext) -> list[Refusal]:
    now = context.clock()
    due = (refusal for refusal in context.timeline.refusals() if refusal.due(now))
    return list(islice(due, REFUSALS_PER_BATCH))


def _by_object(refusals: Sequence[Refusal]) -> Mapping[str, list[Refusal]]:
    parts: defaultdict[str, list[Refusal]] = defaultdict(list)
    for refusal in refusals:
        parts[refusal.object].append(refusal)
    return parts


def _try_again(context: WorkerContext, key: str, refusals: Sequence[Refusal]) -> int:
    """Publish the rows of one object; returns how many events the topic accepted.

    The attempt is stored first: an event that kills its worker waits too, and holds up no other.
    """
    tried = {one.entry_id: one.tried(context.clock()) for one in refusals}
    for refusal in tried.values():
        context.timeline.update_refusal(refusal, refusal)
    try:
        stored = LakeReader(context.lake).read_rows(key)
    except LakeError as error:
        errors = dict.fromkeys(tried, str(error))
    else:
        rows = [stored[entry_id] for entry_id in tried if entry_id in stored]
        errors = dict(publish_stored(context.topic.publish, context.lake, {key: rows}))
        lost = LakeError(key, damage="not every stored row is in it")
        errors |= dict.fromkeys(tried.keys() - stored.keys(), str(lost))
    for entry_id, refusal in tried.items():
        reason = errors.get(entry_id)
        changed = None if reason is None else replace(refusal, error=reason)
        context.timeline.update_refusal(refusal, changed)
    return len(tried) - len(errors)
