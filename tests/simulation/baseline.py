"""The usual export script in the same world: date watermark, offset pages, publish, then commit."""

import hashlib
from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from random import Random
from typing import Any, cast

from cpd_exporter.model.entry import Entry
from cpd_exporter.model.event import Event
from cpd_exporter.model.timestamps import SECOND, floor_second
from cpd_exporter.model.watermark import Watermark
from cpd_exporter.model.window import Window
from cpd_exporter.ports import Clock, EntriesApi, Lake, NewToken, Timeline, Topic
from tests.simulation.processes import Port, PortCall, Process
from tests.simulation.scenario import at_random
from tests.simulation.schedules import Chaos
from tests.simulation.simulation import Simulation
from tests.simulation.source import date_of

PER_PAGE = 100


@dataclass(frozen=True, slots=True)
class Script:
    """Reads all entries after the last date, stores and publishes each offset page, and then stores
    the latest date. It is well meant: it loses nothing on purpose.
    """

    api: EntriesApi
    timeline: Timeline
    lake: Lake
    topic: Topic
    clock: Clock
    new_token: NewToken

    def run(self, start: Watermark) -> None:
        watermark = self.timeline.watermark() or self.timeline.begin(start)
        since = latest = watermark.exported_through
        now = max(self.clock(), since)
        asked = Window(floor_second(since), floor_second(now) + SECOND)
        run, offset_page = self.new_token(), 1
        while True:
            listing = self.api.query(asked, page=offset_page, per_page=PER_PAGE)
            entries = [record for record in listing.records if isinstance(record, Entry)]
            lines = [entry.text.decode() for entry in entries]
            self.lake.put_new(f"{run}/{offset_page}.jsonl", "\n".join(lines).encode())
            events = zip(entries, lines, strict=True)
            self.topic.publish([Event(self.new_token(), e.id, line, {}) for e, line in events])
            latest = max([latest, *(entry.date for entry in entries)])
            if offset_page * listing.per_page >= listing.total or not listing.records:
                break
            offset_page += 1
        if latest > since:
            self.timeline.update_watermark(watermark, replace(watermark, exported_through=latest))


@dataclass(frozen=True, slots=True)
class Losses:
    """Of ``entries``, which were there in time and never changed, ``lost`` were never published.

    ``repeated_rows`` and ``repeated_events`` repeat a version without an ID to recognise it by.
    """

    runs: int
    entries: int
    lost: int
    repeated_rows: int
    repeated_events: int

    def __add__(self, other: "Losses") -> "Losses":
        return Losses(
            self.runs + other.runs,
            self.entries + other.entries,
            self.lost + other.lost,
            self.repeated_rows + other.repeated_rows,
            self.repeated_events + other.repeated_events,
        )


class _Onlooker:
    """Stands in for the oracle and judges nothing."""

    outages_only = False

    def observe(self, process: Process, call: PortCall, answer: Any) -> None: ...


def run_baseline(seed: int, *, steps: int = 250) -> Losses:
    """Run the script under the schedule, the source and the faults of a random trial's seed."""
    simulation = _ScriptSimulation(at_random(seed), seed)
    Chaos(simulation, Random(f"chaos {seed}")).run(steps)
    for _ in range(3):
        simulation.now += timedelta(hours=1)
        simulation.finish(simulation.tick())
    return _losses(simulation)


class _ScriptSimulation(Simulation):
    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.oracle: Any = _Onlooker()
        origin = self.scenario.origin
        self._beginning = Watermark("script", origin, self.now, origin, origin)

    def tick(self) -> Process:
        def run(process: Process) -> None:
            script = Script(
                cast(Any, Port(process, "api", self.api)),
                cast(Any, Port(process, "timeline", self.timeline)),
                cast(Any, Port(process, "lake", self.lake)),
                cast(Any, Port(process, "topic", self.topic)),
                lambda: self.now,
                self._new_token,
            )
            script.run(self._beginning)

        return self._start("script", run)


def _losses(simulation: Simulation) -> Losses:
    rows = Counter(
        hashlib.sha256(line).digest()
        for body in simulation.lake.objects.values()
        for line in body.splitlines()
    )
    events = Counter(hashlib.sha256(e.body.encode()).digest() for e in simulation.topic.published)
    published = {event.entry_id for event in simulation.topic.published}
    due = [
        entry.log_entry_id
        for entry in simulation.source.store
        if entry.log_entry_id in simulation.source.untouched
        and simulation.scenario.origin <= date_of(entry) < simulation.now - timedelta(hours=1)
    ]
    return Losses(
        runs=1,
        entries=len(due),
        lost=sum(entry_id not in published for entry_id in due),
        repeated_rows=sum(rows.values()) - len(rows),
        repeated_events=sum(events.values()) - len(events),
    )
