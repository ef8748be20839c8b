"""Deliberate faults in the core. The simulation must catch each: one that survives is a hole in the
proof.

A mutant is a patch of source text, applied to a copy of the package which a process of its own
imports instead. To add one: name the file, the text as it stands, and what becomes of it.
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
    """``old``, which stands exactly once in ``file``, becomes ``new``."""

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
class Verdict:
    """``trial`` and ``evidence`` are empty where the mutant survived all of them."""

    mutant: str
    trial: str
    evidence: str

    @property
    def killed(self) -> bool:
        return bool(self.trial)


def _mutant(name: str, why: str, *patches: tuple[str, str, str]) -> Mutant:
    return Mutant(name, why, tuple(Patch(*patch) for patch in patches))


def _sweep_mutant(name: str, why: str, old: str, new: str, file: str = "sweeping.py") -> Mutant:
    return Mutant(name, why, (Patch(file, old, new),), of_sweeps=True)


_FETCH_AGAIN = """    if claim.page.state is State.STORED:
        tools = claim.tools
        reading = read_window(tools.api, claim.page.window, tools.effort.slack, may_split=False)
        return _announce(claim, _rows(reading, tools.timeline.tenant_id, tools.clock()))
    rows = resume(claim)
"""

_EXPORT_MUTANTS = (
    # ── the planner ──────────────────────────────────────────────────────────────────────────
    _mutant(
        "watermark first",
        "what is planned will be exported soon enough",
        (
            "planning.py",
            "if page.window.start != through or not page.passable:",
            "if page.window.start != through:",
        ),
    ),
    _mutant(
        "a counter for done",
        "as many pages as are done, from the start",
        (
            "planning.py",
            """                if page.window.start != through or not page.passable:
                    break
                through = page.window.end
""",
            """                if page.passable:
                    through += page.window.length
""",
        ),
    ),
    _mutant(
        "no settling",
        "an entry is there as soon as it is dated",
        (
            "planning.py",
            "horizon = floor_second(self.clock() - self.plan.cutting.settle)",
            "horizon = floor_second(self.clock())",
        ),
    ),
    _mutant(
        "only the own clock",
        "clocks agree",
        ("cutting.py", "if counted.served_at is not None:", "if False:"),
    ),
    _mutant(
        "no proof of the filter",
        "a filter filters",
        ("planning.py", "self._prove(watermark)\n", "pass\n"),
    ),
    _mutant(
        "months do not matter",
        "a page is a page",
        (
            "cutting.py",
            """    if not window.within_one_month:
        return Cut([], window.halved_by_month(), end)
