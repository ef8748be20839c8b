"""Faults in reading a window, in the life of a page, and in rows and events."""

from tests.simulation.mutants.mutant import mutant

_FETCH_AGAIN = """    if claim.page.state is PageState.STORED:
        context = claim.context
        reading = read_window(context.api, claim.page.window, may_split=False)
        return _publish(claim, StoredRows.of(_rows(context, reading)))
    rows = resume(claim)
"""

WORKER_MUTANTS = (
    # ── reading ──────────────────────────────────────────────────────────────────────────────
    mutant(
        "no widening of the query",
        "the bounds are what they should be",
        ("source/window_reader.py", "    asked = window.widened(SLACK)\n", "    asked = window\n"),
    ),
    mutant(
        "trusting totalResults: no overflow",
        "a full response is full only if the total says so",
        (
            "source/window_reader.py",
            "        if len(listing.records) >= listing.per_page:\n            return Overflow",
            "        if listing.total > listing.per_page:\n            return Overflow",
        ),
    ),
    mutant(
        "trusting the page size",
        "a short response is the whole, whatever the total",
        (
            "source/window_reader.py",
            "        if listing.total <= len(records):\n",
            "        if True:\n",
        ),
    ),
    mutant(
        "rows count, whether they repeat or not",
        "as many rows as the total",
        (
            "source/window_reader.py",
            "        if listing.total <= len(records):\n",
            "        if listing.total <= len(listing.records):\n",
        ),
    ),
    mutant(
        "one of two versions will be right",
        "the first one, say",
        (
            "source/window_reader.py",
            "first is not record and _version(first) != _version(record):",
            "not first:",
        ),
    ),
    mutant(
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
    mutant(
        "one reading proves a dense page",
        "as many different IDs as the total",
        (
            "source/dense_reader.py",
            "            if self.union.members.keys() == self.earlier.keys():\n",
            "            if self.union.members:\n",
        ),
    ),
    mutant(
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
    mutant(
        "rows outside are none of our business",
        "they are filtered anyway",
        ("source/response.py", "if date not in believable:", "if False:"),
    ),
    mutant(
        "a check by being listed anywhere",
        "the entry is there without a filter, so it is with one",
        ("source/filter_check.py", "    if full or any(", "    if True or any("),
    ),
    mutant(
        "only one reading of the repeated hour",
        "a clock shows a time once",
        ("model/local_time.py", "    end = max(_clock_times(", "    end = min(_clock_times("),
    ),
    # ── the worker ───────────────────────────────────────────────────────────────────────────
    mutant(
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
    mutant(
        "each worker begins a dense page anew",
        "the next one will be faster",
        (
            "worker/checkpoint.py",
            "        key = self.claim.page.reading_key\n",
            "        key = None\n",
        ),
    ),
    mutant(
        "done when the time is over",
        "the rest is of no weight",
        ("worker/publish.py", "            return False\n", "            return True\n"),
    ),
    mutant(
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
    mutant(
        "published before stored",
        "sooner is better",
        (
            "worker/publish.py",
            "    if not claim.context.lake.put_new(",
            "    publish_rows(claim, rows)\n    if not claim.context.lake.put_new(",
        ),
    ),
    mutant(
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
    mutant(
        "412 is a success, without reading back",
        "what is there is what I would have put",
        ("worker/publish.py", "        rows = _read_stored(claim)\n", "        pass\n"),
    ),
    mutant(
        "publishing a second reading",
        "the source knows best",
        (
            "worker/export.py",
            _FETCH_AGAIN.splitlines(keepends=True)[-1],
            _FETCH_AGAIN,
        ),
    ),
    mutant(
        "a put without a reservation",
        "the state can wait",
        (
            "worker/export.py",
            ("    claim.update(state=PageState.WRITING, **noted)\n"),
            "",
        ),
    ),
    mutant(
        "stored before the put",
        "the put cannot fail",
        (
            "worker/publish.py",
            "    if not claim.context.lake.put_new(",
            "    _note_stored(claim)\n    if not claim.context.lake.put_new(",
        ),
    ),
    mutant(
        "a put to a key of one's own where there is one already",
        "never mind the old one",
        (
            "worker/publish.py",
            "        rows = _read_stored(claim)\n",
            "        claim.context.lake.put_new(claim.key.replace('_g', '_g1'), encode(rows))\n",
        ),
    ),
    mutant(
        "a split of work that is writing",
        "an overflow is an overflow",
        (
            "worker/export.py",
            "may_split = claim.page.state is PageState.OPEN and ",
            "may_split = ",
        ),
    ),
    mutant(
        "nothing to write, from writing",
        "now it is empty",
        (
            "worker/export.py",
            "    if claim.page.state is PageState.OPEN and not reading.entries:\n",
            "    if not reading.entries:\n",
        ),
    ),
    mutant(
        "no quarantine",
        "who wants faulty entries",
        ("worker/export.py", "    for faulty in reading.faulty:\n", "    for faulty in ():\n"),
    ),
    mutant(
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
    mutant(
        "conditions are for cowards: update",
        "the lease protects",
        (
            "worker/attempt.py",
            "        if not self.context.timeline.update(self.page, changed):\n",
            "        if not self.context.timeline.update(self.page, changed) and False:\n",
        ),
    ),
    mutant(
        "a done page can be claimed",
        "once more does no harm",
        (
            "worker/worker.py",
            "not message.names(page) or page.state is PageState.DONE:",
            "not message.names(page):",
        ),
    ),
    mutant(
        "an outage counts as an attempt",
        "a failure is a failure",
        (
            "worker/attempt.py",
            "            taken_back = max(0, self.failures - 1)\n",
            "            taken_back = self.attempts\n",
        ),
    ),
    mutant(
        "a hole at the first failure",
        "do not waste time",
        (
            "worker/attempt.py",
            "            if counted >= self.context.limits.max_attempts:\n",
            "            if counted >= 1:\n",
        ),
    ),
    mutant(
        "a poisoned page is never split",
        "it failed, so it is a hole",
        (
            "worker/export.py",
            "        if suspects > 1:\n",
            "        if suspects < 0:\n",
        ),
    ),
    mutant(
        "no holes",
        "try until it works",
        (
            "worker/export.py",
            "error=str(error), hole_since=since)\n",
            "error=str(error), hole_since=None)\n",
        ),
    ),
    mutant(
        "what cannot be counted stops the planning",
        "an answer that is no JSON is the API's fault",
        ("planner/slicer.py", "        if part is None:\n            raise\n", "        raise\n"),
    ),
    mutant(
        "what cannot be counted is not looked into",
        "the API is down",
        (
            "worker/fault_suspects.py",
            "        return MAX_SUSPECTS if count_part(*query) else 0\n",
            "        return 0\n",
        ),
    ),
    # ── rows and events ──────────────────────────────────────────────────────────────────────
    mutant(
        "a random event ID",
        "IDs are unique",
        (
            "model/event.py",
            '    event_id = hashlib.sha256(f"{key}',
            '    import uuid\n    event_id = uuid.uuid4().hex or hashlib.sha256(f"{key}',
        ),
    ),
    mutant(
        "an event ID of the content alone",
        "equal content, equal event",
        ("model/event.py", '{key}\\n{row.entry_id}"', '{row.fingerprint}"'),
    ),
    mutant(
        "an event ID of the entry alone",
        "one entry, one event",
        ("model/event.py", '{key}\\n{row.entry_id}"', '{row.entry_id}"'),
    ),
    mutant(
        "an event ID of the object alone",
        "one object, one event",
        ("model/event.py", '{key}\\n{row.entry_id}"', '{key}"'),
    ),
    mutant(
        "the clock in the event",
        "an event's time is when it is sent",
        (
            "model/event.py",
            "_time(row.exported_at)",
            "__import__('datetime').datetime.now().isoformat().encode()",
        ),
    ),
    mutant(
        "a sequence of the place alone",
        "a total order is order enough",
        ("model/event.py", "{_milliseconds(instant)}-{event_id", "{event_id"),
    ),
    mutant(
        "a refused event is forgotten",
        "the topic knows why",
        ("worker/publish.py", "    if not refused:\n", "    if refused or not refused:\n"),
    ),
    mutant(
        "a refused reference is forgotten",
        "it was tried twice",
        (
            "worker/publish.py",
            "        context.timeline.record_refusal(refusal)\n",
            "        del refusal\n",
        ),
    ),
    mutant(
        "a refused event is tried again, and then forgotten",
        "it was tried once more",
        (
            "worker/republish.py",
            "changed = None if reason is None else replace(refusal, error=reason)",
            "changed = None if reason else None",
        ),
    ),
    mutant(
        "numbers as floats",
        "1.10 is 1.1",
        (
            "model/exact_json.py",
            "_DECODER = msgspec.json.Decoder(float_hook=Decimal)",
            "_DECODER = msgspec.json.Decoder()",
        ),
    ),
    mutant(
        "a row's own members win",
        "nobody has a member of that name",
        ("model/row.py", 'members | {"shadowed": shadowed}', "members"),
    ),
)
