"""A worker has 512 MB, and a dense page may hold 100,000 entries."""

import json
import os
import subprocess
import sys

COUNT = 20_000
"""``make bench`` measures five times as many, in five times the time."""


def test_a_worker_has_the_memory_for_a_hundred_thousand_entries() -> None:
    command = [sys.executable, "-m", "tests.simulation.dense_memory", str(COUNT)]
    path = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(  # noqa: S603  # a fixed command
        command, env=os.environ | {"PYTHONPATH": path}, check=True, capture_output=True, text=True
    )
    figures = json.loads(done.stdout)
    assert figures["distinct"] == figures["entries"] == COUNT
    assert 0 < figures["repeated"] <= 2 * 1000
    growth = max(figures["exportPeak"], figures["sweepPeak"]) - figures["peakBefore"]
    assert figures["peakBefore"] + growth * 100_000 / COUNT < 450
