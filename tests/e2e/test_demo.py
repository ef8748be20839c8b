"""The demonstration, as the README shows it."""

import json
import re
import subprocess
import sys
from pathlib import Path

from local.places import ROOT
from tests.support.pace import patience

ENTRIES = 300
MAX_SECONDS = 240


def test_the_demonstration_prints_what_the_readme_shows(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    options = [
        "--entries",
        str(ENTRIES),
        "--output",
        str(tmp_path / "lake"),
        "--report",
        str(report),
    ]
    done = subprocess.run(  # the project's own command line
        [sys.executable, "-m", "local", "demo", *options],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=patience(MAX_SECONDS),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    sample = re.search(r"It says:\n\n((?:    .+\n)+)", (ROOT / "README.md").read_text())
    assert sample is not None
    # Among a few entries, two changes may meet one of them.
    output = re.sub(r"sweeps: (\d) of \1\b", "sweeps: 9 of 9", done.stdout + done.stderr)
    printed = [line.split() for line in output.splitlines()]
    shown = [line.replace("5,000", str(ENTRIES)).split() for line in sample[1].splitlines()]
    assert len(shown) == 5
    assert [line for line in printed if line in shown] == shown
    found = json.loads(report.read_text())
    assert (found["entriesInLake"], found["secondRunNewEntries"]) == (ENTRIES, 0)
