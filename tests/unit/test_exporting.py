"""The worker: how each message ends, what each failure does, and what a late riser cannot do."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from cpd_exporter.errors import (
    AccessError,
    ConfigurationError,
    ExporterError,
    FilterError,
    MalformedInputError,
    MalformedResponseError,
    PermanentError,
    TransientError,
)
from cpd_exporter.model import exact_json as json_text
from cpd_exporter.model import row as rows
from cpd_exporter.model.entry import Entry, Listing
from cpd_exporter.model.event import Event
from cpd_exporter.model.message import Message, PageMessage
from cpd_exporter.model.page import ConditionalWrite, Page, PageState, lake_key
from cpd_exporter.model.row import Change
from cpd_exporter.model.window import Window
from cpd_exporter.worker.context import MAX_SPLIT_PARTS, Outcome, WorkReport
from cpd_exporter.worker.export import MAX_CHAIN_LENGTH
from simulator.behaviour import Behaviour, Fault
from simulator.seeding import Profile, seeded
from simulator.source import EntryStore
from tests.support.fakes import FakeQueue, FakeTimeline
from tests.support.samples import works
from tests.support.world import NOW, TENANT, World

START = NOW - timedelta(hours=2)
CANARY = "confidential reflection"
LEASE = timedelta(seconds=120)


def planned(entries: int = 20, *, faulty: int = 0, **switches: Any) -> tuple[World, PageMessage]:
    """A world with one page of so many entries, planned and sent, and its message."""
    store = EntryStore()
    if entries:
        end = NOW - timedelta(hours=1)
        store = seeded(Profile(first=START, end=end, entries=entries, faulty=faulty))
    world = World(store=store, origin=START)
    world.planner.tick()
    world.simulator.behaviour = Behaviour(**switches)
    [work] = works(world.queue)
    return world, work


def done(entries: int) -> WorkReport:
    return WorkReport(Outcome.DONE, changes={Change.CREATED: entries})


def page_of(world: World, work: PageMessage) -> Page:
    page = world.timeline.page(work.start)
    assert page is not None
    return page


def attempt(world: World, work: PageMessage) -> WorkReport | ExporterError:
    """Receive the message once, after whatever lease there was."""
    world.now += timedelta(minutes=15)
    try:
        return world.worker.handle(work)
    except ExporterError as error:
        return error


def assert_told_once(world: World) -> None:
    world.assert_exact()
    assert len(world.topic.published) == len(world.rows) == len(world.store)


# ── how a message ends ───────────────────────────────────────────────────────────────────────


def test_a_page_is_stored_told_and_done() -> None:
    world, work = planned(20)
    report = world.worker.handle(work)
    assert report == done(20)
    page = page_of(world, work)
    assert (page.state, page.entries, page.attempts) == (PageState.DONE, 20, 1)
    assert (page.error, page.hole_since, page.lease_until) == (None, None, None)
    assert list(world.lake.objects) == [page.object] == [lake_key(TENANT, page)]
    world.planner.tick()
    assert_told_once(world)


def test_rows_are_by_date_and_told_with_the_time_they_were_stored() -> None:
    world, work = planned(20)
    world.worker.handle(work)
    dates = [row.content["entryDate"] for row in world.rows]
    assert dates == sorted(dates)
    assert {row.exported_at for row in world.rows} == {world.now}
    assert {row.tenant_id for row in world.rows} == {TENANT}


def test_a_page_whose_entries_went_has_no_object() -> None:
    world, work = planned(20)
    for entry in list(world.store):
        world.store.delete(entry.log_entry_id)
    assert world.worker.handle(work) == done(0)
    assert page_of(world, work).object is None
    assert not world.lake.objects


def test_a_message_that_comes_again_finds_nothing_to_do() -> None:
    world, work = planned(20)
    world.worker.handle(work)
    calls, objects, told = world.api.calls, dict(world.lake.objects), list(world.topic.published)
    assert world.worker.handle(work).outcome is Outcome.GONE
    assert (world.api.calls, world.lake.objects, world.topic.published) == (calls, objects, told)


@pytest.mark.parametrize(
    "changes",
    [
        {"generation": 2},
        {"start": START + timedelta(seconds=1)},
        {"end": NOW - timedelta(minutes=1)},
    ],
)
def test_a_message_for_what_is_not_there_any_more_is_done(changes: dict[str, Any]) -> None:
    world, work = planned(20)
    before = page_of(world, work)
    assert world.worker.handle(work.model_copy(update=changes)).outcome is Outcome.GONE
    assert page_of(world, work) == before


def test_a_message_of_another_tenant_is_refused() -> None:
    world, work = planned(20)
    with pytest.raises(MalformedInputError, match="eu-west-2_Other") as caught:
        world.worker.handle(work.model_copy(update={"tenant_id": "eu-west-2_Other"}))
    assert TENANT in str(caught.value)
    assert page_of(world, work).attempts == 0


def test_a_page_in_a_live_workers_hands_is_left_to_it() -> None:
    world, work = planned(20)
    world.worker._claim(page_of(world, work))
    world.now += LEASE - timedelta(seconds=1)
    assert world.worker.handle(work).outcome is Outcome.HELD
    world.now += timedelta(seconds=1)
    assert world.worker.handle(work).outcome is Outcome.DONE


def test_faulty_records_are_set_apart_and_counted() -> None:
    world, work = planned(20, faulty=5)
    report = world.worker.handle(work)
    assert (report.changes, report.quarantined) == ({Change.CREATED: 15}, 5)
    assert page_of(world, work).quarantined == 5
    assert len(world.quarantined) == 5


def test_a_page_of_nothing_but_faulty_records_is_done() -> None:
    world, work = planned(5, faulty=5)
    report = world.worker.handle(work)
    assert report == replace(done(0), quarantined=5)
    assert len(world.quarantined) == len(world.lake.objects) == 5


# ── overflow ─────────────────────────────────────────────────────────────────────────────────


def test_an_overflow_is_replaced_by_parts_which_are_sent() -> None:
    world, work = planned(200, per_page_cap=50)
    world.queue.messages.clear()
    assert world.worker.handle(work).outcome is Outcome.SPLIT
    parts = world.pages
    assert len(parts) == 5
    assert {part.generation for part in parts} == {2}
    assert [message.window for message in works(world.queue)] == [part.window for part in parts]
    assert {message.chain_length for message in works(world.queue)} == {work.chain_length + 1}
    assert not world.lake.objects
    assert world.worker.handle(work).outcome is Outcome.GONE
    world.export()
    assert_told_once(world)


def test_parts_of_parts_are_left_to_the_planner_in_the_end() -> None:
    world, work = planned(200, per_page_cap=50)
    world.queue.messages.clear()
    world.worker.handle(work.model_copy(update={"chain_length": MAX_CHAIN_LENGTH}))
    assert not world.queue.messages
    assert world.planner.tick().sent == 5


def test_an_absurd_total_does_not_shatter_a_page() -> None:
    world, work = planned(200, per_page_cap=50, totals_extra=10**12)
    assert world.worker.handle(work).outcome is Outcome.SPLIT
    assert len(world.pages) == MAX_SPLIT_PARTS


def test_what_was_begun_to_be_written_is_never_split() -> None:
    """Its key may be in somebody's hands; it is read as a dense page instead."""
    world, work = planned(200)
    page = page_of(world, work)
    writing = replace(page, state=PageState.WRITING, revision="writing")
    assert world.timeline.update(page, writing)
    world.simulator.behave(per_page_cap=50, shuffle="all")
    assert world.worker.handle(work) == done(200)
    assert len(world.pages) == 1
    world.planner.tick()
    assert_told_once(world)


