"""Where the commands report: progress and results on standard error, reports in files."""

import json
from pathlib import Path

from rich.console import Console

console = Console(stderr=True)


def write_report(path: Path, report: dict[str, object]) -> None:
    """Write a report as JSON, and name its file to the user."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=2) + "\n")
    console.print(f"The report is in {path}", highlight=False)
