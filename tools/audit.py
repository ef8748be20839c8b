"""Asks for known vulnerabilities of the packages that are deployed; `make check` runs it.

The answer comes from a public service. Where that cannot be reached, a line says so, and nothing
fails. A pass counts for a day, so that the inner loop does not wait for the service.
"""

import hashlib
import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PIP_AUDIT = ROOT / ".tools/audit/bin/pip-audit"
LOCK = ROOT / "layers/exporter/requirements.txt"
PASSED = ROOT / ".local/audit/passed"
MAX_SECONDS = 60
_MAX_SILENCE_SECONDS = "5"


def main(lock: Path = LOCK, passed: Path = PASSED) -> int:
    """Audit the lock file; return the exit code."""
    state = f"{datetime.now(UTC):%Y-%m-%d} {hashlib.sha256(lock.read_bytes()).hexdigest()}"
    if passed.exists() and passed.read_text() == state:
        return 0
    answer = ask(lock)
    if answer is None:
        print("Known vulnerabilities: not asked for, since the service cannot be reached")
        return 0
    found = findings(answer)
    for line in found:
        print(line, file=sys.stderr)
    if not found:
        passed.parent.mkdir(parents=True, exist_ok=True)
        passed.write_text(state)
    return int(bool(found))


def ask(lock: Path) -> dict[str, Any] | None:
    """What the service knows of each locked package; ``None`` where it does not answer."""
    options = ["--disable-pip", "--require-hashes", "--progress-spinner", "off", "--format", "json"]
    command = [
        str(PIP_AUDIT),
        *options,
        "--timeout",
        _MAX_SILENCE_SECONDS,
        "--requirement",
        str(lock),
    ]
    try:
        done = subprocess.run(  # noqa: S603  # the project's own tool
            command, capture_output=True, text=True, timeout=MAX_SECONDS, check=False
        )
        answer: dict[str, Any] = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError):
        return None
    return answer


def findings(answer: dict[str, Any]) -> list[str]:
    """A line for each vulnerability, and the version without it."""
    return [
        f"{package['name']} {package['version']}: {one['id']}, mended in "
        f"{' or '.join(one['fix_versions']) or 'no version yet'}"
        for package in answer["dependencies"]
        for one in package.get("vulns", [])
    ]


if __name__ == "__main__":
    sys.exit(main())
