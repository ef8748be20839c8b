"""The verification: what is known against the lake's objects, and against the API's own sums.

The lake's part is exact: every known entry's last row is there, and is what was told. The sums are
the only independent checksum that the API offers, with bounds that nobody documents: what they
contradict is a warning, which names users and the windows to sweep.

What was found so far is an object in the lake, named by the cursor, so that a verification of any
length goes on where it was. Whoever reaches a cursor has been through all before it, so either of
two workers' findings may stand there.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any

from cpd_exporter.claiming import Outcome, RequestClaim, Tools, WorkReport
from cpd_exporter.errors import LakeError, PermanentError
from cpd_exporter.knowing import LakeReader, by_object
from cpd_exporter.model import json_text
from cpd_exporter.model.entries import FaultyEntry, fingerprint, read_entry
from cpd_exporter.model.instants import format_instant
from cpd_exporter.model.known import KnownEntry
from cpd_exporter.model.rows import Row
from cpd_exporter.model.timeline import Page, State
from cpd_exporter.model.windows import Window, next_month
from cpd_exporter.summing import minutes_by_user

type Finding = dict[str, Any]

_STAMP = "%Y%m%dT%H%M%SZ"

MOST_ENTRIES = 10_000
"""Of one stretch, whose sums are compared at once: so much is held in memory."""

MOST_FINDINGS = 500
MOST_NAMES = 50
"""Findings of one kind in a report, and users or entries in one finding; the rest is counted."""

MOST_LOOKS = 40
LONGEST_LOOK = timedelta(seconds=20)
"""How hard a difference is traced to its windows, before wider ones are named."""


@dataclass(slots=True)
class _Findings:
    """What a report says. ``differences`` counts those that the lists leave out, too."""

    entries: int = 0
    objects: int = 0
    differences: int = 0
    damages: list[Finding] = field(default_factory=list)
    minutes: list[Finding] = field(default_factory=list)
    uncompared: list[Finding] = field(default_factory=list)
    unexported: list[Finding] = field(default_factory=list)

    def note(self, findings: list[Finding], finding: Finding, *, differences: int = 1) -> None:
        self.differences += differences
        if len(findings) < MOST_FINDINGS:
            findings.append(finding)


@dataclass(frozen=True, slots=True)
class _Share:
    """What of one page is verified: its window, and date, user and minutes of each entry."""

    window: Window
    quarantined: int
    logged: list[tuple[datetime, str, int]] = field(default_factory=list)


def verify(claim: RequestClaim, may_go_on: Callable[[], bool]) -> WorkReport:
    """Verify stretch by stretch for as long as ``may_go_on``, then write the report.

    A stretch is as many neighbouring pages of one month as time and memory allow, one at the least.
    A page that is not done is only named.
    """
    findings = _found_before(claim)
    while page := claim.page_from(claim.request.cursor):
        if page.state is State.DONE:
            shares = _read_stretch(claim, page, findings, may_go_on)
            _compare(claim.tools, shares, findings)
            through = shares[-1].window.end
        else:
            window = claim.share_of(page, claim.request.cursor)
            finding = _bounds(window) | {"state": page.state.value}
            findings.note(findings.unexported, finding, differences=0)
            through = window.end
        claim.tools.lake.put_new(_progress_key(claim, through), _encode(claim, findings, through))
        claim.progress(through)
        if not may_go_on() and claim.page_from(through):
            claim.pause()
            return WorkReport(Outcome.PAUSED)
    key = f"{_name(claim)}.json"
    claim.tools.lake.put_new(key, _encode(claim, findings, claim.request.cursor))
    claim.end()
    return WorkReport(Outcome.DONE, differences=findings.differences, report=key)


def _read_stretch(
    claim: RequestClaim, first: Page, findings: _Findings, may_go_on: Callable[[], bool]
) -> list[_Share]:
    shares: list[_Share] = []
    since, entries = claim.request.cursor, 0
    month_end = next_month(claim.share_of(first, since).start)
    page: Page | None = first
    while page and page.state is State.DONE and page.window.start < month_end:
        share = _Share(claim.share_of(page, since), page.quarantined)
        _read_page(claim.tools, page, share, findings)
        shares.append(share)
        entries += len(share.logged)
        if entries >= MOST_ENTRIES or not may_go_on():
            break
        since = share.window.end
        page = claim.page_from(since)
    return shares


def _read_page(tools: Tools, page: Page, share: _Share, findings: _Findings) -> None:
    """Check what is known of a page against the lake's objects, and gather its minutes."""
    reader = LakeReader(tools.lake)

    def note(key: str | None, problem: str, entries: int, ids: Sequence[str] = ()) -> None:
        finding = {"object": key, "problem": problem, "entries": entries}
        ids = sorted(ids)[:MOST_NAMES]
        findings.note(findings.damages, _bounds(page.window) | finding | {"logEntryIds": ids})

    try:
        known = reader.known_of(page)
    except LakeError as error:
        note(error.key, error.damage or "missing", page.entries)
        return
    if len(known) != page.entries:
        counted = f"{len(known)} entries, where the timeline counts {page.entries}"
        note(page.known or page.object, counted, abs(page.entries - len(known)))
    within = {id_: entry for id_, entry in known.items() if entry.date in share.window}
    for key, entries in by_object(within).items():
        findings.objects += 1
        findings.entries += len(entries)
        try:
            rows = reader.rows(key)
        except LakeError as error:
            note(key, error.damage or "missing", len(entries), list(entries))
            continue
        problems: defaultdict[str, list[str]] = defaultdict(list)
        for id_, told in entries.items():
            problem, minutes = _judge(rows.get(id_), told, tools.effort.volatile)
            if problem:
                problems[problem].append(id_)
            if minutes:
                share.logged.append((told.date, *minutes))
        for what, ids in problems.items():
            note(key, what, len(ids), ids)


