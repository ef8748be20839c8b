"""`sam build`, once for each state of the sources."""

import fcntl
import hashlib
import os
import platform
import shutil
from pathlib import Path

from local.places import ROOT, SCRATCH, TOOLS
from local.stack.emulator import inherited_environment
from local.stack.processes import run

_BUILDS = SCRATCH / "build"
_MAX_BUILDS = 3
"""How many builds stay: other stacks may still be deploying older ones."""


def architecture() -> str:
    """Name this machine's architecture as the template does."""
    return "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"


def build() -> Path:
    """Return the path of the built template, and build it first if its sources changed.

    Processes wait for each other here.
    """
    _BUILDS.mkdir(parents=True, exist_ok=True)
    with (_BUILDS / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = _BUILDS / _fingerprint()
        if not done.exists():
            _sam_build(done)
        os.utime(done)
        builds = sorted(
            _BUILDS.glob("*/template.yaml"), key=lambda path: path.parent.stat().st_mtime
        )
        for old in builds[:-_MAX_BUILDS]:
            shutil.rmtree(old.parent)
        return done / "template.yaml"


def _sam_build(target: Path) -> None:
    unfinished, log = _BUILDS / "unfinished", _BUILDS / "build.log"
    shutil.rmtree(unfinished, ignore_errors=True)
    run(
        [
            TOOLS / "sam/bin/sam",
            "build",
            *("--template", ROOT / "template.yaml"),
            *("--config-file", ROOT / "samconfig.toml"),
            *("--build-dir", unfinished),
            *("--cache-dir", _BUILDS / "cache"),
            *("--parameter-overrides", f"Architecture={architecture()}"),
        ],
        sam_environment(),
        log,
        "sam build",
    )
    # Lambda mounts layers read-only. Without bytecode in the layer, each cold start compiles it.
    run(
        [
            *(TOOLS / "python/bin/python", "-m", "compileall", "-q", "-j", "0"),
            *("--invalidation-mode", "unchecked-hash", unfinished / "ExporterLayer"),
        ],
        sam_environment(),
        log,
        "compileall",
    )
    unfinished.rename(target)


def sam_environment() -> dict[str, str]:
    """Put the bare interpreter first: SAM builds with the first `python3.13` on the path."""
    env = inherited_environment()
    path = os.pathsep.join([str(TOOLS / "python/bin"), env.get("PATH", os.defpath)])
    return env | {"PATH": path, "SAM_CLI_TELEMETRY": "0", "SAM_CLI_CHECK_UPDATE": "0"}


def _fingerprint() -> str:
    """Hash the build's inputs: names, contents and the architecture."""
    digest = hashlib.sha256(architecture().encode())
    sources = [ROOT / "template.yaml"]
    for folder in ("functions", "layers/exporter"):
        sources += sorted((ROOT / folder).rglob("*"))
    for path in sources:
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(ROOT)}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]
