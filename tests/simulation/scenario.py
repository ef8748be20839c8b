"""The beginning of a run: the entries, the behaviour of the API, and the exporter's settings."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from random import Random
from zoneinfo import ZoneInfo

from simulator.behaviour import Behaviour, InjectedFault, Shuffle, ShuffleBy
from simulator.entry_writer import FAULTY_SORTS, EntryWriter
from simulator.source import StoredEntry, to_ms
from tests.simulation.world import Costs

NOW = datetime(2026, 3, 1, 0, 10, tzinfo=UTC)
SETTLE = timedelta(minutes=2)
MONTH = datetime(2026, 3, 1, tzinfo=UTC)
"""The start of a month; the entries of every scenario lie around it."""

SECOND = timedelta(seconds=1)
DOCUMENTED = Behaviour()
FREE = Costs()


@dataclass(frozen=True, slots=True)
class Scenario:
    """One beginning.

    The topic refuses the events of ``refused_whole`` in full, and those of ``refused`` even as
    reference events. A listing that holds a ``poison`` entry is not JSON. Nobody changes
    ``anchors``. If ``hides_cap``, the API returns fewer records than requested and does not say so.
    If ``may_stay_holes``, no reading of the API is certain, so holes may last.
    """

    entries: tuple[StoredEntry, ...]
    behaviour: Behaviour = DOCUMENTED
    faulty: frozenset[str] = frozenset()
    refused_whole: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()
    poison: frozenset[str] = frozenset()
    anchors: frozenset[str] = frozenset()
    hides_cap: bool = False
    origin: datetime = MONTH - timedelta(minutes=1)
    lease: timedelta = timedelta(minutes=2)
    target: int = 800
    floor: timedelta = SECOND
    outstanding: int = 500
    sweeps: int = 50
    deletion_delay: timedelta = timedelta(hours=1)
    max_deletions: int = 500
    fingerprint_exclude: frozenset[str] = frozenset()
    filter_time_zone: tzinfo = UTC
    may_stay_holes: bool = False
    costs: Costs = FREE


def one_page() -> Scenario:
    """A single page of two entries: small enough for every pair of faults."""
    return Scenario(entries_at(2, 3.999), origin=MONTH)


def lone() -> Scenario:
    """A single entry; its deletion leaves nothing."""
    return Scenario(entries_at(2), origin=MONTH)


def anchored() -> Scenario:
    """One page with an entry that nobody changes, which serves sweeps as a control."""
    entries = entries_at(2, 3.999, 6)
    return Scenario(entries, origin=MONTH, anchors=frozenset({entries[2].log_entry_id}))


def parted() -> Scenario:
    """Like ``anchored``, with more entries than fit one response."""
    entries = entries_at(2, 3.999, 6, 200, 204)
    anchors = frozenset({entries[2].log_entry_id})
    behaviour = Behaviour(per_page_cap=4)
    return Scenario(entries, behaviour, origin=MONTH - timedelta(seconds=4), anchors=anchors)


def guarded() -> Scenario:
    """One deletion a day: further deletions wait for the operator."""
    entries = entries_at(2, 3.999, 6, 200, 204, 208, 212)
    return replace(parted(), entries=entries, behaviour=DOCUMENTED, max_deletions=1)


def late() -> Scenario:
    """Some entries are older than the first date to export."""
    return replace(parted(), origin=MONTH + timedelta(seconds=100))


def bordered() -> Scenario:
    """Entries of two months; the first of them may leave, and nobody changes the last."""
    entries = entries_at(-7200, -7197, -3600, -1, 2, 200, 204)
    anchors = frozenset({entries[2].log_entry_id, entries[6].log_entry_id})
    origin = MONTH - timedelta(hours=3)
    return Scenario(entries, Behaviour(per_page_cap=5), origin=origin, anchors=anchors)


def brimful() -> Scenario:
    """A page with an anchor that one more entry makes too large for a response."""
    return replace(anchored(), behaviour=Behaviour(per_page_cap=4))


def nearly_full() -> Scenario:
    """A page that one more entry makes too large for a response."""
    return replace(one_page(), behaviour=Behaviour(per_page_cap=3))


def small() -> Scenario:
    """The smallest world with a split, a boundary of months, a page without entries, and entries on
    the first and the last millisecond of a second.
    """
    behaviour = Behaviour(per_page_cap=4)
    return Scenario(entries_at(2, 3.999, 200, 204), behaviour, origin=MONTH - timedelta(seconds=4))


def dense() -> Scenario:
    """A second that holds two responses."""
    entries = entries_at(2, 2.1, 2.2, 2.3, 2.4, 2.5)
    origin = MONTH + timedelta(seconds=1)
    return Scenario(entries, Behaviour(per_page_cap=3), origin=origin, outstanding=3)


def unstable() -> Scenario:
    """Like ``dense``, in no order at all."""
    return replace(dense(), behaviour=Behaviour(per_page_cap=3, shuffle="all"))


def capped() -> Scenario:
    """An API that returns fewer records than requested and does not say so."""
    return replace(small(), behaviour=Behaviour(per_page_cap=2), hides_cap=True)


def untold() -> Scenario:
    """An API whose totals are zero, and that returns fewer records than requested."""
    behaviour = Behaviour(per_page_cap=3, totals_factor=0)
    return replace(small(), behaviour=behaviour, may_stay_holes=True)


def repeating() -> Scenario:
    """An API that once lists one entry twice in place of another, and hides its cap."""
    fault = InjectedFault(kind="repeat", after=7, times=1)
    behaviour = Behaviour(per_page_cap=2, faults=(fault,))
    return replace(one_page(), behaviour=behaviour, hides_cap=True)


def contradicting() -> Scenario:
    """An API that once lists one entry in two versions."""
    fault = InjectedFault(kind="repeat-edited", after=7, times=1)
    return replace(one_page(), behaviour=Behaviour(faults=(fault,)))


def refused() -> Scenario:
    """Entries whose events the topic refuses in full; one of them even as a reference event."""
    first, second = (entry.log_entry_id for entry in one_page().entries)
    both = frozenset({first, second})
    return replace(one_page(), refused_whole=both, refused=frozenset({second}))


def ahead() -> Scenario:
    """An API whose clock is minutes ahead."""
    return replace(one_page(), behaviour=Behaviour(clock_skew_seconds=400))


def behind() -> Scenario:
    """An API whose clock is minutes behind, and with it the dates of new entries."""
    return replace(one_page(), behaviour=Behaviour(clock_skew_seconds=-400))


def poisoned() -> Scenario:
    """One entry that makes every listing unreadable."""
    entries = small().entries
    poison = frozenset({entries[2].log_entry_id})
    return replace(small(), poison=poison, may_stay_holes=True)


def spoilt() -> Scenario:
    """Like ``poisoned``; the entry is the first of its page, so the API cannot even count it."""
    entries = small().entries
    return replace(poisoned(), poison=frozenset({entries[0].log_entry_id}))


def set_back() -> Scenario:
    """A filter in a zone whose clock shows the hour from 01:00 UTC, and again from 02:00; pages
    are split there.
    """
    name, day = "Africa/Casablanca", datetime(2026, 2, 15, tzinfo=UTC)
    writer = EntryWriter(Random(3))  # made-up data, the same each time
    dates = (day + timedelta(minutes=minute) for minute in range(50, 200, 7))
    return Scenario(
        tuple(writer.write(to_ms(date)) for date in dates),
        Behaviour(per_page_cap=15, filter_time_zone=name),
        origin=day,
        filter_time_zone=ZoneInfo(name),
    )


def outage() -> Scenario:
    """An API whose outage outlasts a page's attempts."""
    fault = InjectedFault(kind="status", status=503, after=9, times=30)
    return replace(small(), behaviour=Behaviour(per_page_cap=4, faults=(fault,)))


