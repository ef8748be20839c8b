"""The entries of the simulated service."""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from threading import RLock
from typing import Any, Literal

import simplejson

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def to_ms(moment: datetime) -> int:
    """Milliseconds since the epoch, finer parts cut off."""
    return (moment - EPOCH) // _MILLISECOND


def rfc3339(ms: int) -> str:
    """The form of `entryDate`: UTC, milliseconds, `Z`."""
    moment = EPOCH + timedelta(milliseconds=ms)
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry as the service holds it.

    `log_entry_id` and `at_ms` are the service's own; `text` is the JSON that it shows, which may be
    faulty and then need not agree with them.
    """

    log_entry_id: str
    at_ms: int
    text: str
    number: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "number", int(self.log_entry_id, 16))

    @classmethod
    def holding(cls, log_entry_id: str, at_ms: int, value: Any) -> "StoredEntry":
        """Hold a JSON value; `Decimal`s keep their digits."""
        return cls(log_entry_id, at_ms, simplejson.dumps(value, ensure_ascii=False))

    @property
    def value(self) -> Any:
        """The JSON value, fractions as `Decimal`, so that 1.10 stays 1.10."""
        return simplejson.loads(self.text, use_decimal=True)

    @property
    def is_object(self) -> bool:
        """Whether it can be edited; a faulty entry need not even be a JSON object."""
        return self.text.startswith("{")

    def edited(self, **fields: Any) -> "StoredEntry":
        """The same entry with other fields."""
        value = self.value | fields
        return replace(self, text=simplejson.dumps(value, ensure_ascii=False))


@dataclass(frozen=True, slots=True)
class Written:
    """One write in the store's history: no `before` is an insert, no `after` a delete."""

    before: StoredEntry | None
    after: StoredEntry | None

    @property
    def kind(self) -> Literal["inserted", "edited", "deleted"]:
        if self.before is None:
            return "inserted"
        return "deleted" if self.after is None else "edited"


def _position(entry: StoredEntry) -> tuple[int, str]:
    return entry.at_ms, entry.log_entry_id


def _date(entry: StoredEntry) -> int:
    return entry.at_ms


class EntryStore:
    """Entries sorted by date and ID. Safe to read and change from several threads at once."""

    def __init__(self, entries: Iterable[StoredEntry] = ()) -> None:
        self._sorted = sorted(entries, key=_position)
        self._by_id = {entry.log_entry_id: entry for entry in self._sorted}
        if len(self._by_id) != len(self._sorted):
            raise ValueError("two entries share an ID")
        self._history: list[Written] = []
        self._lock = RLock()

    def __len__(self) -> int:
        return len(self._by_id)

    def __iter__(self) -> Iterator[StoredEntry]:
        """A snapshot, by date."""
        return iter(self.between(None, None))

    def __contains__(self, log_entry_id: object) -> bool:
        return log_entry_id in self._by_id

    def get(self, log_entry_id: str) -> StoredEntry | None:
        return self._by_id.get(log_entry_id)

    def between(self, first_ms: int | None, end_ms: int | None) -> list[StoredEntry]:
        """Entries dated in `[first, end)`, by date; `None` is unbounded. Costs two bisections."""
        with self._lock:
            low = 0 if first_ms is None else bisect_left(self._sorted, first_ms, key=_date)
            high = None if end_ms is None else bisect_left(self._sorted, end_ms, key=_date)
            return self._sorted[low:high]

    @property
    def history(self) -> tuple[Written, ...]:
        """All writes since the store was made, in order."""
        with self._lock:
            return tuple(self._history)

    def add(self, entry: StoredEntry) -> StoredEntry:
        """Insert an entry, of any date; `ValueError` if its ID is taken."""
        with self._lock:
            if entry.log_entry_id in self._by_id:
                raise ValueError(f"entry {entry.log_entry_id} exists")
            self._write(None, entry)
        return entry

    def edit(self, log_entry_id: str, **fields: Any) -> StoredEntry:
        """Give an entry other fields; its date stays. `KeyError` if there is no such entry."""
        with self._lock:
            before = self._by_id[log_entry_id]
            after = before.edited(**fields)
            self._write(before, after)
        return after

    def move(self, log_entry_id: str, to: datetime) -> StoredEntry:
        """Give an entry another date. `KeyError` if there is no such entry."""
        at_ms = to_ms(to)
        with self._lock:
            before = self._by_id[log_entry_id]
            after = replace(before.edited(entryDate=rfc3339(at_ms)), at_ms=at_ms)
            self._write(before, after)
        return after

    def delete(self, log_entry_id: str) -> StoredEntry:
        """Remove an entry and return it. `KeyError` if there is no such entry."""
        with self._lock:
            before = self._by_id[log_entry_id]
            self._write(before, None)
        return before

    def _write(self, before: StoredEntry | None, after: StoredEntry | None) -> None:
        if before is not None:
            del self._sorted[bisect_left(self._sorted, _position(before), key=_position)]
            del self._by_id[before.log_entry_id]
        if after is not None:
            insort(self._sorted, after, key=_position)
            self._by_id[after.log_entry_id] = after
        self._history.append(Written(before, after))
