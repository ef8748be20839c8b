"""One record that spoils what it is in, or is not where it says: all others go on."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest

from cpd_exporter.errors import MalformedResponseError, PermanentError, TransientError
from cpd_exporter.model import exact_json as json_text
from cpd_exporter.model.entry import Entry, FaultyEntry, Listing, read_entry
from cpd_exporter.model.page import PageState, WorkKind
from cpd_exporter.model.row import Change, Row
from cpd_exporter.model.window import Window
from simulator.behaviour import Behaviour
from simulator.source import StoredEntry
from tests.support.world import World
from tests.unit.test_sweeps import at, changes, entries, exported, swept

SPOILT = MalformedResponseError("one record spoils the listing")


def twist(world: World, change: Callable[[Listing, Window | None, int], Listing]) -> None:
    """Change what the API answers; ``change`` is given the window and the page size, too."""
    query = world.api.query

    def twisted(window: Window | None, *, page: int = 1, per_page: int = 1000) -> Listing:
        listing = query(window, page=page, per_page=per_page)
        return change(listing, window, per_page)

    world.api.query = twisted  # type: ignore[method-assign]


def spoil(world: World, bad: StoredEntry) -> None:
    """Let every listing fail that has the record in it, of one row too."""

    def change(listing: Listing, window: Window | None, per_page: int) -> Listing:
        if window is not None and any(one.id == bad.log_entry_id for one in listing.records):
            raise SPOILT
        return listing

    twist(world, change)


def told(world: World) -> set[str]:
    return {row.entry_id for row in world.rows}


def days_with_entries(world: World, days: int) -> None:
    for _ in range(days):
        for n in range(20):
            world.simulator.insert(world.now + timedelta(minutes=10 * n + 5))
        world.now += timedelta(days=1)
        for _ in range(6):
            world.planner.tick()
            world.drain()
            world.now += timedelta(minutes=5)


def february(world: World) -> list[StoredEntry]:
    return [entry for entry in world.store if at(entry).month == 2]


# ── export ───────────────────────────────────────────────────────────────────────────────────


def test_a_new_record_that_cannot_even_be_counted_stops_no_planning() -> None:
    world = World(store=entries(100))
    world.export()
    bad = world.simulator.insert(world.now + timedelta(minutes=1))
    spoil(world, bad)
    days_with_entries(world, 4)
    assert told(world) == {e.log_entry_id for e in world.store} - {bad.log_entry_id}
    [hole] = [page for page in world.pages if page.hole_since]
    assert at(bad) in hole.window


def test_the_first_record_of_its_page_costs_its_neighbours_nothing() -> None:
    world = World(store=entries(600))
    world.planner.tick()
    page = next(page for page in world.pages if page.state is PageState.OPEN)
    bad = next(entry for entry in world.store if at(entry) in page.window)
    spoil(world, bad)
    world.export(ticks=60)
    assert told(world) == {e.log_entry_id for e in world.store} - {bad.log_entry_id}


def test_a_record_that_is_listed_where_its_date_is_not() -> None:
    world = World(store=entries(100))
    world.export()
    rogue = world.simulator.insert(world.now + timedelta(minutes=1))
    # The index holds it where it was before it was back-dated.
    world.store.edit(rogue.log_entry_id, entryDate="2026-02-01T08:00:00.000Z")
    days_with_entries(world, 4)
    assert told(world) == {e.log_entry_id for e in world.store} - {rogue.log_entry_id}
    assert sum(page.hole_since is not None for page in world.pages) == 1


def test_an_api_down_as_a_whole_shatters_nothing() -> None:
    world = World(store=entries(600))
    world.planner.tick()
    pages = len(world.pages)

    def change(listing: Listing, window: Window | None, per_page: int) -> Listing:
        raise SPOILT

    twist(world, change)
    world.export(ticks=30)
    assert len(world.pages) == pages


def test_an_entry_that_no_window_lists_is_not_the_filter() -> None:
    world = World(store=entries(100))
    world.export()
    sample = max(
        (r for r in world.api.query(None, per_page=100).records if isinstance(r, Entry)),
        key=lambda r: r.date,
    )

    def change(listing: Listing, window: Window | None, per_page: int) -> Listing:
        if window is None:
            return listing
        return replace(
            listing, records=tuple(one for one in listing.records if one.id != sample.id)
        )

    twist(world, change)
    days_with_entries(world, 3)
    assert told(world) == {e.log_entry_id for e in world.store}
    assert world.reports[-1].error is None


def test_a_filter_that_lags_behind_within_the_settle_time_is_no_broken_one() -> None:
    world = World(store=entries(50), behaviour=Behaviour(order="descending"))
    world.export()

    def change(listing: Listing, window: Window | None, per_page: int) -> Listing:
        if window is None:
            return listing
        shown = world.now - timedelta(seconds=60)
        return replace(
            listing, records=tuple(r for r in listing.records if r.date and r.date < shown)
        )

    twist(world, change)
    world.now += timedelta(days=1)
    for n in range(10):
        world.simulator.insert(world.now - timedelta(seconds=30 * n + 1))
    assert world.planner.tick().error is None


def test_work_that_kills_its_workers_is_cut_until_it_does_not() -> None:
    class KilledError(BaseException):
        pass

    def change(listing: Listing, window: Window | None, per_page: int) -> Listing:
        if len(listing.records) > 400:
            raise KilledError
        return listing

    def run(world: World, ticks: int) -> None:
        for _ in range(ticks):
            world.planner.tick()
            while world.queue.messages:
                try:
                    world.worker.handle(world.queue.messages.pop(0))
                except KilledError:
                    world.now += timedelta(minutes=3)
            world.now += timedelta(hours=1)

    world = World(store=entries(1500))
    twist(world, change)
    run(world, 20)
    assert told(world) == {e.log_entry_id for e in world.store}

    world = exported(1500, cutting_target=300)
    world.cutting_target = 800
    twist(world, change)
    world.command({"command": "sweep", "from": "2026-01-01T00:00:00Z"})
    run(world, 20)
    assert list(world.timeline.sweeps()) == []
    assert not any(page.reserved_by for page in world.pages)


def test_volatile_members_do_not_contradict_each_other() -> None:
    fingerprint_exclude = frozenset({"views"})
    world = World(
        store=entries(60),
        fingerprint_exclude=fingerprint_exclude,
        behaviour=Behaviour(totals_extra=1),
    )
    views = count()

    def seen(record: Entry | FaultyEntry) -> Entry | FaultyEntry:
        assert isinstance(record, Entry)
        content = record.content | {"views": next(views)}
        return read_entry(content, json_text.dump(content), fingerprint_exclude)

    twist(world, lambda listing, _, __: replace(listing, records=tuple(map(seen, listing.records))))
    world.export()
    assert told(world) == {e.log_entry_id for e in world.store}


def test_an_api_that_caps_its_pages_but_skips_by_what_was_asked_for() -> None:
    world = World(store=entries(2000))
    twist(world, lambda listing, _, __: replace(listing, records=listing.records[:500]))
    world.export()
    assert told(world) == {e.log_entry_id for e in world.store}


def test_an_api_without_order_that_caps_its_pages_and_does_not_say_so() -> None:
    world = World(store=entries(50), behaviour=Behaviour(shuffle="all", per_page_cap=40))
    second = world.now - timedelta(days=3)
    for _ in range(41):
        world.simulator.insert(second)
    twist(world, lambda listing, _, per_page: replace(listing, per_page=per_page))
    world.export()
    assert told(world) == {e.log_entry_id for e in world.store}
    assert not any(page.hole_since for page in world.pages)


# ── sweeps ───────────────────────────────────────────────────────────────────────────────────


def test_a_record_that_spoils_a_merged_page_leaves_the_rest_of_it_to_be_swept() -> None:
    world = exported(500)
    swept(world)
    inside = february(world)
    bad, far = inside[len(inside) // 2], inside[0]
    spoil(world, bad)
    late = world.simulator.insert(at(inside[2]) - timedelta(seconds=30))
    world.store.edit(far.log_entry_id, durationMinutes=7)
    found = changes([*swept(world), *swept(world)])
    assert found[Change.CREATED] == {late.log_entry_id}
    assert found[Change.UPDATED] == {far.log_entry_id}
    assert found[Change.DELETED] == set()


@pytest.mark.parametrize("error", [SPOILT, TransientError("503")], ids=["malformed", "outage"])
def test_a_control_that_cannot_be_read_holds_back_deletions_only(error: Exception) -> None:
    world = exported(500)
    swept(world)
    gone, edited = february(world)[5], february(world)[50]
    world.store.delete(gone.log_entry_id)
    swept(world)
    world.store.edit(edited.log_entry_id, durationMinutes=7)

    def change(listing: Listing, window: Window | None, per_page: int) -> Listing:
        if window is None and per_page > 1:
            raise error
        return listing

    twist(world, change)
    found = changes(swept(world))
    assert found[Change.UPDATED] == {edited.log_entry_id}
    assert found[Change.DELETED] == set()
    assert list(world.timeline.sweeps()) == []


@pytest.mark.parametrize("error", [PermanentError("410"), TransientError("500")])
def test_an_id_that_cannot_be_looked_up_holds_back_no_other_deletion(error: Exception) -> None:
    world = exported(500)
    swept(world)
    gone = february(world)[5:25]
    for entry in gone:
        world.store.delete(entry.log_entry_id)
    look_up = world.api.entry

    def refuse(entry_id: str) -> Entry | FaultyEntry | None:
        if entry_id == gone[0].log_entry_id:
            raise error
        return look_up(entry_id)

    world.api.entry = refuse  # type: ignore[method-assign]
    rows: list[Row] = [*swept(world), *swept(world)]
    assert changes(rows)[Change.DELETED] == {e.log_entry_id for e in gone[1:]}


def test_a_moved_entry_is_missing_only_since_its_own_page_missed_it() -> None:
    world = exported(300, cutting_target=20)
    one, other = [p for p in world.pages if p.window.start.month == 2 and p.entries][:2]
    moved = next(entry for entry in world.store if at(entry) in one.window)
    world.store.move(moved.log_entry_id, other.window.start + timedelta(seconds=5))
    for page in (one, other):
        world.now += timedelta(hours=2)
        start, end = (
            f"{bound:%Y-%m-%dT%H:%M:%SZ}" for bound in (page.window.start, page.window.end)
        )
        world.command({"command": "sweep", "from": start, "to": end})
        world.export()
    world.store.delete(moved.log_entry_id)
    world.cutting_target = 800
    assert swept(world, after=timedelta(minutes=5)) == []
    assert changes(swept(world))[Change.DELETED] == {moved.log_entry_id}


# ── old work beside new ──────────────────────────────────────────────────────────────────────


def test_errands_and_divided_sweeps_are_sent_a_few_at_a_time() -> None:
    world = World(store=entries(4000), cutting_target=40)
    world.export()
    world.cutting_target = 800
    world.simulator.behave(per_page_cap=50)
    world.now += timedelta(days=1)
    for day in range(1, 21):
        span = {"from": f"2026-01-{day:02}T00:00:00Z", "to": "2026-03-01T00:00:00Z"}
        world.command({"command": "verify", **span})
    world.command({"command": "sweep", "from": "2026-01-01T00:00:00Z"})
    world.queue.messages.clear()
    for _ in range(6):
        world.planner.tick()
        assert sum(message.kind is WorkKind.SWEEP for message in world.queue.messages) <= 50
        assert sum(message.kind == "job" for message in world.queue.messages) <= 2
        world.drain()
        world.now += timedelta(minutes=30)


def test_sweeps_that_are_due_are_sent_before_new_ones_are_gathered() -> None:
    class TimedOutError(BaseException):
        pass

    def too_long(*_: object) -> None:
        raise TimedOutError

    world = exported(2000)
    world.command(
        {"command": "refresh", "logEntryIds": [e.log_entry_id for e in list(world.store)[:500]]}
    )
    world.planner.tick()
    waiting = len(list(world.timeline.sweeps()))
    world.queue.messages.clear()
    world.now += timedelta(hours=1)
    world.timeline.page_at = too_long  # type: ignore[assignment, method-assign]
    with pytest.raises(TimedOutError):
        world.planner.tick()
    sent = [message for message in world.queue.messages if message.kind is WorkKind.SWEEP]
    assert len(sent) == waiting > 0
