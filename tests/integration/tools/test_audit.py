"""The lists of what is deployed, and of what is known against it."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tools import audit

VULNERABLE = {
    "dependencies": [
        {"name": "sound", "version": "1.0", "vulns": []},
        {
            "name": "old",
            "version": "2.0",
            "vulns": [{"id": "CVE-2026-1", "fix_versions": ["2.1"]}],
        },
    ]
}


def test_the_bill_of_materials_names_every_locked_package(tmp_path: Path) -> None:
    bill = tmp_path / "sbom.json"
    tool = audit.ROOT / ".tools/audit/bin/cyclonedx-py"
    options = ["requirements", "--output-reproducible", "-o", str(bill), str(audit.LOCK)]
    subprocess.run([tool, *options], check=True, capture_output=True)  # noqa: S603  # the project's own tool
    listed = json.loads(bill.read_text())
    assert listed["bomFormat"] == "CycloneDX"
    versions = {one["name"]: one["version"] for one in listed["components"]}
    assert versions == dict(
        re.findall(r"^([\w.-]+)==([\w.]+)", audit.LOCK.read_text(), re.MULTILINE)
    )
    assert all("sha256" in json.dumps(one).lower().replace("-", "") for one in listed["components"])


def test_a_vulnerability_fails_and_names_the_version_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(audit, "ask", lambda _: VULNERABLE)
    assert audit.main(passed=tmp_path / "passed") == 1
    assert capsys.readouterr().err == "old 2.0: CVE-2026-1, mended in 2.1\n"
    assert not (tmp_path / "passed").exists()


def test_a_service_that_cannot_be_reached_is_a_line_and_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    assert audit.main(passed=tmp_path / "passed") == 0
    assert "cannot be reached" in capsys.readouterr().out
    assert not (tmp_path / "passed").exists()


def test_a_pass_counts_for_a_day(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []

    def ask(lock: Path) -> dict[str, Any]:
        asked.append(lock)
        return {"dependencies": []}

    monkeypatch.setattr(audit, "ask", ask)
    assert [audit.main(passed=tmp_path / "passed") for _ in range(2)] == [0, 0]
    assert len(asked) == 1