""",
            "",
        ),
    ),
    _mutant(
        "trusting totalResults: nothing there",
        "a total of zero is zero",
        (
            "reading.py",
            "return Count(max(listing.total, len(listing.records)), listing.served_at)",
            "return Count(listing.total, listing.served_at)",
        ),
    ),
    _mutant(
        "what is sent arrives",
        "a queue does not lose messages",
        (
            "model/timeline.py",
            "return now > touched + patience.in_queue",
            "return False",
        ),
    ),
    _mutant(
        "who claims ends",
        "a worker does not die",
        (
            "model/timeline.py",
            "+ patience.lease_grace\n        return now > touched",
            "+ 100 * patience.hole_most\n        return now > touched",
        ),
    ),
    _mutant(
        "holes stay holes",
        "what failed so often will always fail",
        (
            "model/timeline.py",
            "return now > touched + patience.after_failures(self.attempts)",
            "return False",
        ),
    ),
    _mutant(
        "sent, whatever the queue took",
        "a batch succeeds or fails as a whole; and what is sent arrives",
        (
            "sending.py",
            "timeline.mark_sent([named[work] for work in accepted], clock())",
            "timeline.mark_sent(pages, clock())",
        ),
        (
            "model/timeline.py",
            "return now > touched + patience.in_queue",
            "return False",
        ),
    ),
    _mutant(
        "the watermark is set, not moved",
        "what I have seen is the latest",
        (
            "planning.py",
            "self.timeline.advance(before=watermark.exported_through, through=through)",
            "self.timeline.advance(\n"
            "                before=self._watermark().exported_through, through=through\n"
            "            )",
        ),
    ),
    # ── windows and pages ────────────────────────────────────────────────────────────────────
    _mutant(
        "a window closed on both ends",
        "between means between",
        (
            "model/windows.py",
            "return self.start <= instant < self.end",
            "return self.start <= instant <= self.end",
        ),
    ),
    _mutant(
        "a window open on both ends",
        "after means after",
        (
            "model/windows.py",
            "return self.start <= instant < self.end",
            "return self.start < instant < self.end",
        ),
    ),
    _mutant(
        "windows cut with a gap",
        "a second more or less",
        (
            "model/windows.py",
            "return [type(self)(*bounds) for bounds in pairwise(cuts)]",
            "return [type(self)(a, max(a + SECOND, b - SECOND)) for a, b in pairwise(cuts)]",
        ),
    ),
    _mutant(
        "one key for two generations",
        "start and end say it all",
        (
            "model/timeline.py",
            'return f"{start}_{end}_g{self.generation}_{self.epoch}"',
            'return f"{start}_{end}_g1_{self.epoch}"',
        ),
    ),
    _mutant(
        "one key for two timelines",
        "a tenant has one timeline",
        (
            "model/timeline.py",
            'return f"{start}_{end}_g{self.generation}_{self.epoch}"',
            'return f"{start}_{end}_g{self.generation}_{0:016x}"',
        ),
    ),
    _mutant(
        "parts of a hole are like any other page",
        "they are open, after all",
        ("model/timeline.py", "            hole_since=page.hole_since,\n", ""),
    ),
    # ── reading ──────────────────────────────────────────────────────────────────────────────
    _mutant(
        "no widening of the query",
        "the bounds are what they should be",
        ("reading.py", "    asked = window.widened(slack)\n", "    asked = window\n"),
    ),
    _mutant(
        "trusting totalResults: no overflow",
        "a full response is full only if the total says so",
        (
            "reading.py",
            "        if len(listing.records) >= listing.per_page:\n            return Overflow",
            "        if listing.total > listing.per_page:\n            return Overflow",
        ),
    ),
    _mutant(
        "trusting the page size",
        "a short response is the whole, whatever the total",
        (
            "reading.py",
            "        if listing.total <= len(records) or versions == agreed:\n",
            "        if versions is not None:\n",
        ),
    ),
    _mutant(
        "rows count, whether they repeat or not",
        "as many rows as the total",
        (
            "reading.py",
            "        if listing.total <= len(records) or versions == agreed:\n",
            "        if listing.total <= len(listing.records) or versions == agreed:\n",
        ),
    ),
    _mutant(
        "one of two versions will be right",
        "the first one, say",
        (
            "reading.py",
            "_version(distinct.setdefault(_identity(record), record)) != _version(record):",
            "not distinct.setdefault(_identity(record), record):",
        ),
    ),
    _mutant(
        "two equal reads prove a dense page",
        "what is read twice alike is true",
        (
            "reading.py",
            """        if totals != {total} or len(union) > total:
            union = {}
        union |= records
""",
            """        if records.keys() == union.keys():
            return union.values()
        union = records
""",
        ),
    ),
    _mutant(
        "one reading proves a dense page",
        "as many different IDs as the total",
        (
            "reading.py",
            "            if union.keys() == earlier.keys():\n",
            "            if union:\n",
        ),
    ),
    _mutant(
        "a dense page is its first response",
        "the rest will come",
        (
            "reading.py",
            """        yield listing
""",
            """        yield listing
        return
""",
        ),
        ("reading.py", "        if totals == {len(union)}:\n", "        if union:\n"),
    ),
    _mutant(
        "rows outside are none of our business",
        "they are filtered anyway",
        ("reading.py", "record.date not in believable:", "False:"),
    ),
    _mutant(
        "a proof by being listed anywhere",
        "the entry is there without a filter, so it is with one",
        ("reading.py", "    if full or any(", "    if True or any("),
    ),
    # ── the worker ───────────────────────────────────────────────────────────────────────────
    _mutant(
        "done before announced",
        "announcing cannot fail",
        (
            "exporting.py",
            """    tell(claim, rows)
    told_at = max((row.exported_at for row in rows), default=None)
    return _finish(claim, entries=len(rows), told_at=told_at)
""",
            """    told_at = max((row.exported_at for row in rows), default=None)
    report = _finish(claim, entries=len(rows), told_at=told_at)
    tell(claim, rows)
    return report