def test_what_was_begun_to_be_written_ends_with_an_object_even_if_all_entries_went() -> None:
    world, work = planned(3)
    page = page_of(world, work)
    assert world.timeline.update(page, replace(page, state=PageState.WRITING, revision="writing"))
    for entry in list(world.store):
        world.store.delete(entry.log_entry_id)
    assert world.worker.handle(work) == done(0)
    page = page_of(world, work)
    assert page.object is not None
    assert rows.decode(world.lake.objects[page.object]) == []


# ── stored, then announced from storage ──────────────────────────────────────────────────────


def store_an_older_version(world: World, work: PageMessage) -> None:
    """Another worker's object, of how the source is now."""
    page = page_of(world, work)
    assert world.timeline.update(page, replace(page, state=PageState.WRITING, revision="other"))
    body = rows.encode(
        rows.created(record, tenant_id=TENANT, exported_at=world.now)
        for record in world.api.query(work.window).records
        if isinstance(record, Entry)
    )
    assert world.lake.put_new(lake_key(TENANT, page), body)


def test_what_is_stored_already_is_told_and_not_fetched_anew() -> None:
    world, work = planned(5)
    store_an_older_version(world, work)
    first = next(iter(world.store)).log_entry_id
    world.store.edit(first, description="edited since")
    calls = world.api.calls
    assert world.worker.handle(work) == done(5)
    assert world.api.calls == calls
    assert not any("edited since" in event.body for event in world.topic.published)
    assert len(world.topic.published) == 5