def _judge(
    row: Row | None, told: KnownEntry, volatile: frozenset[str]
) -> tuple[str | None, tuple[str, int] | None]:
    """What is wrong with an entry's last row, if anything; and whose minutes it tells."""
    if row is None:
        return "no row", None
    entry = read_entry(row.content, "", volatile)
    if isinstance(entry, FaultyEntry):
        return "a row that is no entry", None
    minutes = row.content["userId"], row.content["durationMinutes"]
    if row.fingerprint != told.fingerprint:
        return "another version than was told", minutes
    # Rows that were told before members were named volatile have the fingerprint of them all.
    if row.fingerprint not in (entry.fingerprint, fingerprint(row.content)):
        return "content that does not have its fingerprint", minutes
    return None, minutes


def _compare(tools: Tools, shares: Sequence[_Share], findings: _Findings) -> None:
    """Compare the minutes of a stretch, and trace what differs."""
    stretch = _bounds(_window(shares))
    try:
        users = _differing(tools, shares)
    except PermanentError as error:
        findings.note(findings.uncompared, stretch | {"error": str(error)})
        return
    if not users:
        return
    sweep = [
        _bounds(_window(some)) | {"quarantined": sum(share.quarantined for share in some)}
        for some in _traced(tools, shares, users.keys())
    ]
    named = [users[user] for user in sorted(users)[:MOST_NAMES]]
    finding = stretch | {"users": named, "usersDiffering": len(users), "sweep": sweep}
    findings.note(findings.minutes, finding, differences=len(users))


def _differing(tools: Tools, shares: Sequence[_Share]) -> dict[str, Finding]:
    """The users whose minutes in the lake cannot be what the API sums up.

    It is asked narrower than the window, so that it answers nothing from beyond, whatever its
    bounds are; what lies near them may be in its sums or not.
    """
    window, slack = _window(shares), tools.effort.slack
    if window.length <= 2 * slack:
        return {}
    asked = Window(window.start + slack, window.end - slack)
    least: Counter[str] = Counter()
    most: Counter[str] = Counter()
    for share in shares:
        for date, user, minutes in share.logged:
            is_sure = asked.start + slack <= date < asked.end - slack
            least[user] += minutes if is_sure else min(0, minutes)
            most[user] += minutes if is_sure else max(0, minutes)
    told = minutes_by_user(tools.api, asked)
    return {
        user: {
            "userId": user,
            "lakeMinutesLeast": least[user],
            "lakeMinutesMost": most[user],
            "apiMinutes": told.get(user, 0),
        }
        for user in told.keys() | most.keys()
        if not least[user] <= told.get(user, 0) <= most[user]
    }


def _traced(
    tools: Tools, shares: Sequence[_Share], users: Collection[str]
) -> list[Sequence[_Share]]:
    """The narrowest windows, each of a page or more, in which these users' minutes differ."""
    found: list[Sequence[_Share]] = []
    todo = [shares]
    looks, until = 0, tools.clock() + LONGEST_LOOK
    while todo:
        some = todo.pop()
        guilty: list[Sequence[_Share]] = []
        if len(some) > 1 and looks < MOST_LOOKS and tools.clock() < until:
            looks += 2
            halves = some[: len(some) // 2], some[len(some) // 2 :]
            guilty = [half for half in halves if _differs(tools, half, users)]
        if guilty:
            todo.extend(reversed(guilty))
        else:
            found.append(some)
    return found


def _differs(tools: Tools, shares: Sequence[_Share], users: Collection[str]) -> bool:
    try:
        return not _differing(tools, shares).keys().isdisjoint(users)
    except PermanentError:
        return False  # then the wider window is named, where it could be told


def _window(shares: Sequence[_Share]) -> Window:
    return Window(shares[0].window.start, shares[-1].window.end)


def _bounds(window: Window) -> Finding:
    return {"from": format_instant(window.start), "to": format_instant(window.end)}


def _name(claim: RequestClaim) -> str:
    request = claim.request
    asked_at = f"{request.asked_at:%Y%m%dT%H%M%S.%fZ}"
    span = f"{request.start:{_STAMP}}_{request.end:{_STAMP}}_{asked_at}"
    return f"reports/tenant={claim.tools.timeline.tenant_id}/verify-{span}"


def _progress_key(claim: RequestClaim, through: datetime) -> str:
    return f"{_name(claim)}/through-{through:{_STAMP}}.json"


def _found_before(claim: RequestClaim) -> _Findings:
    request = claim.request
    if request.cursor == request.start:
        return _Findings()
    key = _progress_key(claim, request.cursor)
    stored = claim.tools.lake.read(key)
    if stored is None:
        raise LakeError(key)
    try:
        found = json_text.load(stored)
        return _Findings(**{one.name: found[one.name] for one in fields(_Findings)})
    except (ValueError, KeyError, TypeError) as error:
        raise LakeError(key, damage="not what a verification found") from error


def _encode(claim: RequestClaim, findings: _Findings, through: datetime) -> bytes:
    request = claim.request
    report = {
        "tenantId": claim.tools.timeline.tenant_id,
        **_bounds(Window(request.start, request.end)),
        "askedAt": format_instant(request.asked_at),
        "through": format_instant(through),
        "clean": not findings.differences,
        **asdict(findings),
    }
    return json_text.dump(report).encode("ascii")
