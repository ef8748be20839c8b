"""Holds the contract's files to the tools of their standards; `make lint` runs it.

AsyncAPI's parser, ajv (JSON Schema 2020-12) and the SDK of CloudEvents come from npm
(`standards.cjs`); datacontract-cli checks the lake's contract. Unit tests do the same with Python's
tools. A pass is remembered until an input changes.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tools.install import ROOT, TOOLS, InstallError, locked, run, say

EVENTS = ROOT / "events"
LAKE_CONTRACT = ROOT / "lake/contract.yaml"
PROGRAM = ROOT / "tools/standards.cjs"
NPM = ROOT / "requirements/npm"
LOCK = NPM / "package-lock.json"
PACKAGES = TOOLS / "npm"
PASSED = ROOT / ".local/standards/passed"
INSTALL_SECONDS = 600


def main() -> int:
    """Print all faults; return the exit code."""
    inputs = fingerprint()
    if PASSED.exists() and PASSED.read_text() == inputs:
        return 0
    try:
        install_packages()
    except InstallError as error:
        print(f"Cannot install the npm packages of the contract: {error}", file=sys.stderr)
        return 1
    found = [*event_faults(EVENTS), *lake_faults(LAKE_CONTRACT)]
    for fault in found:
        print(fault, file=sys.stderr)
    if found:
        return 1
    PASSED.parent.mkdir(parents=True, exist_ok=True)
    PASSED.write_text(inputs)
    return 0


def fingerprint() -> str:
    """Hash the contract, these programs and the versions of the tools."""
    contract = sorted(path for path in EVENTS.rglob("*") if path.is_file())
    locks = [LOCK, *(ROOT / f"requirements/{name}.txt" for name in ("node", "datacontract"))]
    digest = hashlib.sha256()
    for path in (*contract, LAKE_CONTRACT, PROGRAM, Path(__file__), *locks):
        digest.update(f"{path.relative_to(ROOT)}\n".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def install_packages() -> None:
    """Install the locked npm packages, whose hashes npm checks; no package runs a program."""
    stamp, wanted = PACKAGES / "installed-from", hashlib.sha256(LOCK.read_bytes()).hexdigest()
    with locked():
        if stamp.exists() and stamp.read_text() == wanted:
            return
        say(PACKAGES.relative_to(ROOT))
        PACKAGES.mkdir(exist_ok=True)
        for path in (NPM / "package.json", LOCK):
            shutil.copy(path, PACKAGES)
        options = ["--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(PACKAGES)]
        run([str(TOOLS / "node/bin/npm"), "ci", *options], INSTALL_SECONDS)
        stamp.write_text(wanted)


def event_faults(events: Path) -> Iterator[str]:
    """What npm's tools find in a folder like `events`."""
    environment = os.environ | {"NODE_PATH": str(PACKAGES / "node_modules")}
    yield from faults_of(TOOLS / "node/bin/node", PROGRAM, events, environment=environment)


def lake_faults(contract: Path) -> Iterator[str]:
    """What datacontract-cli finds in a contract."""
    yield from faults_of(TOOLS / "datacontract/bin/datacontract", "lint", contract)


def faults_of(*command: str | Path, environment: dict[str, str] | None = None) -> list[str]:
    """What a command prints, if it fails."""
    done = subprocess.run(  # noqa: S603 - the commands are made here
        command, capture_output=True, text=True, check=False, env=environment
    )
    return (done.stdout + done.stderr).splitlines() if done.returncode else []


if __name__ == "__main__":
    sys.exit(main())
