"""The entries of the simulated service, and the changes that others make to them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from random import Random
from types import MappingProxyType
from typing import Any

import simplejson

from cpd_exporter.model.window import Window
from simulator.entry_writer import EntryWriter, FaultySort
from simulator.simulator import Simulator
from simulator.source import EntryStore, StoredEntry
from tests.simulation.lake_text import canonical_json

type Snapshot = Mapping[str, StoredEntry]


@dataclass(frozen=True, slots=True)
class SourceView:
    """All entries when the API answered a process; ``asked`` is the queried window, if any."""

    asked: Window | None
    snapshot: Snapshot


class SourceChange(StrEnum):
    """A change that others make to the data."""

    INSERT = "insert"
    BACK_DATE = "back-date"
    EDIT = "edit"
    MOVE = "move"
    DELETE = "delete"
    REPLACE = "replace"


@dataclass(eq=False)
class Source:
    """``untouched`` entries were there in time, and nobody changed them: each must arrive exactly
    once. ``faulty`` entries are never readable.
    """

    simulator: Simulator
    faulty: frozenset[str]
    chance: Random
    anchors: frozenset[str] = frozenset()
    changes: int = 0

    def __post_init__(self) -> None:
        self.untouched = {entry.log_entry_id for entry in self.store} - self.faulty
        self._snapshot: Snapshot | None = None
        self._made = 0
        self.last_inserted = ""

    @property
    def store(self) -> EntryStore:
        return self.simulator.store

    def snapshot(self) -> Snapshot:
        """All entries as they are now."""
        if self._snapshot is None:
            entries = {entry.log_entry_id: entry for entry in self.store}
            self._snapshot = MappingProxyType(entries)
        return self._snapshot

    def renew_snapshot(self) -> None:
        """Note that somebody changed the store: the next snapshot is a new one."""
        self._snapshot = None

    def change(self, change: SourceChange, near: Window | None = None) -> None:
        """Make a change to an entry of ``near``, or to any entry if ``near`` has none."""
        self._snapshot = None
        self.changes += change not in (SourceChange.MOVE, SourceChange.DELETE)
        targets = sorted(
            (e for e in self.store if e.log_entry_id not in self.faulty | self.anchors),
            key=lambda e: (near is None or not _lies(e, near), e.at_ms, e.log_entry_id),
        )
        if near is not None and targets and _lies(targets[0], near):
            targets = [e for e in targets if _lies(e, near)]
        target = self.chance.choice(targets) if targets else None
        match change:
            case SourceChange.INSERT:
                entry = self._insert(self.simulator.now())
                self.untouched.add(entry.log_entry_id)
            case SourceChange.BACK_DATE:
                self._insert(self._date_in(near, target))
            case _ if target is None:
                return
            case SourceChange.EDIT:
                self.store.edit(target.log_entry_id, description=f"edit {self.changes}")
            case SourceChange.MOVE:
                other = self.chance.choice(targets + list(self.store))
                jitter = timedelta(seconds=self.chance.randint(-3, 3))
                self.move(target.log_entry_id, date_of(other) + jitter)
            case SourceChange.DELETE:
                self.delete(target.log_entry_id)
            case SourceChange.REPLACE:  # the number of entries stays the same
                self.store.delete(target.log_entry_id)
                self._insert(date_of(self.chance.choice(targets)))
        if target is not None and change not in (SourceChange.INSERT, SourceChange.BACK_DATE):
            self.untouched.discard(target.log_entry_id)

    def move(self, entry_id: str, to: datetime) -> None:
        """Give an entry another date."""
        self._snapshot = None
        self.changes += 1
        self.store.move(entry_id, to)
        self.untouched.discard(entry_id)

    def spoil(self, entry_id: str, sort: FaultySort) -> None:
        """Make a sound entry faulty."""
        entry = self.store.delete(entry_id)
        self.store.add(EntryWriter(Random(self.changes)).spoil(entry, sort))
        self.faulty |= {entry_id}
        self.untouched.discard(entry_id)
        self.changes += 1
        self._snapshot = None

    def delete(self, entry_id: str) -> None:
        """Delete an entry."""
        self._snapshot = None
        self.changes += 1
        self.store.delete(entry_id)
        self.untouched.discard(entry_id)

    def insert_at(self, at: datetime) -> None:
        """Add an entry."""
        self._snapshot = None
        self.changes += 1
        self._insert(at)

    def _insert(self, at: datetime) -> StoredEntry:
        self._made += 1
        entry = self.simulator.insert(at, description=f"insert {self._made}")
        self.last_inserted = entry.log_entry_id
        return entry

    def shimmer(self, member: str, value: str) -> None:
        """A member of every entry changes by itself."""
        self._snapshot = None
        self.changes += 1
        for entry in list(self.store):
            self.store.edit(entry.log_entry_id, **{member: value})

    def _date_in(self, near: Window | None, target: StoredEntry | None) -> datetime:
        """Often the exact bounds of a window, or another entry's second."""
        if near is not None:
            milliseconds = near.length // timedelta(milliseconds=1)
            at = self.chance.choice((0, 999, milliseconds - 1, self.chance.randrange(milliseconds)))
            return near.start + timedelta(milliseconds=at)
        return date_of(target) if target else self.simulator.now() - timedelta(hours=1)


def date_of(entry: StoredEntry) -> datetime:
    return _instant(entry.at_ms)


@lru_cache(maxsize=4096)
def _instant(ms: int) -> datetime:
    return datetime.fromtimestamp(ms // 1000, UTC) + timedelta(milliseconds=ms % 1000)


def within(snapshot: Snapshot, window: Window) -> dict[str, StoredEntry]:
    """The entries of a window, by the half-open rule."""
    return {id_: entry for id_, entry in snapshot.items() if _lies(entry, window)}


@lru_cache(maxsize=4096)
def content_of(text: str) -> Any:
    """The content of an entry, with every digit of its numbers."""
    return simplejson.loads(text, use_decimal=True)


@lru_cache(maxsize=4096)
def canonical(text: str) -> str:
    """The one spelling of an entry's content in which two entries are compared."""
    return canonical_json(content_of(text))


def _lies(entry: StoredEntry, window: Window) -> bool:
    return date_of(entry) in window
