"""A function's cold start imports nothing that only the other function uses."""

import os
import subprocess
import sys

import pytest

from local.places import ROOT

_PROGRAM = """
import sys
from cpd_exporter import bootstrap
bootstrap.{builds}(**dict.fromkeys({ports!r}))
print(*(name for name in sys.modules if name.startswith("cpd_exporter.")))
"""
_SHARED = ("api", "timeline", "lake", "clock", "new_token", "limits")


@pytest.mark.parametrize(
    ("builds", "ports", "others"),
    [
        ("build_planner", (*_SHARED, "queue"), ("worker", "adapters.aws.topic")),
        ("build_worker", (*_SHARED, "topic", "replay_queue"), ("planner",)),
    ],
)
def test_a_function_imports_what_it_uses_alone(
    builds: str, ports: tuple[str, ...], others: tuple[str, ...]
) -> None:
    done = subprocess.run(  # noqa: S603  # a fixed command
        [sys.executable, "-c", _PROGRAM.format(builds=builds, ports=ports)],
        env=os.environ | {"PYTHONPATH": str(ROOT / "layers/exporter")},
        capture_output=True,
        text=True,
        check=True,
    )
    imported = done.stdout.split()
    assert "cpd_exporter.ports" in imported
    assert not [
        name for name in imported if name.startswith(tuple(f"cpd_exporter.{o}" for o in others))
    ]