""",
        ),
    ),
    _mutant(
        "announced before stored",
        "sooner is better",
        (
            "storing.py",
            "    body = encode(rows)\n",
            "    body = encode(rows)\n    tell(claim, rows)\n",
        ),
    ),
    _mutant(
        "412 is a failure",
        "somebody else was there first",
        (
            "storing.py",
            "        body = _require(claim)\n",
            "        raise PermanentError('exists')\n",
        ),
        (
            "storing.py",
            "    if claim.page.state is State.OPEN:\n        return None\n",
            "    if claim.page.state is not State.STORED:\n        return None\n",
        ),
    ),
    _mutant(
        "412 is a success, without reading back",
        "what is there is what I would have put",
        ("storing.py", "        body = _require(claim)\n", "        pass\n"),
    ),
    _mutant(
        "announcing what was fetched again",
        "the source knows best",
        (
            "exporting.py",
            _FETCH_AGAIN.splitlines(keepends=True)[-1],
            _FETCH_AGAIN,
        ),
    ),
    _mutant(
        "a put without a reservation",
        "the state can wait",
        (
            "exporting.py",
            "        claim.move(state=State.WRITING, quarantined=len(reading.faulty))\n",
            "",
        ),
    ),
    _mutant(
        "stored before the put",
        "the put cannot fail",
        (
            "storing.py",
            "    body = encode(rows)\n",
            "    body = encode(rows)\n    claim.move(state=State.STORED, object=claim.key)\n",
        ),
    ),
    _mutant(
        "a put to a key of one's own where there is one already",
        "never mind the old one",
        (
            "storing.py",
            "        body = _require(claim)\n",
            "        claim.tools.lake.put_new(claim.key.replace('_g', '_g1'), body)\n",
        ),
    ),
    _mutant(
        "a split of work that is writing",
        "an overflow is an overflow",
        (
            "exporting.py",
            "may_split = claim.page.state is State.OPEN and ",
            "may_split = ",
        ),
    ),
    _mutant(
        "nothing to write, from writing",
        "now it is empty",
        (
            "exporting.py",
            """    if claim.page.state is State.OPEN:
        if not reading.entries:
            return _finish(claim, quarantined=len(reading.faulty))
        claim""",
            """    if not reading.entries:
        return _finish(claim, quarantined=len(reading.faulty))
    if claim.page.state is State.OPEN:
        claim""",
        ),
    ),
    _mutant(
        "no quarantine",
        "who wants faulty entries",
        ("exporting.py", "    for faulty in reading.faulty:\n", "    for faulty in ():\n"),
    ),
    _mutant(
        "a faulty entry spoils its page",
        "better nothing than half",
        (
            "exporting.py",
            "    for faulty in reading.faulty:\n",
            "    if reading.faulty:\n        raise PermanentError('faulty')\n"
            "    for faulty in reading.faulty:\n",
        ),
    ),
    _mutant(
        "conditions are for cowards: update",
        "the lease protects",
        (
            "claiming.py",
            "        if not self.tools.timeline.update(self.page, changed):\n",
            "        if not self.tools.timeline.update(self.page, changed) and False:\n",
        ),
    ),
    _mutant(
        "a done page can be claimed",
        "once more does no harm",
        (
            "working.py",
            "not work.names(page) or page.state is State.DONE:",
            "not work.names(page):",
        ),
    ),
    _mutant(
        "an outage counts as an attempt",
        "a failure is a failure",
        (
            "working.py",
            "claim.move(attempts=claim.page.attempts - 1, lease_until=None, error=str(error))",
            "claim.move(lease_until=None, error=str(error))",
        ),
    ),
    _mutant(
        "a hole at the first failure",
        "do not waste time",
        (
            "working.py",
            "            if claim.page.attempts < self.effort.attempts:\n",
            "            if claim.page.attempts < 1:\n",
        ),
    ),
    _mutant(
        "a poisoned page is never split",
        "it failed, so it is a hole",
        ("exporting.py", "        if suspects > 1:\n", "        if suspects < 0:\n"),
    ),
    _mutant(
        "no holes",
        "try until it works",
        (
            "exporting.py",
            "hole_since=page.hole_since or claim.tools.clock()\n",
            "hole_since=None\n",
        ),
    ),
    _mutant(
        "what cannot be counted stops the planning",
        "an answer that is no JSON is the API's fault",
        ("cutting.py", "        if part is None:\n            raise\n", "        raise\n"),
    ),
    _mutant(
        "what cannot be counted is not looked into",
        "the API is down",
        (
            "claiming.py",
            "            return MOST_PARTS if count_part(*asked) else 0\n",
            "            return 0\n",
        ),
    ),
    # ── rows and events ──────────────────────────────────────────────────────────────────────
    _mutant(
        "a random event ID",
        "IDs are unique",
        (
            "model/events.py",
            '    event_id = hashlib.sha256(f"{key}',
            '    import uuid\n    event_id = uuid.uuid4().hex or hashlib.sha256(f"{key}',
        ),
    ),
    _mutant(
        "an event ID of the content alone",
        "equal content, equal event",
        ("model/events.py", '{key}\\n{row.entry_id}"', '{row.fingerprint}"'),
    ),
    _mutant(
        "an event ID of the entry alone",
        "one entry, one event",
        ("model/events.py", '{key}\\n{row.entry_id}"', '{row.entry_id}"'),
    ),
    _mutant(
        "an event ID of the object alone",
        "one object, one event",
        ("model/events.py", '{key}\\n{row.entry_id}"', '{key}"'),
    ),
    _mutant(
        "the clock in the event",
        "an event's time is when it is sent",
        (
            "model/events.py",
            "format_timestamp(row.exported_at)",
            "__import__('datetime').datetime.now().isoformat()",
        ),
    ),
    _mutant(
        "a refused event is forgotten",
        "the topic knows why",
        ("storing.py", "    if not refused:\n", "    if refused or not refused:\n"),
    ),
    _mutant(
        "a refused reference is forgotten",
        "it was tried twice",
        ("storing.py", "        tools.timeline.record_refusal(refusal)\n", "        del refusal\n"),
    ),
    _mutant(
        "numbers as floats",
        "1.10 is 1.1",
        (
            "model/json_text.py",
            "        return Decimal(text)\n    except Arith",
            "        return float(text)\n    except Arith",
        ),
    ),
    _mutant(
        "a row's own members win",
        "nobody has a member of that name",
        ("model/rows.py", '        line["shadowed"] = shadowed\n', "        pass\n"),
    ),
)

_SWEEP_MUTANTS = (
    _sweep_mutant(
        "deleted when first missed",
        "what is not listed is gone",
        "        if id_ in earlier and now - earlier[id_].since >= tools.effort.deletion_delay:\n",
        "        if True:\n",
    ),
    _sweep_mutant(
        "deleted when missed twice, however soon",
        "twice is proof",
        "        if id_ in earlier and now - earlier[id_].since >= tools.effort.deletion_delay:\n",
        "        if id_ in earlier:\n",
    ),
    _sweep_mutant(
        "deleted without asking for it by its ID",
        "the list is right",
        "        if found is None:\n            gone",
        "        if found is None or found is not None:\n            gone",
    ),
    _sweep_mutant(
        "deleted without a control",
        "404 is 404",
        "return gone if gone and _finds_control(tools) else []",
        "return gone",
    ),
    _sweep_mutant(
        "no guard against mass deletion",
        "what is gone is gone",
        "    if counted and not _within_quota(claim, len(counted)):\n",
        "    if counted and not counted:\n",
    ),
    _sweep_mutant(
        "one confirmation is for all times",
        "the operator knows",
        "if confirmed_at and sight.missing[id_].since <= confirmed_at]",
        "if confirmed_at]",
    ),
    _sweep_mutant(
        "since when it is missing is noted anew each time",
        "the last time counts",
        "        sight.missing[id_] = earlier.get(id_, Missing(now))\n",
        "        sight.missing[id_] = Missing(now)\n",
    ),
    _sweep_mutant(
        "merged before told",
        "telling cannot fail",
        "    tell(claim, sight.rows)\n    return _merge(claim, before, sight)\n",
        "    it = _merge(claim, before, sight)\n    tell(claim, sight.rows)\n    return it\n",
    ),
    _sweep_mutant(
        "what was told is not known",
        "it will be read again",
        "    now_known = lake_knowledge.after(before.known, sight.rows, claim.key)\n",
        "    now_known = dict(before.known)\n",
    ),
    _sweep_mutant(
        "the first page's knowledge is everybody's",
        "nothing has changed",
        "    if len(holders) == 1 and now_known == before.known:\n",
        "    if holders and now_known == before.known:\n",
    ),
    _sweep_mutant(
        "edits are not compared",
        "an ID is an entry",
        "    if entry.fingerprint == known.fingerprint:\n        return False\n",
        "    return False\n",
    ),
    _sweep_mutant(
        "every entry is news",
        "better twice than never",
        "    if entry.fingerprint == known.fingerprint:\n        return False\n",
        "    return True\n",
    ),
    _sweep_mutant(
        "the clock says when, whatever was told before",
        "time goes on",
        "    if before.told_at is not None:\n",
        "    if False:\n",
    ),
    _sweep_mutant(
        "what moved back is known already",
        "it is as it was",
        " or _is_told_elsewhere(entry, known, asks):\n",
        ":\n",
    ),
    _sweep_mutant(
        "what moved away stays known for ever",
        "once known, always known",
        "    if there is None or there.told_at <= known.told_at:\n        return False\n",
        "    if there is not None or there is None:\n        return False\n",
    ),
    _sweep_mutant(
        "pages stay reserved for a sweep that was given up",
        "the next one will see",
        "Write(page, replace(page, reserved_by=None, revision=claim",
        "Write(page, replace(page, revision=claim",
    ),
    _sweep_mutant(
        "a sweep that is writing is divided",
        "an overflow is an overflow",
        "        may_split=claim.page.state is State.OPEN and ",
        "        may_split=",
    ),
    _sweep_mutant(
        "the parts of a page know all of it",
        "more is better",
        "for id_, entry in before.known.items() if entry.date in window}",
        "for id_, entry in before.known.items()}",
    ),
    _sweep_mutant(
        "a sweep has the generation of what it sweeps",
        "it is the same page",
        "        generation=1 + max(page.generation for page in pages),\n",
        "        generation=max(page.generation for page in pages),\n",
        file="model/timeline.py",
    ),
    _sweep_mutant(
        "pages are merged across months",
        "a neighbour is a neighbour",
        " and page.window.end <= next_month(\n        group[0].window.start\n    )",
        "",
        file="gathering.py",
    ),
    _sweep_mutant(
        "a reserved page may be reserved again",
        "the first one will lose",
        "        and page.reserved_by is None\n",
        "",
        file="gathering.py",
    ),
    _sweep_mutant(
        "the past is exported as soon as it is planned",
        "a backfill is in no hurry",
        "                if page.window.end != start or not page.passable:\n",
        "                if page.window.end != start:\n",
        file="planning.py",
    ),
)

MUTANTS = (*_EXPORT_MUTANTS, *_SWEEP_MUTANTS)


# ── running them ─────────────────────────────────────────────────────────────────────────────────


def verdicts(mutants: Iterable[Mutant] = MUTANTS, *, processes: int = 2) -> Iterator[Verdict]:
    """The verdict on each mutant, in order."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["pydantic", "simplejson", "greenlet", "local.simulator"])
    with context.Pool(processes, maxtasksperchild=1) as pool:
        named = list(mutants)
        for mutant, (trial, evidence) in zip(named, pool.imap(try_mutant, named), strict=True):
            yield Verdict(mutant.name, trial, evidence)


def try_mutant(mutant: Mutant) -> tuple[str, str]:
    """Run the trials against a mutant until one of them catches it: which, and how.

    Needs a process of its own: afterwards its modules are the mutant's.
    """
    with tempfile.TemporaryDirectory() as folder:
        apply(mutant, Path(folder))
        for name in [name for name in sys.modules if name.startswith(("cpd_exporter", "tests."))]:
            del sys.modules[name]
        sys.path.insert(0, folder)
        from tests.simulation import trials  # the mutant's own

        suites = [trials.quick_trials(), trials.quick_sweeps()]
        for trial in chain(*(reversed(suites) if mutant.of_sweeps else suites)):
            try:
                trial.run()
            except Exception as error:  # noqa: BLE001  # whatever it is: it did not go unnoticed
                return str(trial), f"{type(error).__name__}: {error}"
    return "", ""


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
