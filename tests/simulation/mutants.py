"""Deliberate faults in the core. The simulation must catch each: one that survives is a hole in the
proof.

A mutant is a patch of source text, applied to a copy of the package which a process of its own
imports instead. To add one: name the file, the text as it is, and what becomes of it.
"""

import multiprocessing
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import cpd_exporter

PACKAGE = Path(cpd_exporter.__file__).parent


@dataclass(frozen=True, slots=True)
class Patch:
    """``old``, which occurs exactly once in ``file``, becomes ``new``."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """``why`` is what somebody might have thought. Those ``of_sweeps`` are put to sweeps first."""

    name: str
    why: str
    patches: tuple[Patch, ...]
    of_sweeps: bool = False


@dataclass(frozen=True, slots=True)
class MutantVerdict:
    """``trial`` and ``evidence`` are empty where the mutant survived all of them.

    ``mistakes`` are the trials that ended otherwise than by a verdict of the oracle's, such as by a
    ``KeyError``: they catch nothing.
    """

    mutant: str
    trial: str
    evidence: str
    mistakes: tuple[str, ...] = ()

    @property
    def killed(self) -> bool:
        return bool(self.trial)


def _mutant(name: str, why: str, *patches: tuple[str, str, str]) -> Mutant:
    return Mutant(name, why, tuple(Patch(*patch) for patch in patches))


def _sweep_mutant(name: str, why: str, old: str, new: str, file: str) -> Mutant:
    return Mutant(name, why, (Patch(file, old, new),), of_sweeps=True)


_FETCH_AGAIN = """    if claim.page.state is PageState.STORED:
        context = claim.context
        reading = read_window(context.api, claim.page.window, may_split=False)
        return _publish(claim, StoredRows.of(_rows(context, reading)))
    rows = resume(claim)
"""

_EXPORT_MUTANTS = (
    # ── the planner ──────────────────────────────────────────────────────────────────────────
    _mutant(
        "watermark first",
        "what is planned will be exported soon enough",
        (
            "planner/planner.py",
            "if page.window.start != through or not page.watermark_may_pass:",
            "if page.window.start != through:",
        ),
    ),
    _mutant(
        "a counter for done",
        "as many pages as are done, from the start",
        (
            "planner/planner.py",
            """                if page.window.start != through or not page.watermark_may_pass:
                    break
                through = page.window.end
""",
            """                if page.watermark_may_pass:
                    through += page.window.length
""",
        ),
    ),
    _mutant(
        "no settling",
        "an entry is there as soon as it is dated",
        (
            "planner/page_planner.py",
            "horizon = floor_second(self.clock() - self.limits.slice_policy.settle)",
            "horizon = floor_second(self.clock())",
        ),
    ),
    _mutant(
        "only the own clock",
        "clocks agree",
        ("planner/slicer.py", "if counted.served_at is not None:", "if False:"),
    ),
    _mutant(
        "no check of the filter",
        "a filter filters",
        ("planner/planner.py", "checker.check(watermark)\n", "pass\n"),
    ),
    _mutant(
        "months do not matter",
        "a page is a page",
        (
            "planner/slicer.py",
            """    if not window.within_one_month:
        raise ValueError(f"one answer is believed for no more than a month: {window}")
