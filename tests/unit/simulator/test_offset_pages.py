"""What the simulated API lists, without HTTP: filter, order, pages, totals, and changing data."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
import simplejson

from simulator import (
    Behaviour,
    EntryStore,
    InjectedFault,
    Profile,
    Query,
    Refused,
    ScheduledChange,
    Simulator,
    StoredEntry,
    seeded,
)

NOON = datetime(2025, 3, 3, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MS = timedelta(milliseconds=1)


def simulator(*offsets: timedelta, **switches: object) -> Simulator:
    """A service with one entry at noon plus each offset, named after its place in the call."""
    made = Simulator(EntryStore(), Behaviour.model_validate(switches), clock=lambda: NOON)
    for index, offset in enumerate(offsets):
        made.insert(NOON + offset, description=str(index))
    return made


def tied(count: int, **switches: object) -> Simulator:
    return simulator(*[0 * MS] * count, **switches)


def descriptions(entries: tuple[StoredEntry, ...]) -> list[str]:
    return [entry.value["description"] for entry in entries]


def read_by_offsets(service: Simulator, per_page: int) -> list[str]:
    """The IDs of a plain paging loop."""
    ids: list[str] = []
    page = 1
    while True:
        listing = service.list_entries(Query(page=page, per_page=per_page))
        ids += [entry.log_entry_id for entry in listing.entries]
        if page >= listing.total_pages:
            return ids
        page += 1


EDGES = (-SECOND, -MS, 0 * MS, MS, 999 * MS, SECOND, 2 * SECOND, 2 * SECOND + MS, 3 * SECOND)


@pytest.mark.parametrize(
    ("switches", "expected"),
    [
        ({}, "345"),
        ({"from_inclusive": True}, "2345"),
        ({"to_inclusive": True}, "3456"),
        ({"from_inclusive": True, "to_inclusive": True}, "23456"),
        ({"precision": "second"}, "5"),
        ({"precision": "second", "from_inclusive": True}, "2345"),
        ({"precision": "second", "to_inclusive": True}, "567"),
        ({"precision": "second", "from_inclusive": True, "to_inclusive": True}, "234567"),
    ],
)
def test_each_bound_is_inclusive_or_not_at_the_precision_asked(
    switches: dict[str, object], expected: str
) -> None:
    service = simulator(*EDGES, **switches)
    listing = service.list_entries(
        Query(entry_date_from=NOON, entry_date_to=NOON + 2 * SECOND, per_page=1000)
    )
    assert "".join(descriptions(listing.entries)) == expected
    assert listing.total_results == len(expected)


def test_a_filter_in_another_time_zone_is_shifted_and_the_entries_are_not() -> None:
    hour = timedelta(hours=1)
    service = simulator(0 * hour, 2 * hour, filter_offset_seconds=7200)
    listing = service.list_entries(
        Query(entry_date_from=NOON + hour, entry_date_to=NOON + 3 * hour)
    )
    assert [entry.value["entryDate"] for entry in listing.entries] == ["2025-03-03T12:00:00.000Z"]


@pytest.mark.parametrize(("repeated", "found"), [("first", "00:30"), ("second", "01:30")])
def test_a_filter_reads_a_repeated_hour_as_it_is_set(repeated: str, found: str) -> None:
    set_back = datetime(2025, 10, 26, 1, tzinfo=UTC) - NOON
    half = timedelta(minutes=30)
    switches = {"filter_time_zone": "Europe/London", "filter_repeated_hour": repeated}
    service = simulator(set_back - half, set_back + half, **switches)
    written = datetime(2025, 10, 26, 1, 30, tzinfo=UTC)  # the clock's time
    listing = service.list_entries(
        Query(entry_date_from=written - SECOND, entry_date_to=written + SECOND)
    )
    assert [entry.value["entryDate"][11:16] for entry in listing.entries] == [found]


def test_pages_and_totals_as_documented() -> None:
    service = simulator(*[i * SECOND for i in range(7)])
    assert len(service.list_entries(Query()).entries) == 7
    last = service.list_entries(Query(page=3, per_page=3))
    assert descriptions(last.entries) == ["6"]
    assert (last.total_results, last.total_pages, last.page, last.per_page) == (7, 3, 3, 3)
    assert service.list_entries(Query(page=4, per_page=3)).entries == ()


def test_an_empty_answer_has_no_pages() -> None:
    assert simulator().list_entries(Query()).total_pages == 0


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({}, Query(1, 100)),
        ({"page": "2", "perPage": "1000"}, Query(2, 1000)),
        ({"entryDateFrom": "2025-03-03 12:00:00"}, Query(entry_date_from=NOON)),
        ({"entryDateTo": "2025-03-03T12:00:00"}, Query(entry_date_to=NOON)),
        ({"entryDateTo": "2025-03-03"}, Query(entry_date_to=NOON - timedelta(hours=12))),
        ({"sort": "entryDate"}, Query()),
    ],
)
def test_documented_parameters_are_understood(parameters: dict[str, str], expected: Query) -> None:
    assert Query.parse(parameters) == expected
    assert Query.parse(expected.parameters) == expected


@pytest.mark.parametrize(
    "parameters",
    [
        {"page": "0"},
        {"page": "-1"},
        {"page": "one"},
        {"perPage": "0"},
        {"perPage": "1001"},
        {"perPage": ""},
        {"perPage": "1.5"},
        {"entryDateFrom": ""},
        {"entryDateFrom": "2025-02-30"},
        {"entryDateTo": "2025-03-03T12:00:00Z"},
        {"entryDateTo": "2025-03-03 12:00:00.000"},
        {"entryDateTo": "2025-03-03 24:00:01"},
        {"entryDateTo": "03/03/2025"},
    ],
)
def test_other_parameters_are_refused(parameters: dict[str, str]) -> None:
    with pytest.raises(Refused) as caught:
        Query.parse(parameters)
    assert caught.value.status == 400
    body = simplejson.loads(caught.value.content)
    assert body == {"status": 400, "error": "Bad Request", "message": body["message"]}
    assert next(iter(parameters)) in body["message"]


def test_order_by_date_both_ways() -> None:
    service = simulator(2 * SECOND, 0 * SECOND, SECOND)
    assert descriptions(service.list_entries(Query()).entries) == ["1", "2", "0"]
    service.behave(order="descending")
    assert descriptions(service.list_entries(Query()).entries) == ["0", "2", "1"]


@pytest.mark.parametrize("order", ["ascending", "descending"])
def test_unstable_ties_keep_the_dates_in_order_and_lose_entries_to_paging(order: str) -> None:
    offsets = [SECOND * (i // 10) for i in range(40)]
    service = simulator(*offsets, order=order, shuffle="ties")
    first, second = (service.list_entries(Query(per_page=40)).entries for _ in range(2))
    assert first != second
    assert set(first) == set(second) == set(service.store)
    dates = [entry.at_ms for entry in first]
    assert dates == sorted(dates, reverse=order == "descending")

    ids = read_by_offsets(service, per_page=7)
    assert len(ids) == 40 > len(set(ids))


def test_ties_are_whole_seconds_where_the_service_compares_seconds() -> None:
    offsets = [MS * i for i in range(50)]
    by_ms = simulator(*offsets, shuffle="ties").list_entries(Query())
    assert descriptions(by_ms.entries) == [str(i) for i in range(50)]
    by_second = simulator(*offsets, shuffle="ties", precision="second").list_entries(Query())
    assert descriptions(by_second.entries) != [str(i) for i in range(50)]


def test_shuffled_everything_changes_with_every_request() -> None:
    service = simulator(*[SECOND * i for i in range(50)], shuffle="all")
    first, second = (service.list_entries(Query(per_page=50)).entries for _ in range(2))
    assert first != second
    assert set(first) == set(second)
    assert len(set(read_by_offsets(service, per_page=5))) < 50


def test_an_order_by_page_size_repeats_and_loses_nothing_but_differs_between_sizes() -> None:
    service = tied(50, shuffle="ties", shuffle_by="per-page")
    tens = read_by_offsets(service, per_page=10)
    assert tens == read_by_offsets(service, per_page=10)
    assert len(set(tens)) == 50
    assert tens != read_by_offsets(service, per_page=25)


def test_an_order_by_page_repeats_its_loss() -> None:
    service = tied(50, shuffle="ties", shuffle_by="page")
    first = read_by_offsets(service, per_page=10)
    assert first == read_by_offsets(service, per_page=10)
    assert len(first) == 50 > len(set(first))


def test_a_seed_decides_a_shuffle() -> None:
    profile = Profile(first=NOON, end=NOON + SECOND, entries=60)
    switches = Behaviour(shuffle="all")
    one, same, other = (
        read_by_offsets(Simulator(seeded(profile), switches, seed=seed), 20) for seed in (1, 1, 2)
    )
    assert one == same != other


@pytest.mark.parametrize(
    ("switches", "total"),
    [
        ({"totals_extra": 10**12}, 10**12 + 4),
        ({"totals_factor": 1.1}, 5),
        ({"totals_factor": 10.0, "totals_extra": 2}, 42),
        ({"totals_extra": -9}, 0),
    ],
)
def test_totals_may_be_wrong_and_the_rows_are_not(switches: dict[str, object], total: int) -> None:
    listing = tied(4, **switches).list_entries(Query(per_page=3))
    assert listing.total_results == total
    assert listing.total_pages == -(-total // 3)
    assert len(listing.entries) == 3


def test_a_smaller_page_than_asked_for_says_so() -> None:
    service = tied(12, per_page_cap=5)
    listing = service.list_entries(Query(page=3, per_page=1000))
    assert (len(listing.entries), listing.per_page, listing.total_pages) == (2, 5, 3)
    assert service.list_entries(Query(per_page=3)).per_page == 3


def test_a_filter_may_be_ignored_or_find_nothing() -> None:
    service = simulator(-SECOND, SECOND)
    query = Query(entry_date_from=NOON)
    service.behave(faults=[InjectedFault(kind="ignore-filter")])
    assert descriptions(service.list_entries(query).entries) == ["0", "1"]
    service.behave(faults=[InjectedFault(kind="nothing")])
    assert service.list_entries(query).total_results == 0


@pytest.mark.parametrize(("kind", "versions"), [("repeat", 1), ("repeat-edited", 2)])
def test_an_entry_may_be_listed_twice(kind: str, versions: int) -> None:
    service = tied(3, faults=[{"kind": kind}])
    entries = service.list_entries(Query()).entries
    assert len(entries) == 4
    assert len({entry.log_entry_id for entry in entries}) == 3
    assert len(set(entries)) == 2 + versions
    full = service.list_entries(Query(per_page=3)).entries
    assert len(full) == 3
    assert len({entry.log_entry_id for entry in full}) == 2


def test_refusals_reach_a_caller_without_http_and_are_counted() -> None:
    service = tied(1, faults=[{"status": 429, "every": 3}, {"status": 503, "on": "entry"}])
    for _ in range(2):
        service.list_entries(Query())
    with pytest.raises(Refused, match="429"):
        service.list_entries(Query())
    with pytest.raises(Refused, match="503"):
        service.get_entry("0" * 24)
    service.behave(faults=[])
    with pytest.raises(Refused, match="404"):
        service.get_entry("0" * 24)
    entry = next(iter(service.store))
    assert service.get_entry(entry.log_entry_id) == entry
    assert [(call.endpoint, call.status) for call in service.calls] == [
        ("listing", 200),
        ("listing", 200),
        ("listing", 429),
        ("entry", 503),
        ("entry", 404),
        ("entry", 200),
    ]
    assert service.count() == 6
    assert service.count("listing") == 3
    assert service.count("entry", 404) == 1
    service.forget_calls()
    assert service.count() == 0


def outcomes(service: Simulator, calls: int) -> str:
    """One letter a call: `.` answered, `x` refused."""
    letters = ""
    for _ in range(calls):
        try:
            service.list_entries(Query())
            letters += "."
        except Refused:
            letters += "x"
    return letters


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"status": 401}, "xxxxxx"),
        ({"status": 401, "after": 2}, "..xxxx"),
        ({"every": 2}, ".x.x.x"),
        ({"every": 2, "after": 1}, "..x.x."),
        ({"times": 2}, "xx...."),
    ],
)
def test_when_a_fault_strikes(fault: dict[str, object], expected: str) -> None:
    assert outcomes(tied(1, faults=[fault]), 6) == expected


def test_chance_is_decided_by_the_seed() -> None:
    def struck(seed: int) -> str:
        fault = InjectedFault(probability=0.5)
        return outcomes(Simulator(EntryStore(), Behaviour(faults=(fault,)), seed=seed), 40)

    assert struck(1) == struck(1) != struck(2)
    assert 8 < struck(1).count("x") < 32


def test_new_behaviour_counts_anew() -> None:
    service = tied(1, faults=[{"after": 2}])
    assert outcomes(service, 3) == "..x"
    service.behave(totals_extra=1)
    assert outcomes(service, 3) == "..x"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("429,every=5,retry_after=2", InjectedFault(status=429, every=5, retry_after=2)),
        ("slow,seconds=1.5,times=1", InjectedFault(kind="slow", seconds=1.5, times=1)),
        ('{"kind": "raw", "body": "a,b=c"}', InjectedFault(kind="raw", body="a,b=c")),
    ],
)
def test_a_fault_as_text(text: str, expected: InjectedFault) -> None:
    assert InjectedFault.parse(text) == expected


def test_what_is_no_rule_is_refused() -> None:
    for text in ("explode", "429,every=0", "slow,for=3", "insert"):
        with pytest.raises(ValueError, match="validation error"):
            InjectedFault.parse(text)


def test_changes_strike_between_the_requests_and_within_the_window() -> None:
    offsets = [timedelta(minutes=i) for i in range(60)]
    kinds = ("insert", "back-date", "edit", "delete", "move")
    window = Query(
        entry_date_from=NOON + timedelta(minutes=20), entry_date_to=NOON + timedelta(minutes=40)
    )
    for kind in kinds:
        service = simulator(*offsets, changes=[{"kind": kind, "every": 2, "times": 2, "count": 3}])
        before = len(service.store.history)
        reads = [service.list_entries(window).entries for _ in range(6)]
        written = service.store.history[before:]
        assert reads[0] == reads[1]
        assert len(written) == 6, kind
        for write in written:
            old, new = write.before, write.after
            assert (
                write.kind
                == {
                    "insert": "inserted",
                    "back-date": "inserted",
                    "edit": "edited",
                    "delete": "deleted",
                    "move": "edited",
                }[kind]
            )
            if kind == "insert":
                assert new is not None
                assert new.at_ms == int(NOON.timestamp() * 1000)
            else:
                struck = new if kind == "back-date" else old
                assert struck is not None
                minutes = (struck.at_ms / 1000 - NOON.timestamp()) / 60
                assert 20 <= minutes <= 40
        if kind in ("back-date", "edit", "delete"):
            assert reads[1] != reads[2]
            assert reads[3] != reads[4] == reads[5]


def test_changes_are_decided_by_the_seed() -> None:
    def history(seed: int) -> list[object]:
        profile = Profile(first=NOON, end=NOON + timedelta(days=9), entries=50)
        changes = tuple(
            ScheduledChange(kind=kind) for kind in ("back-date", "edit", "delete", "move")
        )
        service = Simulator(
            seeded(profile), Behaviour(changes=changes), seed=seed, clock=lambda: NOON
        )
        for _ in range(5):
            service.list_entries(Query())
        return list(service.store.history)

    assert history(1) == history(1) != history(2)


def test_the_hook_sees_every_call_and_may_call_again() -> None:
    service = tied(2)
    seen: list[int] = []

    def hook(call: object) -> None:
        seen.append(len(service.store))
        if len(seen) == 1:
            service.list_entries(Query())
            service.insert(NOON)

    service.after_call = hook
    first = service.list_entries(Query())
    assert first.total_results == 2
    assert service.list_entries(Query()).total_results == 3
    with pytest.raises(Refused):
        service.get_entry("0" * 24)
    assert seen == [2, 2, 3, 3]


def stored(mutate: Callable[[EntryStore, str], object]) -> tuple[EntryStore, str]:
    store = seeded(Profile(first=NOON, end=NOON + timedelta(days=1), entries=9, extras=1.0))
    log_entry_id = list(store)[4].log_entry_id
    mutate(store, log_entry_id)
    return store, log_entry_id


def test_an_edit_keeps_what_it_does_not_name_to_the_digit() -> None:
    store, log_entry_id = stored(lambda store, id_: store.edit(id_, description="new"))
    untouched, _ = stored(lambda store, id_: None)
    old, new = untouched.get(log_entry_id), store.get(log_entry_id)
    assert old is not None
    assert new is not None
    assert '"rating": 4.50' in new.text
    assert new.value == old.value | {"description": "new"}


def test_a_moved_entry_is_listed_at_its_new_date_only() -> None:
    to = NOON - timedelta(days=30)
    store, log_entry_id = stored(lambda store, id_: store.move(id_, to))
    first = next(iter(store))
    assert first.log_entry_id == log_entry_id
    assert first.value["entryDate"] == "2025-02-01T12:00:00.000Z"
    assert len(store) == len(list(store)) == 9


def test_a_deleted_entry_is_gone_and_an_id_is_unique() -> None:
    store, log_entry_id = stored(lambda store, id_: store.delete(id_))
    assert log_entry_id not in store
    assert len(list(store)) == 8
    with pytest.raises(KeyError):
        store.delete(log_entry_id)
    with pytest.raises(ValueError, match="exists"):
        store.add(next(iter(store)))
