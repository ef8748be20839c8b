"""Made-up entries: equal profiles give equal entries, to the byte."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, Literal, get_args

from simulator.source import EPOCH, EntryStore, StoredEntry, rfc3339, to_ms

FaultySort = Literal["missing-field", "wrong-type", "bad-date", "not-an-object", "missing-id"]
FAULTY_SORTS: tuple[FaultySort, ...] = get_args(FaultySort)

HOUR_MS = 3_600_000
# The weight of each hour of a working day, and a weekend's share of that weight.
_HOURS = (1, 1, 1, 1, 1, 2, 6, 20, 60, 100, 110, 90, 60, 80, 100, 100, 90, 50, 20, 12, 10, 8, 4, 2)
_WEEKEND_SHARE = 0.08

_TYPES = ("article", "video", "file", "course", "event", "podcast", "link", "scorm", "assessment")
_ACTIVITIES = (
    "Infection prevention and control",
    "Data protection refresher",
    "Führung auf Distanz — Grundlagen",
    "Sécurité incendie : les gestes qui sauvent",
    "患者安全の基礎",
    "Управление рисками",
    "الإسعافات الأولية",
    'Quotes "in" names, back\\slashes and\ttabs',
    "Wellbeing at work 🧘🏽‍♀️",
    "Reflective practice",
)
_CATEGORIES = (
    "Mandatory",
    "Clinical",
    "Leadership",
    "Mandatory",
    "Développement personnel",
    "安全",
)
_REFLECTIONS = (
    "I will change how I hand over at the end of a shift.",
    "Überraschend hilfreich — vor allem die Übungen zur Gesprächsführung.",
    "Très utile. À refaire avec toute l\u2019équipe, dès que possible…",
    "学んだことを来週の研修で共有します。",
    "Line one\nLine two\r\n\tindented, and a \u2028 separator",
    "",
    "Great session 👩‍⚕️👍 10/10",
    "<b>not</b> markup & not an entity: &amp;",
)
_LONG_DESCRIPTION = 2048


@dataclass(frozen=True, slots=True)
class Profile:
    """The contents of a seeded data set. Dates lie in `[first, end)`, mostly in working hours.

    `burst` entries share one second (`burst_at`, or one near the middle), and many of them a
    millisecond. `faulty` entries break the format, in each way in turn. `extras` is the share of
    entries with undocumented fields, some of which many readers cannot type.
    """

    first: datetime
    end: datetime
    entries: int = 5000
    seed: int = 1
    burst: int = 0
    burst_at: datetime | None = None
    faulty: int = 0
    faulty_sorts: tuple[FaultySort, ...] = FAULTY_SORTS
    extras: float = 0.05

    def __post_init__(self) -> None:
        if not self.first < self.end:
            raise ValueError("the first date must be before the end")
        if self.burst > self.entries or self.faulty > self.entries:
            raise ValueError("more burst or faulty entries than entries")


def demo_profile(now: datetime, *, entries: int = 5000, seed: int = 1) -> Profile:
    """Eighteen months of a company's entries, up to the day before `now`, all as documented."""
    end = now - timedelta(days=1)
    return Profile(first=end - timedelta(days=548), end=end, entries=entries, seed=seed, extras=0)