""",
            "",
        ),
        (
            "planner/page_planner.py",
            "in Window(watermark.planned_through, horizon).months():",
            "in [Window(watermark.planned_through, horizon)]:",
        ),
    ),
    _mutant(
        "trusting totalResults: nothing there",
        "a total of zero is zero",
        (
            "source/counter.py",
            "return Count(max(listing.total, records), listing.served_at, has_record=records > 0)",
            "return Count(listing.total, listing.served_at, has_record=records > 0)",
        ),
    ),
    _mutant(
        "what is sent arrives",
        "a queue does not lose messages",
        (
            "model/page.py",
            "return now > touched + resend_policy.in_queue",
            "return False",
        ),
    ),
    _mutant(
        "every claim ends",
        "a worker does not die",
        (
            "model/page.py",
            "+ resend_policy.lease_grace\n        return now > touched",
            "+ 100 * resend_policy.max_hole_wait\n        return now > touched",
        ),
    ),
    _mutant(
        "holes stay holes",
        "what failed so often will always fail",
        (
            "model/page.py",
            "return now > touched + resend_policy.after_failures(self.attempts)",
            "return False",
        ),
    ),
    _mutant(
        "sent, whatever the queue took",
        "a batch succeeds or fails as a whole; and what is sent arrives",
        (
            "dispatch.py",
            "timeline.mark_sent([named[message] for message in accepted], clock())",
            "timeline.mark_sent(pages, clock())",
        ),
        (
            "model/page.py",
            "return now > touched + resend_policy.in_queue",
            "return False",
        ),
    ),
    _mutant(
        "the watermark is set, not moved",
        "what I have seen is the latest",
        (
            "planner/planner.py",
            "update_watermark(watermark, replace(watermark, exported_through=through))",
            (
                "update_watermark("
                "self._read_or_create_watermark(), replace(watermark, exported_through=through))"
            ),
        ),
    ),
    # ── windows and pages ────────────────────────────────────────────────────────────────────
    _mutant(
        "a window closed on both ends",
        "between means between",
        (
            "model/window.py",
            "return self.start <= instant < self.end",
            "return self.start <= instant <= self.end",
        ),
    ),
    _mutant(
        "a window open on both ends",
        "after means after",
        (
            "model/window.py",
            "return self.start <= instant < self.end",
            "return self.start < instant < self.end",
        ),
    ),
    _mutant(
        "windows with a gap between them",
        "a second more or less",
        (
            "model/window.py",
            "return [type(self)(start, end) for start, end in pairwise(bounds)]",
            "return [type(self)(a, max(a + SECOND, b - SECOND)) for a, b in pairwise(bounds)]",
        ),
    ),
    _mutant(
        "one key for two generations",
        "start and end say it all",
        (
            "model/page.py",
            'return f"{start}_{end}_g{self.generation}_{self.timeline_id}"',
            'return f"{start}_{end}_g1_{self.timeline_id}"',
        ),
    ),
    _mutant(
        "one key for two timelines",
        "a tenant has one timeline",
        (
            "model/page.py",
            'return f"{start}_{end}_g{self.generation}_{self.timeline_id}"',
            'return f"{start}_{end}_g{self.generation}_{0:016x}"',
        ),
    ),
    _mutant(
        "parts of a hole are like any other page",
        "they are open, after all",
        ("model/page.py", "            hole_since=page.hole_since,\n", ""),
    ),
    # ── reading ──────────────────────────────────────────────────────────────────────────────
    _mutant(
        "no widening of the query",
        "the bounds are what they should be",
        ("source/window_reader.py", "    asked = window.widened(SLACK)\n", "    asked = window\n"),
    ),
    _mutant(
        "trusting totalResults: no overflow",
        "a full response is full only if the total says so",
        (
            "source/window_reader.py",
            "        if len(listing.records) >= listing.per_page:\n            return Overflow",
            "        if listing.total > listing.per_page:\n            return Overflow",
        ),
    ),
    _mutant(
        "trusting the page size",
        "a short response is the whole, whatever the total",
        (
            "source/window_reader.py",
            "        if listing.total <= len(records) or versions == agreed:\n",
            "        if versions is not None:\n",
        ),
    ),
    _mutant(
        "rows count, whether they repeat or not",
        "as many rows as the total",
        (
            "source/window_reader.py",
            "        if listing.total <= len(records) or versions == agreed:\n",
            "        if listing.total <= len(listing.records) or versions == agreed:\n",
        ),
    ),
    _mutant(
        "one of two versions will be right",
        "the first one, say",
        (
            "source/window_reader.py",
            "_version(distinct.setdefault(identity(record), record)) != _version(record):",
            "not distinct.setdefault(identity(record), record):",
        ),
    ),
    _mutant(
        "two equal reads prove a dense page",
        "what is read twice alike is true",
        (
            "source/union.py",
            """        if anew or totals != {self.total} or len(self.members) > self.total:
            self.members = {}
        self.members |= reading
        self.total = max(totals)
        return totals == {len(self.members)}
""",
            """        same = reading.keys() == self.members.keys()
        self.members = dict(reading)
        return same
