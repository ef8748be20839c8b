"""A consumer that knows only the rule of docs/events.md holds the API's exact state."""

import gzip
import random
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pytest
import simplejson

from cpd_exporter.model.event import Event
from tests.support.sweeps import exported, swept
from tests.support.world import ORIGIN, World

LARGE = "too large for SNS " * 15_000
ROW_MEMBERS = {"change", "fingerprint", "tenantId", "exportedAt", "schemaVersion"}


class Consumer:
    """Three lines, and the look into the lake for an event without its entry."""

    def __init__(self, world: World) -> None:
        self._lake = world.lake
        self.records: dict[tuple[str, str], dict[str, Any]] = {}

    def take(self, event: dict[str, Any]) -> None:
        place = (event["source"], event["subject"])
        record = self.records.get(place)
        if record is not None and event["sequence"] <= record["sequence"]:
            return
        self.records[place] = {
            "sequence": event["sequence"],
            "entry": event["data"].get("entry") or self._read(event),
            "deleted": event["type"] == "cpd.entry.deleted",
        }

    def _read(self, event: dict[str, Any]) -> dict[str, Any]:
        key = event["data"]["lakeUri"].removeprefix(f"s3://{self._lake.bucket}/")
        lines = gzip.decompress(self._lake.objects[key]).splitlines()
        rows = (simplejson.loads(line, use_decimal=True) for line in lines)
        [row] = [row for row in rows if row["logEntryId"] == event["subject"]]
        return {name: row[name] for name in row if name not in ROW_MEMBERS}

    @property
    def state(self) -> dict[str, Any]:
        return {
            subject: record["entry"]
            for (_, subject), record in self.records.items()
            if not record["deleted"]
        }


@cache
def changed_world(seed: int) -> World:
    """An export, then edits, moves, deletions, back-dated entries and a replay, amid sweeps.

    Some entries move to before the first date, or to a time that is not planned yet.
    """
    chance = random.Random(seed)
    world = exported(60, deletion_delay=timedelta(0))
    for _ in range(2):
        stored = list(world.store)
        for entry in chance.sample(stored, 12):
            world.store.edit(entry.log_entry_id, durationMinutes=chance.randrange(1000))
        world.store.edit(chance.choice(stored).log_entry_id, description=LARGE)
        for entry in chance.sample(list(world.store), 5):
            world.store.delete(entry.log_entry_id)
        for _ in range(5):
            world.simulator.insert(ORIGIN + timedelta(seconds=chance.randrange(5_000_000)))
        known = {entry.log_entry_id for entry in stored} & {one.log_entry_id for one in world.store}
        for entry_id in chance.sample(sorted(known), 9):
            world.store.move(entry_id, _any_date(chance, world.now))
        for _ in range(3):  # a deletion counts once two sweeps missed the entry
            swept(world)
    span = {"from": "2026-01-01T00:00:00Z", "to": "2027-01-01T00:00:00Z"}
    world.command({"command": "replay", "subscribers": "all"} | span)
    world.export()
    return world


def _any_date(chance: random.Random, now: datetime) -> datetime:
    within = ORIGIN + chance.random() * (now - ORIGIN)
    return chance.choice((within, ORIGIN - timedelta(days=9), now + timedelta(days=9)))


def deliveries(events: list[Event], seed: int) -> list[dict[str, Any]]:
    """All events at least once, a third of them again, in any order."""
    chance = random.Random(seed)
    repeated = [*events, *chance.sample(events, len(events) // 3)]
    chance.shuffle(repeated)
    return [simplejson.loads(event.body, use_decimal=True) for event in repeated]


@pytest.mark.parametrize("seed", range(2))
def test_in_any_order_and_with_repetitions(seed: int) -> None:
    world = changed_world(seed)
    truth = {entry.log_entry_id: entry.value for entry in world.store}
    events = [event for event in world.topic.published if event.entry_id]
    for order in range(4):
        consumer = Consumer(world)
        for event in deliveries(events, order):
            consumer.take(event)
        assert consumer.state == truth
        assert any(record["deleted"] for record in consumer.records.values())


def test_without_the_mark_a_late_event_brings_a_deleted_entry_back() -> None:
    """Why the rule keeps the records of deleted entries."""
    world = changed_world(0)
    truth = {entry.log_entry_id for entry in world.store}
    consumer = Consumer(world)
    for event in deliveries(world.topic.published, 1):
        consumer.take(event)
        place = (event["source"], event["subject"])
        if consumer.records[place]["deleted"]:
            del consumer.records[place]
    assert set(consumer.state) > truth


def test_the_sequences_of_an_entry_s_events_are_in_the_order_of_their_publishing() -> None:
    world = changed_world(1)
    last: dict[str, str] = {}
    first_of: dict[str, str] = {}
    for event in world.topic.published:
        sequence = simplejson.loads(event.body)["sequence"]
        if event.id not in first_of:  # a replay comes again
            # Two pages may store the row of a move at one instant: its digits decide, not its time.
            assert last.get(event.entry_id, "")[:13] <= sequence[:13]
            first_of[event.id] = last[event.entry_id] = sequence
        assert first_of[event.id] == sequence
