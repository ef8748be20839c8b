"""Commands: what each one answers, what it requests, and what it refuses."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cpd_exporter.errors import MalformedInputError, PermanentError, TransientError
from cpd_exporter.model.command import read_command
from cpd_exporter.model.message import JobMessage
from tests.support.sweeps import Fetched, exported, refresh, spread
from tests.support.world import TENANT, World, entries


def test_refresh_sweeps_the_page_of_an_entry() -> None:
    world = exported(300)
    [entry] = spread(world, 1)
    world.store.edit(entry.log_entry_id, durationMinutes=7)
    world.command({"command": "refresh", "logEntryIds": [entry.log_entry_id, "f" * 24]})
    world.export()
    assert [e.entry_id for e in world.topic.published[300:]] == [entry.log_entry_id]
    assert not list(world.timeline.sweep_requests())


SPAN = {"from": "2026-01-01T00:00:00Z", "to": "2026-02-01T00:00:00Z"}


@pytest.mark.parametrize(
    "command",
    [
        {"command": "sweep", "lookback": "P2D"},
        {"command": "sweep", **SPAN},
        {"command": "backfill", "from": "2015-01-01T00:00:00Z"},
        {"command": "refresh", "logEntryIds": ["6610a1b2c3d4e5f601234567"]},
        {"command": "replay", "subscribers": "all", **SPAN},
        {"command": "verify", **SPAN},
        {"command": "confirm-deletions"},
    ],
    ids=lambda command: command["command"],
)
def test_before_the_first_tick_there_is_nothing_to_command(command: dict[str, Any]) -> None:
    world = World(store=entries(20))
    answer = world.command(command)
    assert answer["requested"] is None
    assert "nothing is exported yet" in answer["note"]
    assert world.api.calls == 0
    world.export()
    world.assert_exact()


def test_commands_are_read() -> None:
    command = read_command({"command": "sweep", "lookback": "P35D"})
    assert command.lookback == timedelta(days=35)  # type: ignore[union-attr]


class TestOperatorsInAHurry:
    @pytest.mark.parametrize(
        "command",
        [
            {"command": "backfill", "from": "0001-01-01T00:00:00Z"},
            {"command": "backfill", "from": "1969-12-31T23:59:59Z"},
            {"command": "sweep", "lookback": "P800000D"},
            {"command": "sweep", "lookback": "P36526D"},
        ],
        ids=lambda command: command.get("from") or command["lookback"],
    )
    def test_a_past_that_no_calendar_reaches_is_refused(self, command: dict[str, Any]) -> None:
        with pytest.raises(MalformedInputError, match=r'"(from|lookback)" must be'):
            exported(20).command(command)

    def test_the_furthest_past_is_reached(self) -> None:
        world = exported(20)
        world.command({"command": "sweep", "lookback": "P36525D"})
        world.command({"command": "backfill", "from": "1970-01-01T00:00:00Z"})
        world.export()
        assert world.at_rest
        watermark = world.timeline.watermark()
        assert watermark is not None
        assert watermark.exported_from == datetime(1970, 1, 1, tzinfo=UTC)

    def test_one_malformed_id_spoils_no_other(self, monkeypatch: pytest.MonkeyPatch) -> None:
        world = exported(20)
        entry = world.api.entry

        def refusing(entry_id: str) -> Fetched:
            if entry_id == "not-an-id":
                raise PermanentError("400")
            return entry(entry_id)

        monkeypatch.setattr(world.api, "entry", refusing)
        wanted = [entry.log_entry_id for entry in list(world.store)[:3]]
        ids = ["not-an-id", *wanted]
        name = world.command({"command": "refresh", "logEntryIds": ids})["requested"]
        report = world.worker.handle(JobMessage(tenant_id=TENANT, name=name))
        assert report.unknown == ("not-an-id",)
        assert len(list(world.timeline.sweep_requests())) == 3

    def test_requests_from_before_an_outage_stay(self, monkeypatch: pytest.MonkeyPatch) -> None:
        world = exported(60)
        *wanted, last = list(world.store)
        entry = world.api.entry

        def unavailable(entry_id: str) -> Fetched:
            if entry_id == last.log_entry_id:
                raise TransientError("503")
            return entry(entry_id)

        monkeypatch.setattr(world.api, "entry", unavailable)
        with pytest.raises(TransientError):
            refresh(world, *wanted, last)
        assert len(list(world.timeline.sweep_requests())) == 56

    @pytest.mark.parametrize("command", ["sweep", "replay", "verify"])
    @pytest.mark.parametrize(
        ("start", "end", "note"),
        [
            ("2025-01-01", "2025-02-01", "nothing in that time is exported"),
            ("2025-01-01", "2026-01-15", "only what is exported counts: from 2026-01-01"),
            ("2026-01-02", "2026-01-03", None),
        ],
    )
    def test_a_time_that_is_not_exported_is_noted(
        self, command: str, start: str, end: str, note: str | None
    ) -> None:
        span = {"from": f"{start}T00:00:00Z", "to": f"{end}T00:00:00Z"}
        whom = {"subscribers": "all"} if command == "replay" else {}
        answer = exported(20).command({"command": command} | span | whom)
        assert (note or "") in answer.get("note", "")
        assert ("note" in answer) == bool(note)

    def test_a_backfill_of_what_is_exported_is_noted(self) -> None:
        world = exported(20)
        answer = world.command({"command": "backfill", "from": "2026-02-01T00:00:00Z"})
        assert answer["requested"] is None
        assert "reaches back to 2026-01-01T00:00:00Z already" in answer["note"]
        assert not list(world.timeline.jobs())
