"""datacontract-cli holds an export to the lake's contract."""

import gzip
import json
import subprocess
from pathlib import Path
from typing import Any

from local.places import ROOT, TOOLS
from tests.lake.history import History


def outcome(folder: Path) -> subprocess.CompletedProcess[str]:
    command: list[str | Path] = [
        TOOLS / "datacontract/bin/datacontract",
        "test",
        ROOT / "lake/contract.yaml",
    ]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


def unzipped(history: History, folder: Path, **changes: Any) -> None:
    """A copy whose objects are unzipped; one row of each object has other members."""
    for path in history.folder.glob("entries/*/*.gz"):
        copy = folder / path.relative_to(history.folder).with_suffix("")
        copy.parent.mkdir(parents=True, exist_ok=True)
        first, *others = gzip.decompress(path.read_bytes()).splitlines()
        changed = json.dumps(json.loads(first) | changes).encode()
        copy.write_bytes(b"\n".join([changed, *others]) + b"\n")


def test_an_export_keeps_the_contract(history: History, tmp_path: Path) -> None:
    unzipped(history, tmp_path)
    done = outcome(tmp_path)
    assert not done.returncode, done.stdout


def test_another_export_breaks_it(history: History, tmp_path: Path) -> None:
    unzipped(history, tmp_path, change="moved", durationMinutes="an hour")
    done = outcome(tmp_path)
    assert done.returncode
    assert "durationMinutes" in done.stdout