""",
        ),
        (
            "source/dense_reader.py",
            "            if self.union.members.keys() == self.earlier.keys():\n",
            "            if self.union.members is not self.earlier:\n",
        ),
    ),
    _mutant(
        "one reading proves a dense page",
        "as many different IDs as the total",
        (
            "source/dense_reader.py",
            "            if self.union.members.keys() == self.earlier.keys():\n",
            "            if self.union.members:\n",
        ),
    ),
    _mutant(
        "a dense page is its first response",
        "the rest will come",
        (
            "source/dense_reader.py",
            "        return is_last\n",
            "        return True\n",
        ),
        (
            "source/union.py",
            "        return totals == {len(self.members)}\n",
            "        return bool(self.members)\n",
        ),
    ),
    _mutant(
        "rows outside are none of our business",
        "they are filtered anyway",
        ("source/response.py", "record.date not in believable:", "False:"),
    ),
    _mutant(
        "a check by being listed anywhere",
        "the entry is there without a filter, so it is with one",
        ("source/filter_check.py", "    if full or any(", "    if True or any("),
    ),
    _mutant(
        "only one reading of the repeated hour",
        "a clock shows a time once",
        ("model/local_time.py", "    end = max(_clock_times(", "    end = min(_clock_times("),
    ),
    # ── the worker ───────────────────────────────────────────────────────────────────────────
    _mutant(
        "a position ahead of its events",
        "they are about to be published",
        (
            "worker/publish.py",
            "        _publish_some(claim, rows[start : start + MAX_ROWS_AT_ONCE])\n",
            """        claim.update(published=start + MAX_ROWS_AT_ONCE)
        _publish_some(claim, rows[start : start + MAX_ROWS_AT_ONCE])
""",
        ),
    ),
    _mutant(
        "each worker begins a dense page anew",
        "the next one will be faster",
        (
            "worker/checkpoint.py",
            "        key = self.claim.page.reading_key\n",
            "        key = None\n",
        ),
    ),
    _mutant(
        "done when the time is over",
        "the rest is of no weight",
        ("worker/publish.py", "            return False\n", "            return True\n"),
    ),
    _mutant(
        "done before published",
        "publishing cannot fail",
        (
            "worker/export.py",
            """    if not publish_rows(claim, rows):
        return claim.pause()
    # All rows of one object were stored at one instant.
    stored_at = rows[0].exported_at if rows else None
    return _finish(claim, entries=len(rows), stored_at=stored_at)
""",
            """    stored_at = max((row.exported_at for row in rows), default=None)
    report = _finish(claim, entries=len(rows), stored_at=stored_at)
    publish_rows(claim, rows)
    return report
""",
        ),
    ),
    _mutant(
        "published before stored",
        "sooner is better",
        (
            "worker/publish.py",
            "    if not claim.context.lake.put_new(",
            "    publish_rows(claim, rows)\n    if not claim.context.lake.put_new(",
        ),
    ),
    _mutant(
        "412 is a failure",
        "somebody else was there first",
        (
            "worker/publish.py",
            "        rows = _read_stored(claim)\n",
            "        raise PermanentError('exists')\n",
        ),
        (
            "worker/publish.py",
            "    if claim.page.state is PageState.OPEN:\n        return None\n",
            "    if claim.page.state is not PageState.STORED:\n        return None\n",
        ),
    ),
    _mutant(
        "412 is a success, without reading back",
        "what is there is what I would have put",
        ("worker/publish.py", "        rows = _read_stored(claim)\n", "        pass\n"),
    ),
    _mutant(
        "publishing a second reading",
        "the source knows best",
        (
            "worker/export.py",
            _FETCH_AGAIN.splitlines(keepends=True)[-1],
            _FETCH_AGAIN,
        ),
    ),
    _mutant(
        "a put without a reservation",
        "the state can wait",
        (
            "worker/export.py",
            "        claim.update(state=PageState.WRITING, quarantined=len(reading.faulty))\n",
            "",
        ),
    ),
    _mutant(
        "stored before the put",
        "the put cannot fail",
        (
            "worker/publish.py",
            "    if not claim.context.lake.put_new(",
            "    _note_stored(claim)\n    if not claim.context.lake.put_new(",
        ),
    ),
    _mutant(
        "a put to a key of one's own where there is one already",
        "never mind the old one",
        (
            "worker/publish.py",
            "        rows = _read_stored(claim)\n",
            "        claim.context.lake.put_new(claim.key.replace('_g', '_g1'), encode(rows))\n",
        ),
    ),
    _mutant(
        "a split of work that is writing",
        "an overflow is an overflow",
        (
            "worker/export.py",
            "may_split = claim.page.state is PageState.OPEN and ",
            "may_split = ",
        ),
    ),
    _mutant(
        "nothing to write, from writing",
        "now it is empty",
        (
            "worker/export.py",
            """    if claim.page.state is PageState.OPEN:
        if not reading.entries:
            return _finish(claim, quarantined=len(reading.faulty))
        claim""",
            """    if not reading.entries:
        return _finish(claim, quarantined=len(reading.faulty))
    if claim.page.state is PageState.OPEN:
        claim""",
        ),
    ),
    _mutant(
        "no quarantine",
        "who wants faulty entries",
        ("worker/export.py", "    for faulty in reading.faulty:\n", "    for faulty in ():\n"),
    ),
    _mutant(
        "a faulty entry spoils its page",
        "better nothing than half",
        (
            "worker/export.py",
            "    for faulty in reading.faulty:\n",
            """    if reading.faulty:
        raise PermanentError('faulty')
    for faulty in reading.faulty:
