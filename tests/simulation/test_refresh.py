"""A refresh is a job that fits any tick, and ``cancel`` ends a job that was given by mistake."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import NoReturn

import pytest

from cpd_exporter.errors import LookUpError, MalformedInputError, ServerError, TransientError
from cpd_exporter.model.command import read_command
from cpd_exporter.model.entry import Found
from cpd_exporter.model.job import EndedJob, Job, LookUp
from cpd_exporter.model.message import JobMessage
from cpd_exporter.planner.status import read_status
from cpd_exporter.worker.context import Outcome
from tests.simulation.test_look_ups import fail_by_id
from tests.support.pages import WorkerCrashError
from tests.support.world import ORIGIN, World, entries


def exported(count: int = 120) -> World:
    world = World(store=entries(count))
    world.export()
    return world


def ids_of(world: World) -> list[str]:
    return [entry.log_entry_id for entry in world.store]


class TestRefresh:
    def test_a_thousand_ids_cost_the_planner_no_look_up(self) -> None:
        world = exported(1000)
        calls = world.api.calls
        answer = world.command({"command": "refresh", "logEntryIds": ids_of(world)})
        assert world.api.calls == calls
        [job] = world.timeline.jobs()
        assert answer == {"requested": job.name}
        [listed] = read_status(world.timeline, world.queue, world.clock)["jobs"]
        assert (listed["position"], listed["entries"]) == (0, 1000)

    def test_stops_when_its_time_is_over_and_goes_on_from_its_position(self) -> None:
        world = exported(300)
        world.command({"command": "refresh", "logEntryIds": ids_of(world)})
        positions = []
        while jobs := list(world.timeline.jobs()):
            positions.append(jobs[0].position)
            world.planner.tick()
            [message] = [one for one in world.queue.messages if one.kind == "job"]
            world.queue.messages.clear()
            report = world.worker.handle(message, has_time_left=lambda: False)
            assert report.outcome in (Outcome.PAUSED, Outcome.DONE)
            world.now += timedelta(minutes=5)
        assert len(positions) > 3
        assert positions == sorted(set(positions))

    def test_the_pages_are_swept_and_unknown_ids_are_named(self) -> None:
        world = exported()
        edited = ids_of(world)[7]
        world.store.edit(edited, description="edited")
        world.command({"command": "refresh", "logEntryIds": ["f" * 24, edited]})
        world.planner.tick()
        [message] = world.queue.messages
        world.queue.messages.clear()
        assert world.worker.handle(message).unknown == ("f" * 24,)
        world.export()
        assert [row.entry_id for row in world.rows].count(edited) == 2

    def test_an_outage_amid_a_refresh_loses_no_id(self, monkeypatch: pytest.MonkeyPatch) -> None:
        world = exported()
        wanted = ids_of(world)[::3]
        for entry_id in wanted:
            world.store.edit(entry_id, description="edited")
        world.command({"command": "refresh", "logEntryIds": wanted})
        entries, failures = world.api.entries, [1, 0, 1, 1, 0]

        def failing(some: list[str]) -> object:
            if failures and failures.pop():
                raise TransientError("503")
            return entries(some)

        monkeypatch.setattr(world.api, "entries", failing)
        world.export()
        assert world.at_rest
        assert {row.entry_id for row in world.rows if row.change == "updated"} == set(wanted)

    def test_an_api_that_answers_500_to_everything_is_no_fault_of_the_ids(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = exported()
        wanted = ids_of(world)[3]
        world.store.edit(wanted, description="edited")
        world.command({"command": "refresh", "logEntryIds": [wanted]})

        def failing(*_: object, **__: object) -> NoReturn:
            raise ServerError("answered 500")

        with monkeypatch.context() as outage:
            outage.setattr(world.api, "entry", failing)
            outage.setattr(world.api, "query", failing)
            world.export(3)
        world.export()
        assert {row.entry_id for row in world.rows if row.change == "updated"} == {wanted}

    @pytest.mark.parametrize("wanted", [slice(5), slice(3, 4)], ids=["among others", "alone"])
    def test_an_id_that_the_api_fails_over_holds_up_no_other(self, wanted: slice) -> None:
        world = exported()
        ids, bad = ids_of(world)[wanted], ids_of(world)[3]
        for entry_id in ids:
            world.store.edit(entry_id, description="edited")
        fail_by_id(world, {bad})
        world.command({"command": "refresh", "logEntryIds": ids})
        world.export()
        assert world.at_rest
        updated = {row.entry_id for row in world.rows if row.change == "updated"}
        assert updated.issuperset({*ids} - {bad})
        [ended] = read_status(world.timeline, world.queue, world.clock)["endedJobs"]
        assert ended["entries"][bad] == LookUp.FAILED.value

    def test_ids_over_which_the_api_fails_slowly_end_no_worker(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A gateway answers 504 after 29 s, and the client asks twice."""
        world = exported()
        ids = ids_of(world)[:50]
        bad = {*ids[::8][:6]}
        for entry_id in ids:
            world.store.edit(entry_id, description="edited")
        entries, died_at = world.api.entries, [world.now]

        def slow(some: Sequence[str]) -> Mapping[str, Found | LookUpError]:
            failing = bad.intersection(some)
            world.now += timedelta(seconds=58 if failing else 1)
            if world.now > died_at[0]:
                raise WorkerCrashError
            sound = entries([one for one in some if one not in bad])
            return sound | {one: ServerError("answered 504") for one in failing}

        monkeypatch.setattr(world.api, "entries", slow)
        world.command({"command": "refresh", "logEntryIds": ids})
        for _ in range(4):
            world.planner.tick()
            died_at[0] = world.now + timedelta(minutes=5)
            for message in list(world.queue.messages):
                world.queue.messages.remove(message)
                with suppress(WorkerCrashError):
                    world.worker.handle(message)
            world.now += timedelta(minutes=5)
        assert not list(world.timeline.jobs())
        [ended] = read_status(world.timeline, world.queue, world.clock)["endedJobs"]
        assert ended["counts"] == {"requested": 44, "failed": 6}

    def test_two_long_replays_do_not_hold_it_up(self) -> None:
        world = exported()
        for month in ("01", "02", "03"):
            span = {"from": f"2026-{month}-01T00:00:00Z", "to": f"2026-{month}-09T00:00:00Z"}
            world.command({"command": "replay", "subscribers": "all"} | span)
        world.planner.tick()
        world.command({"command": "refresh", "logEntryIds": ids_of(world)[:1]})
        world.now += timedelta(seconds=1)
        before = len(world.queue.messages)
        world.planner.tick()
        [message] = world.queue.messages[before:]
        assert isinstance(message, JobMessage)
        assert message.name.startswith("refresh:")

    def test_ids_that_no_item_holds_are_refused(self) -> None:
        with pytest.raises(MalformedInputError, match="several commands"):
            read_command(
                {"command": "refresh", "logEntryIds": [f"{n:04}" + "安" * 252 for n in range(1000)]}
            )


