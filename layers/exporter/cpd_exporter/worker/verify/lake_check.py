"""Checks that every indexed entry's last row is in the lake, as it was published."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cpd_exporter.errors import LakeError
from cpd_exporter.model.entry import FaultyEntry, read_entry
from cpd_exporter.model.page import Page
from cpd_exporter.model.page_index import IndexEntry
from cpd_exporter.model.row import Row
from cpd_exporter.model.window import Window
from cpd_exporter.worker.context import WorkerContext
from cpd_exporter.worker.lake_reader import LakeReader, by_object, share_of_index
from cpd_exporter.worker.verify.report import MAX_NAMES, Findings, bounds


@dataclass(frozen=True, slots=True)
class PageShare:
    """The verified part of a page: its window, and date, user and minutes of each entry."""

    window: Window
    quarantined: int
    logged: list[tuple[datetime, str, int]] = field(default_factory=list)


def check_page(context: WorkerContext, page: Page, share: PageShare, findings: Findings) -> None:
    """Check a page's index against the lake's objects, and add its minutes to ``share``."""
    reader = LakeReader(context.lake)

    def note(key: str | None, problem: str, entries: int, ids: Sequence[str] = ()) -> None:
        finding = {"object": key, "problem": problem, "entries": entries}
        ids = sorted(ids)[:MAX_NAMES]
        findings.note(findings.damages, bounds(page.window) | finding | {"logEntryIds": ids})

    try:
        index = reader.read_index(page)
    except LakeError as error:
        note(error.key, error.damage or "missing", page.entries)
        return
    if len(index) != page.entries:
        counted = f"{len(index)} entries, where the timeline counts {page.entries}"
        note(page.index_key or page.object, counted, abs(page.entries - len(index)))
    checked = share_of_index(index, page.window, share.window)
    for key, entries in by_object(checked).items():
        findings.objects += 1
        findings.entries += len(entries)
        try:
            rows = reader.read_rows(key)
        except LakeError as error:
            note(key, error.damage or "missing", len(entries), list(entries))
            continue
        problems: defaultdict[str, list[str]] = defaultdict(list)
        for id_, indexed in entries.items():
            problem, minutes = _judge(rows.get(id_), indexed)
            if problem:
                problems[problem].append(id_)
            if minutes and indexed.date in share.window:
                share.logged.append((indexed.date, *minutes))
        for problem, ids in problems.items():
            note(key, problem, len(ids), ids)


def _judge(row: Row | None, indexed: IndexEntry) -> tuple[str | None, tuple[str, int] | None]:
    """The problem of an entry's last row, if any; and its user with the minutes.

    The row names the members that its fingerprint ignores, so a changed setting damages no row.
    """
    if row is None:
        return "no row", None
    entry = read_entry(row.text, row.fingerprint_exclude)
    if isinstance(entry, FaultyEntry):
        return "a row that is no entry", None
    logged = row.documented()
    minutes = logged.user_id, logged.duration_minutes
    if row.fingerprint != indexed.fingerprint:
        return "another version than the published one", minutes
    if row.fingerprint != entry.fingerprint:
        return "content that does not have its fingerprint", minutes
    return None, minutes