""",
        ),
    ),
    _mutant(
        "conditions are for cowards: update",
        "the lease protects",
        (
            "worker/attempt.py",
            "        if not self.context.timeline.update(self.page, changed):\n",
            "        if not self.context.timeline.update(self.page, changed) and False:\n",
        ),
    ),
    _mutant(
        "a done page can be claimed",
        "once more does no harm",
        (
            "worker/worker.py",
            "not message.names(page) or page.state is PageState.DONE:",
            "not message.names(page):",
        ),
    ),
    _mutant(
        "an outage counts as an attempt",
        "a failure is a failure",
        (
            "worker/attempt.py",
            "            taken_back = max(0, self.failures - 1)\n",
            "            taken_back = self.attempts\n",
        ),
    ),
    _mutant(
        "a hole at the first failure",
        "do not waste time",
        (
            "worker/attempt.py",
            "            if counted >= self.context.limits.max_attempts:\n",
            "            if counted >= 1:\n",
        ),
    ),
    _mutant(
        "a poisoned page is never split",
        "it failed, so it is a hole",
        (
            "worker/export.py",
            "        if suspects > 1:\n",
            "        if suspects < 0:\n",
        ),
    ),
    _mutant(
        "no holes",
        "try until it works",
        (
            "worker/export.py",
            "error=str(error), hole_since=since)\n",
            "error=str(error), hole_since=None)\n",
        ),
    ),
    _mutant(
        "what cannot be counted stops the planning",
        "an answer that is no JSON is the API's fault",
        ("planner/slicer.py", "        if part is None:\n            raise\n", "        raise\n"),
    ),
    _mutant(
        "what cannot be counted is not looked into",
        "the API is down",
        (
            "worker/fault_suspects.py",
            "        return MAX_SPLIT_PARTS if count_part(*query) else 0\n",
            "        return 0\n",
        ),
    ),
    # ── rows and events ──────────────────────────────────────────────────────────────────────
    _mutant(
        "a random event ID",
        "IDs are unique",
        (
            "model/event.py",
            '    event_id = hashlib.sha256(f"{key}',
            '    import uuid\n    event_id = uuid.uuid4().hex or hashlib.sha256(f"{key}',
        ),
    ),
    _mutant(
        "an event ID of the content alone",
        "equal content, equal event",
        ("model/event.py", '{key}\\n{row.entry_id}"', '{row.fingerprint}"'),
    ),
    _mutant(
        "an event ID of the entry alone",
        "one entry, one event",
        ("model/event.py", '{key}\\n{row.entry_id}"', '{row.entry_id}"'),
    ),
    _mutant(
        "an event ID of the object alone",
        "one object, one event",
        ("model/event.py", '{key}\\n{row.entry_id}"', '{key}"'),
    ),
    _mutant(
        "the clock in the event",
        "an event's time is when it is sent",
        (
            "model/event.py",
            "_time(row.exported_at)",
            "__import__('datetime').datetime.now().isoformat().encode()",
        ),
    ),
    _mutant(
        "a refused event is forgotten",
        "the topic knows why",
        ("worker/publish.py", "    if not refused:\n", "    if refused or not refused:\n"),
    ),
    _mutant(
        "a refused reference is forgotten",
        "it was tried twice",
        (
            "worker/publish.py",
            "        context.timeline.record_refusal(refusal)\n",
            "        del refusal\n",
        ),
    ),
    _mutant(
        "a refused event is tried again, and then forgotten",
        "it was tried once more",
        (
            "worker/republish.py",
            "changed = None if reason is None else replace(refusal, error=reason)",
            "changed = None if reason else None",
        ),
    ),
    _mutant(
        "numbers as floats",
        "1.10 is 1.1",
        (
            "model/exact_json.py",
            "_DECODER = msgspec.json.Decoder(float_hook=Decimal)",
            "_DECODER = msgspec.json.Decoder()",
        ),
    ),
    _mutant(
        "a row's own members win",
        "nobody has a member of that name",
        ("model/row.py", 'members | {"shadowed": shadowed}', "members"),
    ),
)

_SWEEP_MUTANTS = (
    _sweep_mutant(
        "deleted when first missed",
        "what is not listed is gone",
        "        if id_ in before.missing and now - before.missing[id_].since >= delay\n",
        "        if True\n",
        file="worker/sweep/deletions.py",
    ),
    _sweep_mutant(
        "deleted when missed twice, however soon",
        "twice is proof",
        "        if id_ in before.missing and now - before.missing[id_].since >= delay\n",
        "        if id_ in before.missing\n",
        file="worker/sweep/deletions.py",
    ),
    _sweep_mutant(
        "deleted without asking for it by its ID",
        "the list is right",
        "    if found is None:\n        return Verdict.GONE",
        "    if found is None or found is not None:\n        return Verdict.GONE",
        file="worker/sweep/deletions.py",
    ),
    _sweep_mutant(
        "deleted without a control",
        "404 is 404",
        "    gone = gone if gone and _find_control(claim.context, claim.page.window) else []\n",
        "",
        file="worker/sweep/deletions.py",
    ),
    _sweep_mutant(
        "no guard against mass deletion",
        "what is gone is gone",
        "    if others and not _count_as_published(claim, len(others)):\n",
        "    if others and not others:\n",
        file="worker/sweep/deletions.py",
    ),
    _sweep_mutant(
        "one confirmation is for all times",
        "the operator knows",
        "is not None and missing.held_at <= through\n",
        "is not None\n",
        file="model/breaker.py",
    ),
    _sweep_mutant(
        "a hold does not write the breaker",
        "the confirmation comes later",
        "        if claim.commit(writes, BreakerChange(stored, after)):\n",
        "        if claim.commit(writes):\n",
        file="worker/sweep/deletions.py",
    ),
    _sweep_mutant(
        "a repeated sweep counts its deletions again",
        "an attempt is an attempt",
        "claim.page.deletions_counted.on(day) if claim.page.deletions_counted else 0\n",
        "0\n",
        file="worker/sweep/deletions.py",
    ),
    _sweep_mutant(
        "an index is removed while a sweep may name it",
        "a day is long",
        "            if page.reserved_by is not None:\n",
        "            if page.reserved_by == key:\n",
        file="planner/index_cleanup.py",
    ),
    _sweep_mutant(
        "an index is removed though its page names it",
        "it was noted",
        "            elif page.index_key != key:\n",
        "            else:\n",
        file="planner/index_cleanup.py",
    ),
    _sweep_mutant(
        "held deletions make no noise",
        "status shows them",
        "    if report.held:\n",
        "    if not report.held:\n",
        file="planner/status.py",
    ),
    _sweep_mutant(
        "quarantined records make no noise",
        "they are kept",
        "    if report.quarantined:\n",
        "    if not report.quarantined:\n",
        file="worker/metrics.py",
    ),
    _sweep_mutant(
        "what is given up makes no noise",
        "the log says so",
        "    if report.outcome is Outcome.GIVEN_UP:\n",
        "    if report.outcome is Outcome.SPLIT:\n",
        file="worker/metrics.py",
    ),
    _sweep_mutant(
        "since when it is missing is noted anew each time",
        "the last time counts",
        "        result.missing[id_] = before.missing.get(id_, MissingEntry(now))\n",
        "        result.missing[id_] = MissingEntry(now)\n",
        file="worker/sweep/deletions.py",
    ),
    _sweep_mutant(
        "merged before published",
        "publishing cannot fail",
        """    if not publish_rows(claim, result.rows):
        return claim.pause()
    return _merge(claim, before, result)
