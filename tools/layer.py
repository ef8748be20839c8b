"""Builds the layer for AWS; SAM runs it by the Makefile's target `build-ExporterLayer`.

It needs the standard library only and any Python from 3.9 on. It takes the pinned uv, which checks
every wheel's hash and reads the requirements as the functions' machine would, and a Python 3.13,
whose bytecode the functions can use. It installs both as `make tools` does, if they are missing.

The layer serves both of Lambda's processors, because the name of a compiled module says which
processor it is for. So a layer that does not fit the parameter Architecture cannot exist.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

from tools.install import ROOT, TOOLS, InstallError, find_python, install_uv, locked, run

SOURCE = ROOT / "layers/exporter"
PLATFORMS = ("aarch64-manylinux_2_28", "x86_64-manylinux_2_28")
"""Lambda's Python 3.13 runs on Amazon Linux 2023, with glibc 2.34."""
MORE_PLATFORMS = "LAYER_PLATFORMS"
"""Environment variable with further platforms, separated by blanks: an emulator's machine."""
MOUNTED = "/opt"
NOT_SHIPPED = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json")
"""Files of a wheel's metadata that nobody reads there, and that differ between machines."""


def main(artifacts: Path) -> int:
    """Build the layer in SAM's folder of artifacts; return the exit code."""
    try:
        with locked():
            uv = install_uv()
            own = TOOLS / "python/bin/python"
            python = str(own) if own.exists() else find_python(uv)
        build(uv, python, artifacts)
    except InstallError as error:
        print(f"Cannot build the layer: {error}", file=sys.stderr)
        return 1
    return 0


def build(uv: Path, python: str, artifacts: Path) -> None:
    """Fill the folder with packages, the project's own package, and bytecode of both."""
    target = artifacts / "python"
    shutil.rmtree(target, ignore_errors=True)
    lock = SOURCE / "requirements.txt"
    install(uv, python, PLATFORMS[0], lock, target)
    with tempfile.TemporaryDirectory() as scratch:
        compiled = Path(scratch, "compiled.txt")
        compiled.write_text(requirements_of_compiled(lock.read_text(), target))
        for platform in (*PLATFORMS[1:], *os.environ.get(MORE_PLATFORMS, "").split()):
            install(uv, python, platform, compiled, Path(scratch, platform))
            merge(Path(scratch, platform), target)
    shutil.copytree(
        SOURCE / "cpd_exporter",
        target / "cpd_exporter",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    # Lambda mounts layers read-only. Without bytecode in the layer, each cold start compiles it.
    # A fixed seed keeps the order within sets, so that equal sources give equal bytes.
    command = [python, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
    paths = ["-s", str(artifacts), "-p", MOUNTED, str(target)]
    run([*command, *paths], environment=os.environ | {"PYTHONHASHSEED": "0"})


def install(uv: Path, python: str, platform: str, lock: Path, folder: Path) -> None:
    """Install the locked wheels of one platform, and remove what no function imports."""
    wheels = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--link-mode", "copy"]
    target = ["--python", python, "--python-platform", platform, "--target", str(folder)]
    run([str(uv), "pip", "install", "--quiet", *wheels, *target, "--requirement", str(lock)])
    # Scripts name this machine's interpreter.
    shutil.rmtree(folder / "bin", ignore_errors=True)
    for path in [folder / ".lock", *folder.glob("*.dist-info/*")]:
        if path.name == ".lock" or path.name in NOT_SHIPPED:
            path.unlink()


def requirements_of_compiled(lock: str, folder: Path) -> str:
    """The lock's entries of the packages in the folder that differ between processors."""
    names = {
        wheel.parent.name.partition("-")[0].replace("_", "-").lower()
        for wheel in folder.glob("*.dist-info/WHEEL")
        if "Root-Is-Purelib: false" in wheel.read_text()
    }
    entries = re.findall(r"^[a-z0-9].*(?:\n    .*)*", lock, re.MULTILINE)
    return "\n".join(entry for entry in entries if entry.partition("==")[0] in names)


def merge(folder: Path, target: Path) -> None:
    """Add the files of another platform; code of the same name must be equal."""
    for path in sorted(folder.rglob("*")):
        place = target / path.relative_to(folder)
        if path.is_dir():
            place.mkdir(parents=True, exist_ok=True)
        elif not place.exists():
            shutil.copy2(path, place)
        elif path.read_bytes() != place.read_bytes() and not is_metadata(path):
            raise InstallError(f"{path.relative_to(folder)} differs between platforms")


def is_metadata(path: Path) -> bool:
    """Whether the file describes a package, and is none of its code."""
    return any(folder.name.endswith(".dist-info") for folder in path.parents)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
