"""Entries over time: when they were logged. Each pattern is the same in every run."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from random import Random

from simulator.source import EntryStore, StoredEntry, rfc3339, to_ms

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
_OFFICE = range(8, 18)
_OFFICE_SHARE = 0.95
"""Of all entries, those logged in the hours of working days."""

type Dates = Callable[[Random, int, int, int], list[int]]
"""Chooses so many dates (ms) between two."""


def store_of(dates: Iterable[int], *, seed: int = 1) -> EntryStore:
    """Short entries of these dates (ms): calls are counted, not bytes."""
    rng = Random(seed)
    return EntryStore(entry_at(rng, at_ms) for at_ms in sorted(dates))


def entry_at(rng: Random, at_ms: int) -> StoredEntry:
    log_entry_id = f"{at_ms // 1000:08x}{rng.getrandbits(64):016x}"
    text = (
        f'{{"logEntryId":"{log_entry_id}","userId":"5500a1b2c3d4e5f601234567","activity":'
        f'{{"type":"article","name":"Wellbeing at work"}},"category":{{"categoryId":"cat-1",'
        f'"name":"Clinical"}},"entryDate":"{rfc3339(at_ms)}","durationMinutes":30,'
        f'"description":"I will change how I hand over at the end of a shift.",'
        f'"isVerified":{"true" if rng.random() < 0.5 else "false"}}}'
    )
    return StoredEntry(log_entry_id, at_ms, text)


def uniform(rng: Random, count: int, first_ms: int, end_ms: int) -> list[int]:
    """Evenly, at any hour."""
    return [rng.randrange(first_ms, end_ms) for _ in range(count)]


def office_hours(rng: Random, count: int, first_ms: int, end_ms: int) -> list[int]:
    """Nearly all from 08:00 to 18:00 UTC on working days."""
    hours = range(first_ms, end_ms, HOUR_MS)
    office = [hour for hour in hours if _is_office(hour)]
    return [
        rng.choice(office if rng.random() < _OFFICE_SHARE else hours) + rng.randrange(HOUR_MS)
        for _ in range(count)
    ]


def bulk(rng: Random, count: int, first_ms: int, end_ms: int) -> list[int]:
    """Nine tenths come in imports, each of 5,000 within an hour; the rest in office hours."""
    imports = count * 9 // 10 // 5000
    dates = office_hours(rng, count - imports * 5000, first_ms, end_ms)
    for _ in range(imports):
        start = rng.randrange(first_ms, end_ms - HOUR_MS)
        dates += [start + rng.randrange(HOUR_MS) for _ in range(5000)]
    return dates


def _is_office(hour_ms: int) -> bool:
    moment = datetime.fromtimestamp(hour_ms / 1000, UTC)
    return moment.weekday() < 5 and moment.hour in _OFFICE


def span(first: datetime, length: timedelta) -> tuple[int, int]:
    return to_ms(first), to_ms(first + length)