def test_a_put_that_loses_tells_what_the_winner_stored() -> None:
    world, work = planned(5)
    put_new = world.lake.put_new

    def late(key: str, body: bytes) -> bool:
        if key not in world.lake.objects:
            [_, *others] = rows.decode(body)
            put_new(key, rows.encode(others))
        return put_new(key, body)

    world.lake.put_new = late  # type: ignore[method-assign]
    assert world.worker.handle(work) == done(4)
    assert {event.entry_id for event in world.topic.published} == {
        row.entry_id for row in world.rows
    }


def test_a_put_whose_answer_was_lost_counts() -> None:
    world, work = planned(5)
    put_new = world.lake.put_new

    def lost(key: str, body: bytes) -> bool:
        put_new(key, body)
        raise TransientError("s3:PutObject failed (ReadTimeoutError)")

    world.lake.put_new = lost  # type: ignore[method-assign]
    assert isinstance(attempt(world, work), TransientError)
    assert page_of(world, work).state is PageState.WRITING
    assert not world.topic.published
    world.lake.put_new = put_new  # type: ignore[method-assign]
    assert attempt(world, work) == done(5)
    world.planner.tick()
    assert_told_once(world)


def test_an_announcement_that_was_cut_off_is_repeated_equally() -> None:
    world, work = planned(5)
    publish = world.topic.publish

    def cut_off(events: Sequence[Event]) -> dict[str, str]:
        publish(events[:2])
        raise TransientError("sns:Publish failed")

    world.topic.publish = cut_off  # type: ignore[method-assign]
    assert isinstance(attempt(world, work), TransientError)
    world.topic.publish = publish  # type: ignore[method-assign]
    world.store.edit(next(iter(world.store)).log_entry_id, description="edited since")
    calls = world.api.calls
    assert attempt(world, work) == done(5)
    assert world.api.calls == calls
    assert len(world.topic.published) == 7
    assert len({event.body for event in world.topic.published}) == 5


@pytest.mark.parametrize(
    ("damage", "remedy"),
    [(None, "Restore it"), (b"", "restore it"), (b"not gzip", "restore it")],
)
def test_a_stored_object_that_is_gone_or_damaged_is_asked_for(
    damage: bytes | None, remedy: str
) -> None:
    world, work = planned(5)
    world.topic.publish = lambda _: fail(TransientError("throttled"))  # type: ignore[method-assign, assignment]
    assert isinstance(attempt(world, work), TransientError)
    page = page_of(world, work)
    assert page.state is PageState.STORED
    assert page.object is not None
    whole = world.lake.objects.pop(page.object)
    if damage is not None:
        world.lake.objects[page.object] = damage
    del world.topic.publish
    for _ in range(4):
        error = attempt(world, work)
        assert isinstance(error, PermanentError)
        assert remedy in str(error)
        assert page.object in str(error)
    report = attempt(world, work)
    assert isinstance(report, WorkReport)
    assert report.outcome is Outcome.HOLE
    assert not world.topic.published
    world.lake.objects[page.object] = whole
    assert attempt(world, work) == done(5)
    assert page_of(world, work).hole_since is None


def fail(error: Exception) -> Any:
    raise error


# ── another worker in between ────────────────────────────────────────────────────────────────


class Racing(FakeTimeline):
    """Just before its ``at``-th write to a page, another worker writes."""

    def __init__(self, real: FakeTimeline, at: int) -> None:
        self.__dict__ = real.__dict__
        self.at = at
        self.intruder: Callable[[Page], None] = lambda _: None

    def update(self, page: Page, changed: Page) -> bool:
        self.at -= 1
        if self.at == 0:
            self.intruder(page)
        return super().update(page, changed)

    def commit(self, writes: Sequence[ConditionalWrite]) -> bool:
        self.at -= 1
        if self.at == 0 and (page := writes[0].before) is not None:
            self.intruder(page)
        return super().commit(writes)


@pytest.mark.parametrize("at", [1, 2, 3, 4], ids=["claim", "writing", "stored", "done"])
def test_whoever_was_overtaken_stops_and_nothing_is_lost(at: int) -> None:
    world, work = planned(20)
    racing = Racing(world.timeline, at)
    other = world.worker

    def overtake(_: Page) -> None:
        world.now += timedelta(minutes=5)
        other.work(work)

    racing.intruder = overtake
    report = replace(world.worker, timeline=racing).work(work)
    assert report.outcome is Outcome.SUPERSEDED
    assert page_of(world, work).state is PageState.DONE
    world.planner.tick()
    world.assert_exact()
    assert len(world.lake.objects) == 1


