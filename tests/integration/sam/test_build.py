"""What `sam build` makes of the project: a layer that both of Lambda's processors can import."""

import ast
import importlib.util
import marshal
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.places import ROOT, TOOLS
from local.stack.build import build
from tools.install import InstallError
from tools.layer import PLATFORMS, install, merge, requirements_of_compiled

UV, PYTHON = TOOLS / "uv/bin/uv", TOOLS / "python/bin/python"
LOCK = ROOT / "layers/exporter/requirements.txt"
MACHINES = {"aarch64": 0xB7, "x86_64": 0x3E}
"""The machine in an ELF file's header, by the name in the suffix of a compiled module."""


@pytest.fixture(scope="module")
def built() -> Path:
    """The folder that a real `sam build` fills; the local stack deploys the same one."""
    return build().parent


@pytest.fixture(scope="module")
def layer(built: Path) -> Path:
    return built / "ExporterLayer"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in files(folder)}


def files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def test_a_function_is_its_handler_and_nothing_else(built: Path) -> None:
    for function in ("PlannerFunction", "WorkerFunction"):
        assert [path.name for path in files(built / function)] == ["app.py"]


def test_compiled_modules_are_there_for_both_processors(layer: Path) -> None:
    found: dict[str, set[str]] = {machine: set() for machine in MACHINES}
    for path in layer.rglob("*.so"):
        name, tag, _ = path.name.split(".")
        machine = tag.removeprefix("cpython-313-").removesuffix("-linux-gnu")
        assert int.from_bytes(path.read_bytes()[18:20], "little") == MACHINES[machine]
        found[machine].add(name)
    assert found["aarch64"] == found["x86_64"] >= {"_pydantic_core"}


def test_every_module_has_bytecode_that_its_place_on_lambda_names(layer: Path) -> None:
    unchecked_hash = (1).to_bytes(4, "little")
    for source in layer.rglob("*.py"):
        code = Path(importlib.util.cache_from_source(str(source))).read_bytes()
        assert code[:4] == importlib.util.MAGIC_NUMBER
        assert code[4:8] == unchecked_hash
        place = f"/opt/{source.relative_to(layer)}"
        assert marshal.loads(code[16:]).co_filename == place  # noqa: S302 - made by the build


def test_the_functions_import_from_the_layer_alone(layer: Path) -> None:
    program = "import sys; sys.path.insert(0, sys.argv[1]); import cpd_exporter.bootstrap"
    subprocess.run([PYTHON, "-I", "-B", "-c", program, layer / "python"], check=True)


def test_no_file_names_this_machine(layer: Path) -> None:
    here = str(ROOT).encode()
    assert not [name for name, content in contents(layer).items() if here in content]
    assert not list(layer.rglob("bin"))


def oldest_python() -> str:
    """The oldest Python from 3.9 on that uv finds here."""
    for minor in range(9, 14):
        command: list[str | Path] = [
            UV,
            "python",
            "find",
            "--no-python-downloads",
            "--no-project",
            f"3.{minor}",
        ]
        found = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
        if not found.returncode:
            return str(found.stdout.strip())
    return sys.executable


def test_another_python_builds_the_same_bytes_without_a_python_on_the_path(
    layer: Path, tmp_path: Path
) -> None:
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    subprocess.run(
        [oldest_python(), "-m", "tools.layer", tmp_path],
        cwd=ROOT,
        env=env | {"PATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        check=True,
    )
    assert contents(tmp_path) == contents(layer)


@pytest.mark.parametrize("name", ["install", "layer"])
def test_the_first_programs_start_with_python_3_9(name: str) -> None:
    ast.parse((ROOT / f"tools/{name}.py").read_text(), feature_version=(3, 9))


def test_a_wheel_of_another_platform_with_another_hash_fails(tmp_path: Path) -> None:
    """SAM's own builder ignores the hashes of such wheels."""
    (entry,) = re.findall(r"^pydantic-core==.*(?:\n    .*)*", LOCK.read_text(), re.MULTILINE)
    lock = tmp_path / "lock.txt"
    lock.write_text(re.sub(r"sha256:[0-9a-f]{8}", "sha256:00000000", entry))
    for platform in PLATFORMS:
        with pytest.raises(InstallError, match=r"Hash mismatch|Computed:"):
            install(UV, str(PYTHON), platform, lock, tmp_path / platform)


def test_modules_that_differ_between_processors_need_names_that_say_so(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder, content in ((one, b"arm64"), (other, b"x86_64")):
        (folder / "package-1.dist-info").mkdir(parents=True)
        (folder / "package-1.dist-info/WHEEL").write_bytes(content)
    merge(other, one)
    (one / "fast.abi3.so").write_bytes(b"arm64")
    (other / "fast.abi3.so").write_bytes(b"x86_64")
    with pytest.raises(InstallError, match=r"fast\.abi3\.so differs"):
        merge(other, one)


def test_only_compiled_packages_are_installed_for_each_processor(tmp_path: Path) -> None:
    for name, pure in (("pydantic_core-1", "false"), ("six-1", "true")):
        (tmp_path / f"{name}.dist-info").mkdir()
        (tmp_path / f"{name}.dist-info/WHEEL").write_text(f"Root-Is-Purelib: {pure}\n")
    lock = "pydantic-core==1 \\\n    --hash=sha256:0\nsix==1 \\\n    --hash=sha256:1\n"
    assert requirements_of_compiled(lock, tmp_path).startswith("pydantic-core==1 \\\n    --hash")
    assert "six" not in requirements_of_compiled(lock, tmp_path)
