"""Measures a worker's memory while it exports, then sweeps, many entries of one second.

``make bench`` does so with 100,000 entries. It prints peaks in MiB and seconds of CPU.
"""

import json
import sys
import time
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import aws_lambda_powertools  # noqa: F401  # what a worker has loaded counts too

from cpd_exporter.model.message import message_for
from cpd_exporter.model.page import Page, PageState, WorkKind, reserving, sweep_of
from cpd_exporter.model.timestamps import SECOND
from cpd_exporter.model.watermark import Watermark
from cpd_exporter.model.window import Window
from tests.simulation.dense_stage import DENSE, Stage
from tests.support.fakes import FakeLake
from tests.support.memory import peak

LIVES = 60
TICK = timedelta(minutes=5)


class DiskLake(FakeLake):
    """A lake outside of the memory that is measured."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder

    def put_new(self, key: str, body: bytes) -> bool:
        path = self._folder / key
        if path.exists():
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)
        return True

    def read(self, key: str) -> bytes | None:
        path = self._folder / key
        return path.read_bytes() if path.exists() else None


def export(stage: Stage) -> Page:
    """Export the dense second as a page, in as many lives as that takes."""
    timeline = stage.world.timeline
    timeline.begin(Watermark("timeline", DENSE, DENSE, DENSE, DENSE))
    timeline.append([Page(Window(DENSE, DENSE + SECOND), 1, "timeline", "planned")], after=DENSE)
    return _work_off(stage, WorkKind.PAGE)


def sweep(stage: Stage, page: Page) -> Page:
    """Sweep the page."""
    sweep = sweep_of([page], revision="a")
    assert stage.world.timeline.commit(reserving([page], sweep, revision="b"))
    return _work_off(stage, WorkKind.SWEEP)


def _work_off(stage: Stage, kind: WorkKind) -> Page:
    timeline = stage.world.timeline
    for _ in range(LIVES):
        page = timeline.page(DENSE, kind)
        if page is None or page.state is PageState.DONE:
            break
        stage.work_on(message_for(page, timeline.tenant_id))
        stage.world.now += TICK
    done = timeline.page(DENSE)
    assert done is not None
    assert done.state is PageState.DONE
    assert done.reserved_by is None
    return done


def main(count: int) -> None:
    """Print the figures of so many entries, with two crashes while they are published."""
    stage = Stage({DENSE: count}, kills=[("events", count * 3 // 10), ("events", count * 6 // 10)])
    before = peak()
    with TemporaryDirectory() as folder:
        stage.world.lake = DiskLake(Path(folder))
        page = export(stage)
        exported = peak(), time.process_time()
        swept = sweep(stage, page)
    figures = {
        "entries": swept.entries,
        "distinct": len(stage.published),
        "repeated": stage.published.total() - count,
        "minutes": (stage.world.now - stage.began).total_seconds() / 60,
        "peakBefore": before,
        "exportPeak": exported[0],
        "sweepPeak": peak(),
        "exportCpu": exported[1],
        "sweepCpu": time.process_time() - exported[1],
    }
    sys.stdout.write(json.dumps(figures))


if __name__ == "__main__":
    main(int(sys.argv[1]))