def test_whoever_was_overtaken_by_a_split_stops() -> None:
    world, work = planned(200)
    racing = Racing(world.timeline, 2)

    def overtake(_: Page) -> None:
        world.now += timedelta(minutes=5)
        world.simulator.behave(per_page_cap=50)
        assert world.worker.handle(work).outcome is Outcome.SPLIT

    racing.intruder = overtake
    assert replace(world.worker, timeline=racing).work(work).outcome is Outcome.SUPERSEDED
    world.export()
    assert_told_once(world)


def test_whoever_would_split_what_another_exported_stops() -> None:
    world, work = planned(200, per_page_cap=50)
    racing = Racing(world.timeline, 2)

    def overtake(_: Page) -> None:
        world.now += timedelta(minutes=5)
        world.simulator.behave(per_page_cap=None)
        assert world.worker.handle(work).outcome is Outcome.DONE

    racing.intruder = overtake
    assert replace(world.worker, timeline=racing).work(work).outcome is Outcome.SUPERSEDED
    assert len(world.pages) == 1
    world.planner.tick()
    assert_told_once(world)


def test_whoever_fails_after_being_overtaken_undoes_nothing() -> None:
    world, work = planned(20, faults=(Fault(kind="status", status=503, times=1),))
    other = world.worker

    def overtake(_: object) -> None:
        world.simulator.after_call = lambda _: None
        world.now += timedelta(minutes=5)
        other.work(work)

    world.simulator.after_call = overtake
    assert world.worker.handle(work).outcome is Outcome.SUPERSEDED
    assert page_of(world, work).state is PageState.DONE


# ── what each failure does ───────────────────────────────────────────────────────────────────

WAITED_OUT = {
    "429": (Behaviour(faults=(Fault(status=429),)), TransientError),
    "500": (Behaviour(faults=(Fault(status=500),)), TransientError),
    "503": (Behaviour(faults=(Fault(status=503),)), TransientError),
    "401": (Behaviour(faults=(Fault(status=401),)), AccessError),
    "403": (Behaviour(faults=(Fault(status=403),)), AccessError),
}


@pytest.mark.parametrize(("behaviour", "kind"), WAITED_OUT.values(), ids=WAITED_OUT.keys())
def test_what_strikes_all_alike_is_waited_out_and_never_counts(
    behaviour: Behaviour, kind: type[ExporterError]
) -> None:
    world, work = planned(20)
    world.simulator.behaviour = behaviour
    for _ in range(20):
        assert isinstance(attempt(world, work), kind)
        page = page_of(world, work)
        assert (page.attempts, page.lease_until, page.hole_since) == (0, None, None)
        assert page.error
    world.simulator.behaviour = Behaviour()
    assert attempt(world, work) == done(20)
    assert page_of(world, work).error is None


@pytest.mark.parametrize("port", ["lake", "topic"])
@pytest.mark.parametrize("error", [TransientError("throttled"), ConfigurationError("refused")])
def test_what_the_stores_refuse_never_counts_either(port: str, error: Exception) -> None:
    world, work = planned(20)
    broken = type("Broken", (), {"__getattr__": lambda *_: lambda *_, **__: fail(error)})()
    if port == "topic":
        worker = replace(world.worker, topic=broken)
    else:
        broken.uri = world.lake.uri
        worker = replace(world.worker, lake=broken)
    for _ in range(8):
        world.now += timedelta(minutes=15)
        with pytest.raises(type(error)):
            worker.handle(work)
    assert page_of(world, work).attempts == 0
    assert not world.topic.published
    assert attempt(world, work) == done(20)


def misread(world: World, error: Exception, *, counts: bool = True) -> None:
    """Every listing fails; only those of one row, which count, may work."""
    query = world.api.query

    def broken(window: Window | None, *, page: int = 1, per_page: int = 1000) -> Listing:
        if per_page == 1 and counts:
            return query(window, page=page, per_page=per_page)
        raise error

    world.api.query = broken  # type: ignore[method-assign]


def test_what_is_no_json_counts_and_after_five_attempts_is_split() -> None:
    world, work = planned(20)
    misread(world, MalformedResponseError("not JSON"))
    for attempts in range(1, 5):
        assert isinstance(attempt(world, work), MalformedResponseError)
        page = page_of(world, work)
        assert (page.attempts, page.error, page.lease_until) == (attempts, "not JSON", None)
    report = attempt(world, work)
    assert isinstance(report, WorkReport)
    assert report.outcome is Outcome.SPLIT
    # Each part has one attempt left before it is split or a hole itself.
    assert {part.attempts for part in world.pages} == {4}


