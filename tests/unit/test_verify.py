"""Verifications over fakes: clean after an export, and whatever is not as it was told is named."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from cpd_exporter.errors import PermanentError, TransientError
from cpd_exporter.model import row as rows
from cpd_exporter.model.message import JobMessage
from cpd_exporter.model.page import Page
from cpd_exporter.worker.context import Outcome, WorkReport
from simulator.behaviour import Behaviour, Fault
from simulator.seeding import Profile, seeded
from simulator.source import StoredEntry
from tests.support.world import NOW, ORIGIN, TENANT, World

NAME = "verify:2026-01-01T00:00:00Z/2026-03-10T12:00:00Z"
SECONDS = timedelta(seconds=90)
END = datetime(2026, 3, 10, 12, tzinfo=UTC)


def exported(count: int = 1000, **settings: Any) -> World:
    store = seeded(Profile(first=ORIGIN, end=NOW - timedelta(days=1), entries=count))
    world = World(store=store, **{"cutting_target": 50} | settings)
    world.export()
    world.now += timedelta(days=1)
    return world


def ask(world: World) -> JobMessage:
    span = {"from": "2026-01-01T00:00:00Z", "to": "2026-03-10T12:00:00Z"}
    name = world.command({"command": "verify", **span})["requested"]
    assert name == NAME
    return JobMessage(tenant_id=TENANT, name=name)


def read(world: World, report: WorkReport) -> dict[str, Any]:
    assert report.outcome is Outcome.DONE
    assert report.report is not None
    read: dict[str, Any] = json.loads(world.lake.objects[report.report])
    assert read["differences"] == report.differences
    assert read["clean"] == (report.differences == 0)
    return read


def verified(world: World) -> dict[str, Any]:
    report = world.worker.handle(ask(world))
    assert not list(world.timeline.jobs())
    return read(world, report)


def swept(world: World) -> None:
    world.now += timedelta(hours=2)
    world.command({"command": "sweep", "from": "2026-01-01T00:00:00Z"})
    world.export()


def entry_of(world: World, number: int = 300) -> StoredEntry:
    return list(world.store)[number]


def page_of(world: World, entry: StoredEntry) -> Page:
    page = world.timeline.page_at(datetime.fromtimestamp(entry.at_ms / 1000, UTC))
    assert page is not None
    return page


def window_of(page: Page) -> dict[str, str]:
    start, end = (f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in (page.window.start, page.window.end))
    return {"from": start, "to": end}


@pytest.mark.parametrize("from_inclusive", [False, True])
@pytest.mark.parametrize("to_inclusive", [False, True])
@pytest.mark.parametrize("precision", ["second", "millisecond"])
def test_it_is_clean_after_an_export_whatever_the_bounds_are(
    from_inclusive: bool, to_inclusive: bool, precision: str
) -> None:
    behaviour = Behaviour.model_validate(
        {"from_inclusive": from_inclusive, "to_inclusive": to_inclusive, "precision": precision}
    )
    world = exported(300, behaviour=behaviour)
    # Entries on the very bounds of every page, and a little within.
    for page in world.pages[:-1]:
        for seconds in (0.0, 0.5, 1.0, 1.5, 2.0):
            world.simulator.insert(page.window.start + timedelta(seconds=seconds))
            world.simulator.insert(page.window.end - timedelta(seconds=seconds + 0.001))
    swept(world)
    stop: Iterator[bool] = iter([False] * 1000)
    message = ask(world)
    while (report := world.worker.handle(message, has_time_left=lambda: next(stop))).report is None:
        assert report.outcome is Outcome.PAUSED
        world.now += timedelta(seconds=1)
    assert read(world, report)["clean"]


@pytest.mark.parametrize(
    "behaviour",
    [
        Behaviour(per_page_cap=7),
        Behaviour(order="descending", totals_extra=3),
        Behaviour(shuffle="all", per_page_cap=1000),
        Behaviour(filter_offset_seconds=3600),
    ],
    ids=["small pages", "totals too high", "no order", "another time zone"],
)
def test_it_is_clean_however_the_sums_are_answered(behaviour: Behaviour) -> None:
    world = exported()
    world.simulator.behaviour = behaviour
    world.api.filter_time_zone = timezone(timedelta(seconds=behaviour.filter_offset_seconds))
    assert verified(world)["clean"]


def test_a_clean_report_says_what_was_verified() -> None:
    world = exported()
    calls = world.api.calls
    report = verified(world)
    within = [e for e in world.store if e.at_ms < END.timestamp() * 1000]
    assert report["tenantId"] == TENANT
    assert (report["from"], report["to"]) == ("2026-01-01T00:00:00Z", "2026-03-10T12:00:00Z")
    assert report["through"] == report["to"]
    assert report["entries"] == len(within)
    assert report["objects"] == len({page_of(world, entry).object for entry in within})
    assert not any(report[kind] for kind in ("damages", "minutes", "uncompared", "unexported"))
    assert world.api.calls - calls == 3  # one a month


def test_it_is_clean_after_sweeps_that_told_changes() -> None:
    world = exported()
    for number in range(0, 1000, 50):
        world.store.edit(entry_of(world, number).log_entry_id, durationMinutes=7)
    world.store.delete(entry_of(world, 401).log_entry_id)
    for _ in range(3):
        swept(world)
    assert verified(world)["clean"]


def test_an_edit_in_the_source_names_the_user_and_the_window() -> None:
    world = exported()
    entry = entry_of(world)
    minutes = entry.value["durationMinutes"]
    world.store.edit(entry.log_entry_id, durationMinutes=minutes + 11)
    report = verified(world)
    assert report["differences"] == 1
    [found] = report["minutes"]
    [user] = found["users"]
    assert user["userId"] == entry.value["userId"]
    assert user["apiMinutes"] - user["lakeMinutesMost"] == 11
    assert found["sweep"] == [{**window_of(page_of(world, entry)), "quarantined": 0}]
    swept(world)
    assert verified(world)["clean"]


def test_back_dated_and_deleted_entries_are_found_in_their_windows() -> None:
    world = exported()
    gone = entry_of(world, 100)
    late = world.simulator.insert(page_of(world, entry_of(world, 200)).window.start + SECONDS)
    world.store.delete(gone.log_entry_id)
    report = verified(world)
    windows = [window for found in report["minutes"] for window in found["sweep"]]
    assert [(w["from"], w["to"]) for w in windows] == [
        tuple(window_of(page_of(world, entry)).values()) for entry in (gone, late)
    ]
    users = {user["userId"] for found in report["minutes"] for user in found["users"]}
    assert users == {gone.value["userId"], late.value["userId"]}


def test_a_report_tells_nothing_personal_but_ids() -> None:
    world = exported()
    entry = entry_of(world)
    world.store.edit(entry.log_entry_id, durationMinutes=9999, description="what they thought")
    tamper(world, page_of(world, entry_of(world, 10)), description="what they thought")
    report = verified(world)
    assert report["differences"] == 2
    assert "what they thought" not in json.dumps(report)


def tamper(world: World, page: Page, **members: Any) -> str:
    """Change the first row of a page's object; returns the entry's ID."""
    assert page.object is not None
    first, *rest = rows.decode(world.lake.objects[page.object])
    first.content.update(members)
    world.lake.objects[page.object] = rows.encode([first, *rest])
    return first.entry_id


@pytest.mark.parametrize("members", [{"description": "other"}, {"unheardOf": 1}])
def test_tampered_content_is_found(members: dict[str, Any]) -> None:
    world = exported()
    page = page_of(world, entry_of(world))
    entry_id = tamper(world, page, **members)
    report = verified(world)
    assert report["differences"] == 1
    assert report["damages"] == [
        {
            **window_of(page),
            "object": page.object,
            "problem": "content that does not have its fingerprint",
            "entries": 1,
            "logEntryIds": [entry_id],
        }
    ]


def test_a_tampered_object_of_a_swept_page_is_found() -> None:
    world = exported()
    world.cutting_target = 800
    page = page_of(world, entry_of(world))
    swept(world)
    merged = page_of(world, entry_of(world))
    assert merged.index_key is not None
    entry_id = tamper(world, page, durationMinutes=0)
    report = verified(world)
    [damage] = report["damages"]
    assert (damage["object"], damage["logEntryIds"]) == (page.object, [entry_id])
    assert window_of(merged).items() <= damage.items()
    [found] = report["minutes"]
    assert len(found["users"]) == 1


def test_another_version_than_was_told_is_found() -> None:
    world = exported()
    page = page_of(world, entry_of(world))
    world.cutting_target = 800
    swept(world)
    assert page.object is not None
    first, *rest = rows.decode(world.lake.objects[page.object])
    forged = rows.Row(first.content, first.change, "0" * 64, first.tenant_id, first.exported_at)
    world.lake.objects[page.object] = rows.encode([forged, *rest])
    [damage] = verified(world)["damages"]
    assert damage["problem"] == "another version than the published one"
    assert damage["logEntryIds"] == [first.entry_id]


@pytest.mark.parametrize("is_swept", [False, True])
def test_a_row_that_was_taken_out_is_found(is_swept: bool) -> None:
    world = exported()
    page = page_of(world, entry_of(world))
    if is_swept:
        world.cutting_target = 800
        swept(world)
    assert page.object is not None
    _, *rest = rows.decode(world.lake.objects[page.object])
    world.lake.objects[page.object] = rows.encode(rest)
    [damage] = verified(world)["damages"]
    assert damage["object"] == page.object
    assert damage["entries"] == 1
    counted = f"{page.entries - 1} entries, where the timeline counts {page.entries}"
    assert damage["problem"] == ("no row" if is_swept else counted)


@pytest.mark.parametrize("is_swept", [False, True])
@pytest.mark.parametrize("damage", [None, b"", b"not gzipped"])
def test_a_deleted_or_damaged_object_is_found(is_swept: bool, damage: bytes | None) -> None:
    world = exported()
    page = page_of(world, entry_of(world))
    if is_swept:
        world.cutting_target = 800
        swept(world)
    assert page.object is not None
    if damage is None:
        del world.lake.objects[page.object]
    else:
        world.lake.objects[page.object] = damage
    report = verified(world)
    [found] = report["damages"]
    assert found["object"] == page.object
    assert (found["problem"] == "missing") == (damage is None)
    assert found["entries"] == page.entries
    assert report["minutes"]  # what cannot be read is not in the lake's sums either


@pytest.mark.parametrize("damage", [None, b"", b"not gzipped"])
def test_knowledge_that_is_gone_or_damaged_is_found(damage: bytes | None) -> None:
    world = exported()
    world.cutting_target = 800
    swept(world)
    page = page_of(world, entry_of(world))
    assert page.index_key is not None
    if damage is None:
        del world.lake.objects[page.index_key]
    else:
        world.lake.objects[page.index_key] = damage
    [found] = verified(world)["damages"]
    assert (found["object"], found["entries"]) == (page.index_key, page.entries)


def test_rows_from_before_a_member_was_volatile_are_sound() -> None:
    world = exported(100)
    world.fingerprint_exclude = world.api.fingerprint_exclude = frozenset({"description"})
    assert verified(world)["clean"]


def test_faulty_entries_are_said_to_be_in_the_window_that_differs() -> None:
    world = exported()
    entry = entry_of(world)
    world.store.edit(entry.log_entry_id, isVerified="perhaps", durationMinutes=5000)
    swept(world)
    report = verified(world)
    [found] = report["minutes"]
    [window] = found["sweep"]
    assert window["quarantined"] == 1


def test_pages_that_are_not_done_are_named_and_not_compared() -> None:
    world = exported(100)
    world.simulator.insert(world.now - timedelta(minutes=10))
    world.planner.tick()
    span = {"from": "2026-01-01T00:00:00Z", "to": "2027-01-01T00:00:00Z"}
    name = world.command({"command": "verify", **span})["requested"]
    report = read(world, world.worker.handle(JobMessage(tenant_id=TENANT, name=name)))
    assert report["clean"]
    assert report["entries"] == 100
    assert [page["state"] for page in report["unexported"]] == ["open"]


def test_sums_that_cannot_be_read_leave_the_lake_verified() -> None:
    world = exported()
    tamper(world, page_of(world, entry_of(world)), description="other")
    world.simulator.behave(faults=(Fault(on="summaries", status=404),))
    report = verified(world)
    assert len(report["damages"]) == 1
    assert len(report["uncompared"]) == 3
    assert "404" in report["uncompared"][0]["error"]


def test_an_outage_is_waited_out() -> None:
    world = exported()
    message = ask(world)
    world.simulator.behave(faults=(Fault(on="summaries", status=503, after=1, times=1),))
    with pytest.raises(TransientError):
        world.worker.handle(message)
    [request] = world.timeline.jobs()
    assert request.attempts == 0
    assert request.cursor == datetime(2026, 2, 1, tzinfo=UTC)
    assert read(world, world.worker.handle(message))["clean"]


def test_a_worker_that_stops_at_each_page_comes_to_the_same_report() -> None:
    world = exported()
    tamper(world, page_of(world, entry_of(world)), description="other")
    deleted = page_of(world, entry_of(world, 600))
    assert deleted.object is not None
    del world.lake.objects[deleted.object]
    message = ask(world)
    legs = 0
    while True:
        report = world.worker.handle(message, has_time_left=lambda: False)
        if report.outcome is not Outcome.PAUSED:
            break
        legs += 1
    in_legs = read(world, report)
    world.now += timedelta(minutes=1)
    at_once = verified(world)
    assert legs > 10
    assert in_legs["damages"] == at_once["damages"]
    assert in_legs["entries"] == at_once["entries"]
    windows = [window for found in in_legs["minutes"] for window in found["sweep"]]
    assert windows == [window for found in at_once["minutes"] for window in found["sweep"]]


def test_a_crash_before_the_end_leaves_one_report() -> None:
    world = exported()
    message = ask(world)
    put_new = world.lake.put_new

    def dying(key: str, body: bytes) -> bool:
        put_new(key, body)
        if "through" not in key:
            raise KeyboardInterrupt
        return True

    world.lake.put_new = dying  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        world.worker.handle(message)
    world.lake.put_new = put_new  # type: ignore[method-assign]
    world.now += timedelta(minutes=3)
    report = read(world, world.worker.handle(message))
    assert report["clean"]
    assert report["entries"] > 900
    finals = [key for key in world.lake.objects if "verify-" in key and "through" not in key]
    assert len(finals) == 1


def test_findings_that_were_deleted_end_the_request() -> None:
    world = exported()
    message = ask(world)
    world.worker.handle(message, has_time_left=lambda: False)
    for key in [key for key in world.lake.objects if key.startswith("reports/")]:
        del world.lake.objects[key]
    for _ in range(4):
        with pytest.raises(PermanentError, match="has no object reports/"):
            world.worker.handle(message)
    assert world.worker.handle(message).outcome is Outcome.GIVEN_UP


def test_a_report_of_a_ruin_is_no_larger_than_one_can_read() -> None:
    world = exported(3000, cutting_target=2, cutting_floor=timedelta(minutes=15))
    for key in [key for key in world.lake.objects if key.startswith("entries/")]:
        del world.lake.objects[key]
    report = verified(world)
    assert len(report["damages"]) == 500
    assert report["differences"] > 500