SCENARIOS = {
    "one-page": one_page,
    "lone": lone,
    "anchored": anchored,
    "parted": parted,
    "guarded": guarded,
    "bordered": bordered,
    "brimful": brimful,
    "late": late,
    "nearly-full": nearly_full,
    "small": small,
    "spoilt": spoilt,
    "dense": dense,
    "unstable": unstable,
    "capped": capped,
    "untold": untold,
    "repeating": repeating,
    "contradicting": contradicting,
    "refused": refused,
    "ahead": ahead,
    "behind": behind,
    "poisoned": poisoned,
    "set-back": set_back,
    "outage": outage,
}


def at_random(seed: int) -> Scenario:
    """Any beginning; small, so that a second of computing tries many."""
    rng = Random(f"scenario {seed}")  # reproducible by intent
    writer = EntryWriter(rng, users=2, extras=0.2)
    totals = rng.choice(((1.0, 0),) * 5 + ((1.5, 1), (1.0, 10**12), (0.0, 0), (0.5, 0)))
    shuffle_by: ShuffleBy = rng.choice(("request", "request", "per-page", "page"))
    shuffle: Shuffle = rng.choice(("none", "none", "ties", "all"))
    if totals[0] < 1:
        shuffle = "none"  # unordered rows under too low a total look like fewer rows
    is_exact = totals == (1.0, 0) and shuffle_by == "request"
    # If no union of a dense second can be certain, there is none: entries lie apart.
    grid = rng.choice((20 * SECOND, SECOND)) if is_exact else 20 * SECOND
    dates = [_date(rng, grid) for _ in range(rng.choice((1, 3, 6, 10)))]
    if not is_exact:
        dates = sorted({date.replace(microsecond=0): date for date in dates}.values())
    entries = [writer.write(to_ms(date), **_namesakes(rng)) for date in dates]
    faulty = rng.sample(range(len(entries)), rng.choice((0, 0, 0, 1, min(2, len(entries)))))
    for index in faulty:
        entries[index] = writer.spoil(entries[index], rng.choice(FAULTY_SORTS))
    healthy = [e.log_entry_id for i, e in enumerate(entries) if i not in faulty]
    refused_whole = [id_ for id_ in healthy if rng.random() < 0.04]
    return Scenario(
        entries=tuple(entries),
        behaviour=Behaviour(
            from_inclusive=rng.random() < 0.5,
            to_inclusive=rng.random() < 0.5,
            precision=rng.choice(("second", "millisecond")),
            order=rng.choice(("ascending", "descending")),
            shuffle=shuffle,
            shuffle_by=shuffle_by,
            per_page_cap=rng.choice((2, 3, 5, 8, None)),
            totals_factor=totals[0],
            totals_extra=totals[1],
            clock_skew_seconds=rng.choice((0.0, 0.0, 0.0, -45.0, -400.0, 400.0)),
            faults=faults_of(rng) if is_exact else (),
        ),
        faulty=frozenset(entries[index].log_entry_id for index in faulty),
        refused_whole=frozenset(refused_whole),
        refused=frozenset(id_ for id_ in refused_whole if rng.random() < 0.5),
        hides_cap=is_exact and shuffle == "none" and rng.random() < 0.3,
        origin=MONTH - timedelta(seconds=rng.choice((0, 40, 90, 86_400 * 31))),
        lease=rng.choice((timedelta(minutes=2),) * 3 + (timedelta(0),)),
        target=rng.choice((1, 2, 4, 800)),
        floor=rng.choice((SECOND, SECOND * 7, timedelta(minutes=15))),
        outstanding=rng.choice((1, 3, 500, 500)),
        # Two equal faulty records count as one, so a dense second may lack a record for ever.
        may_stay_holes=not is_exact or len(faulty) > 1,
    )