class TestCancel:
    def test_ends_the_job_of_that_name_and_no_other(self) -> None:
        world = exported()
        world.command({"command": "backfill", "from": "2010-01-01T00:00:00Z"})
        name = world.command({"command": "sweep", "from": "2026-01-01T00:00:00Z"})["requested"]
        assert world.command({"command": "cancel", "name": "backfill"}) == {"cancelled": True}
        assert [job.name for job in world.timeline.jobs()] == [name]
        assert world.command({"command": "cancel", "name": "backfill"}) == {
            "cancelled": False,
            "note": "no job has that name: see jobs in status",
        }

    def test_a_worker_that_has_the_job_stops(self) -> None:
        world = exported()
        span = {"from": "2026-01-01T00:00:00Z", "to": "2026-03-01T00:00:00Z"}
        name = world.command({"command": "replay", "subscribers": "all"} | span)["requested"]
        world.planner.tick()
        [message] = world.queue.messages
        world.queue.messages.clear()

        def cancel_amid() -> bool:
            world.command({"command": "cancel", "name": name})
            return True

        report = world.worker.handle(message, has_time_left=cancel_amid)
        assert report.outcome is Outcome.SUPERSEDED
        assert not list(world.timeline.jobs())
        world.export()
        assert world.at_rest

    def test_a_job_that_a_worker_just_wrote_is_ended_too(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = exported()
        name = world.command({"command": "sweep", "from": "2026-01-01T00:00:00Z"})["requested"]
        end, misses = world.timeline.end_job, [1, 1]

        def overtaken(job: Job, ended: EndedJob) -> bool:
            return False if misses and misses.pop() else end(job, ended)

        monkeypatch.setattr(world.timeline, "end_job", overtaken)
        assert world.command({"command": "cancel", "name": name}) == {"cancelled": True}
        assert not list(world.timeline.jobs())

    def test_what_a_cancelled_backfill_had_planned_is_exported(self) -> None:
        world = World(store=entries(120), origin=ORIGIN + timedelta(days=40))
        world.export()
        world.command({"command": "backfill", "from": "2026-01-01T00:00:00Z"})
        world.planner.tick()
        world.command({"command": "cancel", "name": "backfill"})
        world.export()
        assert world.at_rest
