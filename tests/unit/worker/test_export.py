"""A page is stored once, published from the stored object, or split."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from cpd_exporter.errors import (
    InconsistentListingError,
    PermanentError,
    TransientError,
)
from cpd_exporter.model import row as rows
from cpd_exporter.model.entry import Entry
from cpd_exporter.model.event import Event
from cpd_exporter.model.message import PageMessage
from cpd_exporter.model.page import Page, PageState, lake_key
from cpd_exporter.source.window_splitter import MAX_SPLIT_PARTS
from cpd_exporter.worker.context import Outcome, WorkReport
from tests.support.pages import (
    WorkerCrashError,
    assert_published_once,
    attempt,
    done,
    fail,
    page_of,
    planned,
)
from tests.support.samples import row_for, works
from tests.support.world import World


def test_an_overflow_is_replaced_by_parts_which_the_next_tick_sends() -> None:
    world, work = planned(200, per_page_cap=50)
    world.queue.messages.clear()
    assert world.worker.handle(work).outcome is Outcome.SPLIT
    parts = world.pages
    assert len(parts) == 5
    assert {part.generation for part in parts} == {2}
    assert not world.queue.messages
    assert world.planner.tick().sent == 5
    assert [message.window for message in works(world.queue)] == [
        part.window for part in parts[::-1]
    ]
    assert not world.lake.objects
    assert world.worker.handle(work).outcome is Outcome.GONE
    world.export()
    assert_published_once(world)


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
    assert_published_once(world)


def test_what_was_begun_to_be_written_ends_with_an_object_even_if_all_entries_went() -> None:
    world, work = planned(3)
    page = page_of(world, work)
    assert world.timeline.update(page, replace(page, state=PageState.WRITING, revision="writing"))
    for entry in list(world.store):
        world.store.delete(entry.log_entry_id)
    with pytest.raises(InconsistentListingError):  # the planner counted some: once is not enough
        world.worker.handle(work)
    assert world.worker.handle(work) == done(0)
    page = page_of(world, work)
    assert page.object is not None
    assert rows.decode(world.lake.objects[page.object]) == []


def store_an_older_version(world: World, work: PageMessage) -> None:
    """Another worker's object, of how the source is now."""
    page = page_of(world, work)
    assert world.timeline.update(page, replace(page, state=PageState.WRITING, revision="other"))
    body = rows.encode(
        row_for(record, exported_at=world.now)
        for record in world.api.query(work.window).records
        if isinstance(record, Entry)
    )
    assert world.lake.put_new(lake_key(page), body)


def test_what_is_stored_already_is_published_and_not_fetched_anew() -> None:
    world, work = planned(5)
    store_an_older_version(world, work)
    first = next(iter(world.store)).log_entry_id
    world.store.edit(first, description="edited since")
    calls = world.api.calls
    assert world.worker.handle(work) == done(5)
    assert world.api.calls == calls
    assert not any("edited since" in event.body for event in world.topic.published)
    assert len(world.topic.published) == 5


def test_a_put_that_loses_publishes_the_winners_rows() -> None:
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
    assert_published_once(world)


def test_a_publication_that_was_interrupted_is_repeated_equally() -> None:
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


def test_a_dense_page_whose_worker_has_no_time_left_rests_with_its_progress() -> None:
    world, work = planned(60)
    page = page_of(world, work)
    writing = replace(page, state=PageState.WRITING, revision="writing")
    assert world.timeline.update(page, writing)
    world.simulator.behave(per_page_cap=10)
    assert world.worker.handle(work, has_time_left=lambda: False).outcome is Outcome.PAUSED
    assert page_of(world, work).reading_key is not None
    assert world.worker.handle(work) == done(60)


def test_an_object_that_goes_while_it_is_stored_is_an_error_that_says_why() -> None:
    world, work = planned(5)
    world.lake.put_new = lambda *_: False  # type: ignore[method-assign]
    error = attempt(world, work)
    assert isinstance(error, PermanentError)
    assert str(error) == (
        f"the lake has no object {lake_key(page_of(world, work))}, though a moment ago it had: "
        "does somebody delete objects? Nothing else can be stored at this key"
    )


def test_a_record_that_turns_faulty_after_a_crash_is_counted() -> None:
    world, work = planned(5)
    put_new = world.lake.put_new

    def die(key: str, body: bytes) -> bool:
        raise WorkerCrashError

    world.lake.put_new = die  # type: ignore[method-assign]
    with pytest.raises(WorkerCrashError):
        world.worker.handle(work)
    world.lake.put_new = put_new  # type: ignore[method-assign]
    world.store.edit(next(iter(world.store)).log_entry_id, durationMinutes="seven")
    report = attempt(world, work)
    assert isinstance(report, WorkReport)
    assert report.quarantined == page_of(world, work).quarantined == 1
    assert len(world.quarantined) == len(page_of(world, work).faults) == 1


def test_the_publishing_position_is_stored_only_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cpd_exporter.worker.publish.MAX_ROWS_PER_POSITION", 200)
    world, work = planned(700)
    update, positions = world.timeline.update, list[int]()

    def noted(page: Page, changed: Page) -> bool:
        if changed.published != page.published:
            positions.append(changed.published)
        return update(page, changed)

    world.timeline.update = noted  # type: ignore[method-assign]
    assert world.worker.handle(work) == done(700)
    assert positions == [200, 400, 600, 0]