def sane(scenario: Scenario) -> Scenario:
    """The same scenario with an API of certain readings, and an entry that nobody changes."""
    behaviour = scenario.behaviour.model_copy(
        update={
            "totals_factor": 1.0,
            "totals_extra": 0,
            "shuffle_by": "request",
            # Nothing reveals a row that twice running takes another row's place.
            "faults": tuple(f for f in scenario.behaviour.faults if f.kind != "repeat"),
        }
    )
    [anchor] = entries_at(250)
    return replace(
        scenario,
        entries=(*scenario.entries, anchor),
        behaviour=behaviour,
        may_stay_holes=len(scenario.faulty) > 1,
        anchors=frozenset({anchor.log_entry_id}),
        outstanding=max(4, scenario.outstanding),
    )


def entries_at(*seconds: float) -> tuple[StoredEntry, ...]:
    """Entries that many seconds after the month's start."""
    writer = EntryWriter(Random(3))  # made-up data, the same each time
    return tuple(writer.write(to_ms(MONTH + timedelta(seconds=s))) for s in seconds)


def _date(rng: Random, grid: timedelta) -> datetime:
    """Around the month's start, often on the first or the last millisecond of a second."""
    second = MONTH + grid * rng.randint(-3, 9)
    return second + timedelta(milliseconds=rng.choice((0, 0, 1, 500, 999)))


def _namesakes(rng: Random) -> dict[str, str]:
    """Sometimes an entry has a member with the name of a row's own member."""
    return {"change": "theirs"} if rng.random() < 0.1 else {}


def faults_of(rng: Random) -> tuple[InjectedFault, ...]:
    if rng.random() < 0.8:
        return ()
    rare = 0.1
    return (
        InjectedFault(
            kind="status", status=rng.choice((401, 403, 429, 500, 503)), after=3, times=20
        ),
        InjectedFault(kind="repeat", probability=rare),
    )