""",
        """    report = _merge(claim, before, result)
    publish_rows(claim, result.rows)
    return report
""",
        file="worker/sweep/sweep.py",
    ),
    _sweep_mutant(
        "published rows are not indexed",
        "it will be read again",
        "    index_after = page_index.updated(before.index, result.rows, claim.key)\n",
        "    index_after = dict(before.index)\n",
        file="worker/sweep/merge.py",
    ),
    _sweep_mutant(
        "the first page's index is everybody's",
        "nothing has changed",
        "    if index_after and len(holders) == 1 and index_after == before.index:\n",
        "    if index_after and holders and index_after == before.index:\n",
        file="worker/sweep/merge.py",
    ),
    _sweep_mutant(
        "edits are not compared",
        "an ID is an entry",
        "    if entry.fingerprint == indexed.fingerprint:\n        return False\n",
        "    return False\n",
        file="worker/sweep/compare.py",
    ),
    _sweep_mutant(
        "every entry is news",
        "better twice than never",
        "    if entry.fingerprint == indexed.fingerprint:\n        return False\n",
        "    return True\n",
        file="worker/sweep/compare.py",
    ),
    _sweep_mutant(
        "the clock says when, whatever was stored before",
        "time goes on",
        "    if before.stored_at is not None:\n",
        "    if False:\n",
        file="worker/sweep/compare.py",
    ),
    _sweep_mutant(
        "an entry that left is forgotten",
        "its new page reads it",
        "            result.left.append(entry)\n",
        "            result.handed_over.add(entry.id)\n            del result.missing[entry.id]\n",
        file="worker/sweep/deletions.py",
    ),
    _sweep_mutant(
        "an entry that left is not published",
        "its new page publishes it",
        "        if read_is_changed(context, before, entry, last):\n",
        "        if False:\n",
        file="worker/sweep/sweep.py",
    ),
    _sweep_mutant(
        "an entry that left is handed over unseen",
        "its new page reads it",
        "    if there is None:\n        return False\n",
        "    if there is None:\n        there = indexed\n",
        file="worker/sweep/deletions.py",
    ),
    _sweep_mutant(
        "an entry that left is handed over in another version",
        "its new page has it",
        "    if not (is_same or there.stored_at > indexed.stored_at):\n        return False\n",
        "",
        file="worker/sweep/deletions.py",
    ),
    _sweep_mutant(
        "an entry that left stays indexed for ever",
        "once indexed, always indexed",
        "    if not (is_same or there.stored_at > indexed.stored_at):\n",
        "    if is_same or not is_same:\n",
        file="worker/sweep/deletions.py",
    ),
    _sweep_mutant(
        "no part of a page has the entries that left it",
        "they lie in no part",
        "            if entry.date in window or (is_first and entry.date not in page.window)\n",
        "            if entry.date in window\n",
        file="worker/sweep/split.py",
    ),
    _sweep_mutant(
        "a faulty entry that no window lists is not kept",
        "its window's sweep keeps it",
        "            context.lake.put_new(*quarantine(context.timeline.tenant_id, entry))\n",
        "",
        file="worker/sweep/deletions.py",
    ),
    _sweep_mutant(
        "the first of two rows of one instant counts",
        "no two rows are stored at one instant",
        "elif entry.id in before.tied or ",
        "elif ",
        file="worker/sweep/compare.py",
    ),
    _sweep_mutant(
        "pages stay reserved for a sweep that was given up",
        "the next one will see",
        "ConditionalWrite(page, replace(page, reserved_by=None, revision",
        "ConditionalWrite(page, replace(page, revision",
        file="worker/sweep/sweep.py",
    ),
    _sweep_mutant(
        "a sweep that is writing is divided",
        "an overflow is an overflow",
        "may_split = claim.page.state is PageState.OPEN and ",
        "may_split = ",
        file="worker/sweep/sweep.py",
    ),
    _sweep_mutant(
        "every part of a page has the whole index",
        "more is better",
        "            if entry.date in window or (is_first",
        "            if entry.date in page.window or (is_first",
        file="worker/sweep/split.py",
    ),
    _sweep_mutant(
        "a sweep has the generation of what it sweeps",
        "it is the same page",
        "        generation=1 + max(page.generation for page in pages),\n",
        "        generation=max(page.generation for page in pages),\n",
        file="model/page.py",
    ),
    _sweep_mutant(
        "pages are merged across months",
        "a neighbour is a neighbour",
        " and page.window.end <= next_month(\n        group[0].window.start\n    )",
        "",
        file="planner/sweep_planner.py",
    ),
    _sweep_mutant(
        "a reserved page may be reserved again",
        "the first one will lose",
        "        and page.reserved_by is None\n",
        "",
        file="planner/sweep_planner.py",
    ),
    _sweep_mutant(
        "the past is exported as soon as it is planned",
        "a backfill is in no hurry",
        "                if page.window.end != start or not page.watermark_may_pass:\n",
        "                if page.window.end != start:\n",
        file="planner/planner.py",
    ),
)

IDENTITY = _mutant("the core as it is", "nothing is wrong")
"""No patch at all: whatever catches it is a mistake of the oracle's or of the trials'."""

MUTANTS = (*_EXPORT_MUTANTS, *_SWEEP_MUTANTS)


# ── running them ─────────────────────────────────────────────────────────────────────────────────


def verdicts(mutants: Iterable[Mutant] = MUTANTS, *, processes: int = 2) -> Iterator[MutantVerdict]:
    """The verdict on each mutant, in order."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["boto3", "pydantic", "simplejson", "greenlet", "simulator"])
    with context.Pool(processes, maxtasksperchild=1) as pool:
        named = list(mutants)
        for mutant, found in zip(named, pool.imap(try_mutant, named), strict=True):
            yield MutantVerdict(mutant.name, *found)