@pytest.mark.parametrize(
    ("error", "counts"),
    [
        (MalformedResponseError("not JSON"), False),
        (FilterError("rows from elsewhere"), True),
    ],
)
def test_what_fails_as_a_whole_is_a_hole_and_not_split(error: Exception, counts: bool) -> None:
    world, work = planned(20)
    misread(world, error, counts=counts)
    for _ in range(4):
        assert attempt(world, work) is error
    assert attempt(world, work) == WorkReport(Outcome.HOLE, error=error)  # type: ignore[arg-type]
    [page] = world.pages
    assert (page.hole_since, page.error, page.state) == (world.now, str(error), PageState.OPEN)
    report = world.planner.tick()
    assert report.holes == 1
    assert report.exported_through >= page.window.end
    del world.api.query
    assert attempt(world, work) == done(20)
    assert page_of(world, work).hole_since is None


def test_a_hole_keeps_its_age_and_is_tried_on() -> None:
    world, work = planned(20)
    misread(world, FilterError("rows from elsewhere"))
    for _ in range(5):
        attempt(world, work)
    since = page_of(world, work).hole_since
    for _ in range(3):
        report = attempt(world, work)
        assert isinstance(report, WorkReport)
        assert report.outcome is Outcome.HOLE
    page = page_of(world, work)
    assert (page.hole_since, page.attempts) == (since, 8)


def test_the_parts_of_a_hole_are_holes_until_they_are_done() -> None:
    """The watermark passed over the hole: its parts may not be undone behind it unlisted."""
    world, work = planned(200)
    misread(world, FilterError("rows from elsewhere"))
    for _ in range(5):
        attempt(world, work)
    since = page_of(world, work).hole_since
    world.planner.tick()
    del world.api.query
    world.simulator.behave(per_page_cap=50)
    world.queue.messages.clear()
    report = attempt(world, work)
    assert isinstance(report, WorkReport)
    assert report.outcome is Outcome.SPLIT
    through = _exported_through(world)
    behind = [page for page in world.timeline.undone() if page.window.start < through]
    assert len(behind) == 5
    assert {page.hole_since for page in behind} == {since}
    world.drain()
    assert not any(page.hole_since for page in world.pages)
    world.export()
    assert_told_once(world)


def _exported_through(world: World) -> datetime:
    watermark = world.timeline.watermark()
    assert watermark is not None
    return watermark.exported_through


def test_work_whose_workers_die_without_a_word_is_split_and_says_so() -> None:
    world, work = planned(20)
    for _ in range(5):
        world.worker._claim(page_of(world, work))
        world.now += timedelta(minutes=3)
    report = world.worker.handle(work)
    assert report.outcome is Outcome.SPLIT
    assert len(world.pages) > 1


# ── events that are refused ──────────────────────────────────────────────────────────────────


def test_a_refused_event_goes_out_as_a_reference_and_then_is_recorded() -> None:
    world, work = planned(20)
    first, second, *_ = (entry.log_entry_id for entry in world.store)

    def refuse(event: Event) -> str | None:
        whole = "entry" in json_text.load(event.body)["data"]
        if event.entry_id == first:
            return "too large" if whole else None
        return "policy" if event.entry_id == second else None

    world.topic.refuse = refuse
    assert world.worker.handle(work) == done(20)
    told = {event.entry_id: json_text.load(event.body) for event in world.topic.published}
    assert len(world.topic.published) == len(told) == 19
    assert "entry" not in told[first]["data"]
    assert second not in told
    [refusal] = world.timeline.refusals()
    assert (refusal.entry_id, refusal.error, refusal.window) == (second, "policy", work.window)


def test_no_failure_tells_what_an_entry_says() -> None:
    """Messages are logged, stored and shown."""
    world, work = planned(20)
    for entry in list(world.store):
        world.store.edit(entry.log_entry_id, description=CANARY, isVerified=CANARY)
    world.simulator.behave(faults=(Fault(kind="ignore-filter"), Fault(kind="repeat-edited")))
    report = attempt(world, work)
    assert CANARY not in str(report)
    for key in world.quarantined:
        assert CANARY not in world.lake.objects[key].split(b"\n", 1)[0].decode()
    assert CANARY not in str(world.pages)


def test_parts_that_could_not_be_sent_are_sent_by_the_next_tick_and_it_is_told() -> None:
    world, work = planned(200, per_page_cap=50)

    class Full(FakeQueue):
        def send(self, work: Sequence[Message]) -> list[Message]:
            raise TransientError("the queue is not well")

    report = replace(world.worker, queue=Full()).work(work)
    assert report.outcome is Outcome.SPLIT
    assert "the queue is not well" in str(report.error)
    world.export()
    world.assert_exact()