def seeded(profile: Profile) -> EntryStore:
    """Make the entries of a profile."""
    rng = Random(profile.seed)  # noqa: S311 - made-up data
    writer = EntryWriter(rng, users=max(3, profile.entries // 40), extras=profile.extras)
    burst_ms = to_ms(profile.burst_at or profile.first + (profile.end - profile.first) / 2)
    burst_ms -= burst_ms % 1000
    burst_steps = [rng.randrange(1000) for _ in range(max(1, profile.burst // 8))]
    dates = _working_dates(rng, profile, profile.entries - profile.burst)
    dates += [burst_ms + rng.choice(burst_steps) for _ in range(profile.burst)]
    entries = [writer.write(at_ms) for at_ms in sorted(dates)]
    for turn, index in enumerate(sorted(rng.sample(range(len(entries)), profile.faulty))):
        sort = profile.faulty_sorts[turn % len(profile.faulty_sorts)]
        entries[index] = writer.spoil(entries[index], sort)
    return EntryStore(entries)


class EntryWriter:
    """Makes up one entry after the other, all from one random generator."""

    def __init__(self, rng: Random, *, users: int = 25, extras: float = 0.0) -> None:
        self._rng = rng
        self._extras = extras
        self._users = [self._hex_id() for _ in range(users)]
        self._categories = [
            {"categoryId": self._hex_id(), "name": name[:250]}
            for name in (*_CATEGORIES, "A category with a long name, " * 9)
        ]

    def write(self, at_ms: int, **fields: Any) -> StoredEntry:
        """Make a well-formed entry of this date; `fields` replace made-up ones."""
        rng = self._rng
        log_entry_id = f"{max(0, at_ms) // 1000:08x}{rng.getrandbits(64):016x}"[-24:]
        value: dict[str, Any] = {
            "logEntryId": log_entry_id,
            "userId": rng.choice(self._users),
            "activity": {"type": rng.choice(_TYPES), "name": rng.choice(_ACTIVITIES)},
            "category": rng.choice(self._categories),
            "entryDate": rfc3339(at_ms),
            "durationMinutes": rng.choice((5, 10, 15, 20, 30, 45, 60, 90, 120, 480)),
            "description": self._description(),
            "isVerified": rng.random() < 0.6,
        }
        if rng.random() < self._extras:
            self._add_extras(value)
        return StoredEntry.holding(log_entry_id, at_ms, value | fields)

    def spoil(self, entry: StoredEntry, sort: FaultySort) -> StoredEntry:
        """Make an entry faulty; it keeps its place in the listing."""
        spoilers: dict[FaultySort, Callable[[dict[str, Any]], Any]] = {
            "missing-field": self._without_a_field,
            "wrong-type": self._with_a_wrong_type,
            "bad-date": self._with_a_bad_date,
            "not-an-object": lambda _: self._rng.choice(("an entry", 17, None, True, ["entry"])),
            "missing-id": lambda value: {k: v for k, v in value.items() if k != "logEntryId"},
        }
        return StoredEntry.holding(entry.log_entry_id, entry.at_ms, spoilers[sort](entry.value))

    def _hex_id(self) -> str:
        return f"{self._rng.getrandbits(96):024x}"

    def _description(self) -> str | None:
        draw = self._rng.random()
        if draw < 0.35:
            return None
        text = self._rng.choice(_REFLECTIONS)
        return text if draw < 0.97 else _long(text)

    def _add_extras(self, value: dict[str, Any]) -> None:
        rng = self._rng
        value["points"] = Decimal(f"{rng.randrange(10)}.{rng.randrange(10)}0")
        value["externalReference"] = rng.getrandbits(80)
        value["tags"] = rng.choice(([], ["cpd"], [{"name": "größe", "weight": Decimal("1.10")}]))
        value["activity"]["activityId"] = self._hex_id()
        value["activity"]["rating"] = Decimal("4.50")

    def _without_a_field(self, value: dict[str, Any]) -> Any:
        del value[self._rng.choice([name for name in value if name in _REQUIRED])]
        return value

    def _with_a_wrong_type(self, value: dict[str, Any]) -> Any:
        name, wrong = self._rng.choice(_WRONG_TYPES)
        return value | {name: wrong}

    def _with_a_bad_date(self, value: dict[str, Any]) -> Any:
        bad = ("yesterday", "", "2024-02-30T10:00:00.000Z", "31/12/2024", None, 1_700_000_000_000)
        return value | {"entryDate": self._rng.choice(bad)}


_REQUIRED = frozenset(
    {"userId", "activity", "category", "entryDate", "durationMinutes", "description", "isVerified"}
)
_WRONG_TYPES: tuple[tuple[str, Any], ...] = (
    ("userId", 42),
    ("activity", "a video"),
    ("activity", {"type": None, "name": "no type"}),
    ("category", []),
    ("category", {"categoryId": 7, "name": "a number as ID"}),
    ("durationMinutes", "half an hour"),
    ("durationMinutes", None),
    ("description", {"text": "nested"}),
    ("isVerified", "yes"),
)


def _long(text: str) -> str:
    """A description of exactly 2 KB in UTF-8."""
    unit = (text or "Much was said. ").encode()
    text = (unit * (_LONG_DESCRIPTION // len(unit) + 1))[:_LONG_DESCRIPTION].decode(errors="ignore")
    return text + "." * (_LONG_DESCRIPTION - len(text.encode()))


def _working_dates(rng: Random, profile: Profile, count: int) -> list[int]:
    """Draw dates (ms), most of them in the hours when people log entries."""
    first_ms, end_ms = to_ms(profile.first), to_ms(profile.end)
    hours = range(first_ms - first_ms % HOUR_MS, end_ms, HOUR_MS)
    weights = []
    for hour_ms in hours:
        moment = EPOCH + timedelta(milliseconds=hour_ms)
        covered = min(hour_ms + HOUR_MS, end_ms) - max(hour_ms, first_ms)
        weekend = _WEEKEND_SHARE if moment.weekday() >= 5 else 1.0
        weights.append(_HOURS[moment.hour] * weekend * covered)
    return [
        rng.randrange(max(hour_ms, first_ms), min(hour_ms + HOUR_MS, end_ms))
        for hour_ms in rng.choices(hours, weights, k=count)
    ]
