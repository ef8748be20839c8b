"""The made-up data: reproducible, and as awkward as real data."""

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from simulator import EntryStore, Profile, demo_profile, seeded

NOW = datetime(2025, 6, 2, 9, 30, tzinfo=UTC)
DOCUMENTED: dict[str, type | tuple[type, ...]] = {
    "logEntryId": str,
    "userId": str,
    "activity": dict,
    "category": dict,
    "entryDate": str,
    "durationMinutes": int,
    "description": (str, type(None)),
    "isVerified": bool,
}


@pytest.fixture(scope="module")
def demo() -> EntryStore:
    return seeded(demo_profile(NOW))


def date_of(value: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(value["entryDate"])


def is_well_formed(value: Any) -> bool:
    try:
        date_of(value)
        parts = (*value["activity"].values(), *value["category"].values())
    except (KeyError, TypeError, ValueError, AttributeError):
        return False
    return (
        None not in parts
        and all(isinstance(value.get(name, ...), kind) for name, kind in DOCUMENTED.items())
        and isinstance(value["category"]["categoryId"], str)
    )


def test_the_demo_holds_well_formed_entries_of_the_past(demo: EntryStore) -> None:
    assert len(demo) == 5000
    for entry in demo:
        value = entry.value
        assert is_well_formed(value)
        assert value["logEntryId"] == entry.log_entry_id
        assert re.fullmatch(r"[0-9a-f]{24}", entry.log_entry_id)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", value["entryDate"])
        assert NOW - timedelta(days=550) < date_of(value) < NOW - timedelta(days=1)


def test_the_demo_holds_what_real_data_holds(demo: EntryStore) -> None:
    values = [entry.value for entry in demo]
    descriptions = [value["description"] for value in values]
    assert descriptions.count(None) > 1000
    assert "" in descriptions
    assert sum(len(text.encode()) == 2048 for text in descriptions if text) > 20
    assert any(text and not text.isascii() for text in descriptions)
    assert all(set(value) == set(DOCUMENTED) for value in values)
    working = sum(
        date_of(value).weekday() < 5 and 7 <= date_of(value).hour < 18 for value in values
    )
    assert working > 3500


def test_a_profile_holds_undocumented_members_unless_it_says_otherwise() -> None:
    store = seeded(Profile(first=NOW - timedelta(days=9), end=NOW, entries=300))
    assert any(set(entry.value) > set(DOCUMENTED) for entry in store)
    texts = "".join(entry.text for entry in store)
    assert re.search(r'"points": \d\.\d0,', texts)
    assert re.search(r'"externalReference": \d{20,}', texts)


def test_equal_profiles_give_equal_data_and_other_seeds_other_data(demo: EntryStore) -> None:
    assert list(seeded(demo_profile(NOW))) == list(demo)
    assert not set(seeded(demo_profile(NOW, seed=2))) & set(demo)


def test_a_burst_shares_one_second_with_ties_to_the_millisecond() -> None:
    at = NOW - timedelta(days=3)
    profile = Profile(first=NOW - timedelta(days=9), end=NOW, entries=500, burst=200, burst_at=at)
    store = seeded(profile)
    assert len(store) == 500
    dates = Counter(entry.at_ms for entry in store)
    second = int(at.timestamp())
    in_burst = {ms: count for ms, count in dates.items() if ms // 1000 == second}
    assert sum(in_burst.values()) >= 200
    assert max(in_burst.values()) > 3
    assert len(in_burst) > 3


def test_faulty_entries_are_listed_by_their_date_and_are_the_only_ones() -> None:
    profile = Profile(first=NOW - timedelta(days=9), end=NOW, entries=300, faulty=50)
    clean = Profile(first=NOW - timedelta(days=9), end=NOW, entries=300)
    store, sound = seeded(profile), seeded(clean)
    assert [(e.log_entry_id, e.at_ms) for e in store] == [(e.log_entry_id, e.at_ms) for e in sound]
    differing = [new for new, old in zip(store, sound, strict=True) if new != old]
    assert len(differing) == 50
    assert not any(is_well_formed(entry.value) for entry in differing)
    assert any(not isinstance(entry.value, dict) for entry in differing)
    assert any(isinstance(e.value, dict) and "logEntryId" not in e.value for e in differing)


def test_faulty_entries_of_one_sort_only() -> None:
    profile = Profile(
        first=NOW - timedelta(days=9),
        end=NOW,
        entries=20,
        faulty=20,
        faulty_sorts=("missing-id",),
        extras=0.0,
    )
    for entry in seeded(profile):
        assert set(entry.value) == set(DOCUMENTED) - {"logEntryId"}


def test_a_short_range_is_filled() -> None:
    sunday_night = datetime(2025, 6, 1, 2, 59, 59, tzinfo=UTC)
    store = seeded(Profile(first=sunday_night, end=sunday_night + timedelta(seconds=2), entries=50))
    dates = [entry.at_ms / 1000 - sunday_night.timestamp() for entry in store]
    assert 0 <= min(dates) <= max(dates) < 2


def test_impossible_profiles_are_refused() -> None:
    with pytest.raises(ValueError, match="before the end"):
        Profile(first=NOW, end=NOW)
    with pytest.raises(ValueError, match="more burst or faulty"):
        Profile(first=NOW - timedelta(days=1), end=NOW, entries=5, faulty=6)
