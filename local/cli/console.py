"""Where the commands report: progress and results on standard error, reports in files."""

import json
from pathlib import Path

from rich.console import Console

from local.destination import demand_writable, writing
from local.errors import UserError

console = Console(stderr=True)


def check_report(path: Path) -> None:
    """Refuse a place that can hold no report, before an export takes its time."""
    if path.is_dir():
        raise UserError(f"{path} is a folder; name a file with --report")
    demand_writable(path, "--report")


def write_report(path: Path, report: dict[str, object]) -> None:
    """Write a report as JSON, and name its file to the user."""
    with writing(path, "--report"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(report, indent=2) + "\n")
    console.print(f"The report is in {path}", highlight=False)
