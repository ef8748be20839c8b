"""`sam build`, once for each state of the sources."""

import fcntl
import hashlib
import json
import os
import platform
import shutil
import sys
from pathlib import Path

from local.places import ROOT, SCRATCH, TOOLS
from local.stack.emulator import inherited_environment
from local.stack.processes import run
from local.stack.template import for_emulator, template

_BUILDS = SCRATCH / "build"
_MAKERS = (
    "template.yaml",
    "samconfig.toml",
    "Makefile",
    "tools/layer.py",
    "local/stack/template.py",
    "local/stack/build.py",
)
"""What makes a build, besides the sources that it holds."""
_MAX_BUILDS = 3
"""How many builds stay: other stacks may still be deploying older ones."""


def architecture() -> str:
    """Name this machine's architecture as the template does."""
    return "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"


def more_platforms() -> str:
    """Name the platform that a layer for Lambda does not serve, if this machine has it."""
    if platform.system() != "Darwin":
        return ""
    return {"arm64": "aarch64", "x86_64": "x86_64"}[architecture()] + "-apple-darwin"


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
        ],
        sam_environment() | {"PYTHON": sys.executable, "LAYER_PLATFORMS": more_platforms()},
        log,
        "sam build",
    )
    built = unfinished / "template.yaml"
    changed = for_emulator(template(built))
    # Packed here once: `sam deploy` would do it for each stack.
    layer = changed["Resources"]["ExporterLayer"]["Properties"]
    layer["ContentUri"] = _packed(unfinished / layer["ContentUri"])
    built.write_text(json.dumps(changed, indent=1))
    unfinished.rename(target)


def _packed(folder: Path) -> str:
    """Pack a folder's contents beside it; returns the archive's name."""
    return Path(shutil.make_archive(str(folder), "zip", folder)).name


def sam_environment() -> dict[str, str]:
    """Return what SAM inherits: nothing of other accounts, and no telemetry."""
    return inherited_environment() | {"SAM_CLI_TELEMETRY": "0", "SAM_CLI_CHECK_UPDATE": "0"}


def _fingerprint() -> str:
    """Hash the build's inputs: names, contents and this machine's platform."""
    digest = hashlib.sha256(more_platforms().encode())
    sources = [ROOT / name for name in _MAKERS]
    for folder in ("functions", "layers/exporter"):
        sources += sorted((ROOT / folder).rglob("*"))
    for path in sources:
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(ROOT)}\0".encode())
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]
