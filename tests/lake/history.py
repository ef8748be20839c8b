"""A real export with edits, moves, deletions and back-dated entries, and what the API held when."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cpd_exporter.model.timestamps import format_timestamp
from simulator.entry_writer import EntryWriter
from simulator.source import to_ms
from tests.support.sweeps import swept
from tests.support.world import ORIGIN, World, entries

ENTRIES = 400
ROUNDS = 6
DAY = timedelta(days=1)

type Known = Mapping[str, Mapping[str, Any]]
"""Entries as the API gives them, by ID."""


@dataclass(frozen=True)
class History:
    """A lake in a folder. ``known`` is what the API held at each recorded instant.

    Between two instants, entries were added, back-dated, edited, moved to other dates, deleted and
    restored, and sweeps found all of that.
    """

    folder: Path
    known: Mapping[str, Known]
    last_progress: str

    @property
    def now(self) -> Known:
        return list(self.known.values())[-1]


def written(folder: Path) -> History:
    """Export and change a world, and write its lake into a folder."""
    world = World(entries(ENTRIES, extras=0), deletion_delay=timedelta(hours=1))
    world.export()
    chance = random.Random(4)
    known = {_instant(world): _known(world)}
    gone: list[Any] = []
    for turn in range(1, ROUNDS):
        world.now += DAY
        gone = _change(world, chance, turn, gone)
        _move(world, chance)
        # Two sweeps must miss an entry before its deletion is published.
        for _ in range(2):
            swept(world)
        known[_instant(world)] = _known(world)
    for key, body in world.lake.objects.items():
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
    assert world.lake.progress is not None
    (folder / "progress.json").write_bytes(world.lake.progress)
    return History(folder, known, world.lake.progress.decode())


def _change(world: World, chance: random.Random, turn: int, gone: list[Any]) -> list[Any]:
    store = world.store
    stored = list(store)
    chosen = chance.sample(stored, 30)
    for entry in chosen[:12]:
        store.edit(entry.log_entry_id, durationMinutes=turn, description=None)
    for entry in chosen[12:18]:
        store.edit(entry.log_entry_id, isVerified=turn % 2 == 0, userId=chosen[0].value["userId"])
    deleted = [store.delete(entry.log_entry_id) for entry in chosen[18:26]]
    for entry in gone[:3]:
        store.add(entry)
    writer = EntryWriter(chance)
    span = (to_ms(ORIGIN), to_ms(world.now - DAY))
    for _ in range(10):
        store.add(writer.write(chance.randrange(*span)))
    for _ in range(5):
        store.add(writer.write(chance.randrange(to_ms(world.now - DAY), to_ms(world.now))))
    return deleted


def _move(world: World, chance: random.Random) -> None:
    for entry in chance.sample(list(world.store), 6):
        to = ORIGIN + chance.random() * (world.now - ORIGIN - DAY)
        world.store.move(entry.log_entry_id, to)


def _instant(world: World) -> str:
    """Now, after which the clock moves on, so that no later row has this time."""
    instant = format_timestamp(world.now)
    world.now += timedelta(minutes=1)
    return instant


def _known(world: World) -> Known:
    watermark = world.timeline.watermark()
    assert watermark is not None
    through = watermark.exported_through
    return {
        entry.log_entry_id: entry.value
        for entry in world.store
        if datetime.fromtimestamp(entry.at_ms / 1000, UTC) < through
    }
