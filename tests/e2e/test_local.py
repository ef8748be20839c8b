"""The commands for one machine, as a user calls them."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest

from local.places import ROOT
from tests.e2e.conftest import Api, served
from tests.support.pace import patience

ENTRIES = 200
START_SECONDS = 120


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with served(ENTRIES) as api:
        yield api


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "local", *arguments]


def environment(api: Api) -> dict[str, str]:
    return os.environ | {"CPD_API_SECRET": api.secret["apiSecret"]}


@contextmanager
def up(api: Api, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        command("up", "--api-url", api.url, "--tenant-id", api.secret["tenantId"], *arguments),
        cwd=ROOT,
        env=environment(api),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.terminate()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def running_processes() -> dict[int, int]:
    """All there are, each with its parent."""
    listing = subprocess.run(
        ["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True
    )
    return {int(pid): int(parent) for pid, parent in map(str.split, listing.stdout.splitlines())}


def descendants(pid: int) -> set[int]:
    """Children, their children, and so on."""
    parents, found = running_processes(), {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def test_up_serves_until_it_is_interrupted_and_leaves_no_process(api: Api) -> None:
    port = free_port()
    with up(api, "--port", str(port), "--no-schedule", "--first-date", "2025-01-01") as process:
        assert process.stdout
        ready: dict[str, Any] = json.loads(process.stdout.readline())
        assert ready["ready"] is True
        assert ready["endpoint"] == f"http://127.0.0.1:{port}"

        functions = boto3.client(
            "lambda",
            endpoint_url=ready["endpoint"],
            region_name=ready["region"],
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        answer = functions.invoke(
            FunctionName=ready["outputs"]["PlannerFunctionName"], Payload=b'{"command": "export"}'
        )
        (tenant,) = json.load(answer["Payload"])["tenants"]
        assert tenant["sent"] > 0

        second = subprocess.run(
            command("up", "--port", str(port)),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=patience(START_SECONDS),
            check=False,
        )
        assert second.returncode != 0
        assert f"port {port} is taken" in second.stderr
        assert second.stdout == ""

        started = descendants(process.pid)
        assert started
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        assert process.stdout.read() == ""
    assert not started & running_processes().keys()


def test_run_exports_from_a_server_that_it_does_not_know(api: Api, tmp_path: Path) -> None:
    lake, report = tmp_path / "lake", tmp_path / "report.json"
    run = subprocess.run(
        command(
            *("run", "--api-url", api.url, "--tenant-id", api.secret["tenantId"]),
            *("--output", str(lake), "--report", str(report)),
        ),
        cwd=ROOT,
        env=environment(api),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=patience(START_SECONDS),
        check=False,
    )
    assert run.returncode == 0, run.stderr
    published = json.loads(report.read_text())
    assert published["entriesInApi"] == published["entriesInLake"] == len(api.valid)
    assert published["distinctNotifications"] == published["notifications"] == len(api.valid)
    assert published["objects"] == len(list(lake.glob("entries/**/*.jsonl.gz")))
    assert published["apiCalls"] > published["objects"]
    assert published["problems"] == []