def try_mutant(mutant: Mutant) -> tuple[str, str, tuple[str, ...]]:
    """Run the trials against a mutant until one of them catches it by a ``Violation``.

    Returns the members of a verdict but its first. Needs a process of its own: afterwards its
    modules are the mutant's.
    """
    mistakes: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        apply(mutant, Path(folder))
        for name in [name for name in sys.modules if name.startswith(("cpd_exporter", "tests."))]:
            del sys.modules[name]
        sys.path.insert(0, folder)
        from tests.simulation import invariants, trials  # the mutant's own

        suites = [trials.quick_trials(), trials.quick_sweeps()]
        queue = chain(*(reversed(suites) if mutant.of_sweeps else suites))
        trial: trials.Trial | None = None
        while True:
            try:
                # A suite itself runs an undisturbed trial, to find the points of its faults.
                if (trial := next(queue, None)) is None:
                    return "", "", tuple(mistakes)
                trial.run()
            except invariants.Violation as error:
                return str(trial or "undisturbed"), str(error), tuple(mistakes)
            except Exception as error:  # noqa: BLE001  # no verdict: another trial must catch it
                mistakes.append(f"{trial}: {type(error).__name__}: {error}")


def apply(mutant: Mutant, folder: Path) -> None:
    """Put the patched package into a folder. ``ValueError`` where a patch does not fit."""
    package = folder / PACKAGE.name
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    for patch in mutant.patches:
        file = package / patch.file
        text = file.read_text()
        if text.count(patch.old) != 1:
            raise ValueError(
                f"mutant {mutant.name!r}: {patch.file} has {text.count(patch.old)} times:\n"
                f"{patch.old}"
            )
        file.write_text(text.replace(patch.old, patch.new))
