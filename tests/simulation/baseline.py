"""What most scripts do, in the same world: date watermark, offset pages, publish, then commit."""

import hashlib
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from random import Random
from typing import Any, cast

from cpd_exporter.model import json_text
from cpd_exporter.model.entries import Entry
from cpd_exporter.model.events import Event
from cpd_exporter.model.instants import SECOND, floor_second
from cpd_exporter.model.timeline import Watermark
from cpd_exporter.model.windows import Window
from cpd_exporter.ports import Clock, EntriesApi, Lake, NewToken, Timeline, Topic
from tests.simulation.processes import Call, Port, Process
from tests.simulation.scenario import at_random
from tests.simulation.schedules import Chaos
from tests.simulation.simulation import Simulation
from tests.simulation.source import date_of

PER_PAGE = 100


@dataclass(frozen=True, slots=True)
class Script:
    """Asks for all that is dated after the last entry seen, stores and tells each page, and notes
    the latest date at the end. Well meant: it retries nothing twice and loses nothing on purpose.
    """

    api: EntriesApi
    timeline: Timeline
    lake: Lake
    topic: Topic
    clock: Clock
    new_token: NewToken

    def run(self, start: Watermark) -> None:
        stands = self.timeline.watermark() or self.timeline.begin(start)
        since = latest = stands.exported_through
        now = max(self.clock(), since)
        asked = Window(floor_second(since), floor_second(now) + SECOND)
        run, page = self.new_token(), 1
        while True:
            listing = self.api.query(asked, page=page, per_page=PER_PAGE)
            entries = [record for record in listing.records if isinstance(record, Entry)]
            lines = [json_text.dump(entry.content) for entry in entries]
            self.lake.put_new(f"{run}/{page}.jsonl", "\n".join(lines).encode())
            events = zip(entries, lines, strict=True)
            self.topic.publish([Event(self.new_token(), e.id, line, {}) for e, line in events])
            latest = max([latest, *(entry.date for entry in entries)])
            if page * listing.per_page >= listing.total or not listing.records:
                break
            page += 1
        if latest > since:
            self.timeline.advance(before=since, through=latest)


@dataclass(frozen=True, slots=True)
class Losses:
    """``entries`` were there in time and never changed; of them, ``lost`` are neither stored nor
    told. ``repeated_rows`` and ``repeated_events`` say a version again, with nothing to know it by.
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
    """In the oracle's place: has seen worse."""

    outages_only = False

    def observe(self, process: Process, call: Call, answer: Any) -> None: ...


def run_baseline(seed: int, *, steps: int = 250) -> Losses:
    """The script under the schedule, the source and the faults of a random trial's seed."""
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
    told = {event.entry_id for event in simulation.topic.published}
    due = [
        entry.log_entry_id
        for entry in simulation.source.store
        if entry.log_entry_id in simulation.source.untouched
        and simulation.scenario.origin <= date_of(entry) < simulation.now - timedelta(hours=1)
    ]
    return Losses(
        runs=1,
        entries=len(due),
        lost=sum(entry_id not in told for entry_id in due),
        repeated_rows=sum(rows.values()) - len(rows),
        repeated_events=sum(events.values()) - len(events),
    )
