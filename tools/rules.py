"""Checks the template with cfn-lint, checkov and AWS Control Tower's rules; `make lint` runs it.

The rules of the latter two see what CloudFormation sees: the template, expanded by SAM's
translator, with the branches that a strict account chooses (`PARAMETERS`). `rules.toml` lists the
rules that the template breaks on purpose, each with its reason. A finding that is not listed there
fails, and so does an exception that nothing needs.

A pass is remembered until an input changes, because checkov takes some fifteen seconds.
"""

import hashlib
import json
import os
import platform
import re
import subprocess
import sys
import tarfile
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tools.branches import Branches

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".tools"
TEMPLATE = ROOT / "template.yaml"
EXAMPLE = ROOT / "examples/subscriber/template.yaml"
"""To be copied, so cfn-lint alone checks it."""

SCRATCH = ROOT / ".local/rules"
EXCEPTIONS = ROOT / "tools/rules.toml"
PARAMETERS = {
    "AlarmTopicArn": "arn:aws:sns:eu-west-2:123456789012:alarms",
    "CurrentTableSchedule": "rate(1 hour)",
    "KmsKeyArn": "arn:aws:kms:eu-west-2:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
    "PermissionsBoundaryArn": "arn:aws:iam::123456789012:policy/boundary",
}
"""What a strict account chooses; all other parameters have their defaults."""

type Finding = tuple[str, str]
"""A rule and the logical name of a resource that breaks it."""

EXPAND = """
import json, os, sys
os.environ.setdefault("AWS_DEFAULT_REGION", "eu-west-2")
from samcli.yamlhelper import yaml_parse
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
template = yaml_parse(open(sys.argv[1]).read())
template["Resources"]["ExporterLayer"]["Properties"]["ContentUri"] = "s3://built/layer.zip"
for resource in template["Resources"].values():
    if resource["Type"] == "AWS::Serverless::Function":
        resource["Properties"]["CodeUri"] = "s3://built/function.zip"
print(json.dumps(Translator({}, Parser()).translate(template, {})))
"""
"""Runs in SAM's environment; its argument is the template's path."""


def main() -> int:
    """Report findings and needless exceptions; return the exit code."""
    passed, inputs = SCRATCH / "passed", fingerprint()
    if passed.exists() and passed.read_text() == inputs:
        return 0
    SCRATCH.mkdir(parents=True, exist_ok=True)
    linter = [TOOLS / "sam/bin/cfn-lint", TEMPLATE, EXAMPLE]
    linted = subprocess.run(linter, check=False)  # noqa: S603 - made here
    if linted.returncode:
        return linted.returncode
    path = SCRATCH / "template.json"
    path.write_text(json.dumps(Branches(expanded(), PARAMETERS).chosen(), indent=1))
    with ThreadPoolExecutor() as pool:
        found = {finding for one in pool.map(lambda run: run(path), CHECKERS) for finding in one}
    excepted = {
        (rule, resource)
        for rule, exception in tomllib.loads(EXCEPTIONS.read_text()).items()
        for resource in exception["resources"]
    }
    for rule, resource in sorted(found - excepted):
        print(f"template.yaml: {resource} breaks {rule}", file=sys.stderr)
    for rule, resource in sorted(excepted - found):
        print(f"tools/rules.toml: {resource} does not break {rule}", file=sys.stderr)
    if found != excepted:
        return 1
    passed.write_text(inputs)
    return 0


def fingerprint() -> str:
    """Hash the template, this program, the exceptions and the versions of the tools."""
    digest = hashlib.sha256()
    locks = [ROOT / f"requirements/{name}.txt" for name in ("checkov", "cfnguard", "sam")]
    for path in (TEMPLATE, EXAMPLE, Path(__file__), EXCEPTIONS, *locks):
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def expanded() -> dict[str, Any]:
    """Return the template as CloudFormation gets it from SAM's translator."""
    SCRATCH.mkdir(parents=True, exist_ok=True)
    answer: dict[str, Any] = json.loads(output([TOOLS / "sam/bin/python", "-c", EXPAND, TEMPLATE]))
    return answer


def checkov(template: Path) -> Iterator[Finding]:
    """Run checkov's rules for CloudFormation, without asking the network for more."""
    options = ["--framework", "cloudformation", "--skip-download", "--output", "json", "--quiet"]
    report = json.loads(output([TOOLS / "checkov/bin/checkov", "--file", template, *options]))
    for check in report["results"]["failed_checks"]:
        yield check["check_id"], check["resource"].rpartition(".")[2]


def control_tower(template: Path) -> Iterator[Finding]:
    """Run cfn-guard with AWS Control Tower's proactive rules."""
    package = guard_package()
    system = "macos" if platform.system() == "Darwin" else "ubuntu"
    processor = "aarch64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
    guard = package / f"bin/{system}/{processor}/cfn-guard"
    guard.chmod(0o755)
    rules: list[str | Path] = ["--rules", package / "rules/control-tower/cfn-guard"]
    form = ["--structured", "--output-format", "json", "--show-summary", "none"]
    for report in json.loads(output([guard, "validate", "--data", template, *rules, *form])):
        for rule in report["not_compliant"]:
            said = json.dumps(rule)
            name = re.search(r"\[(CT\.[A-Z0-9.]+)\]", said)
            for resource in set(re.findall(r"/Resources/(\w+)", said)):
                yield (name[1] if name else rule["Rule"]["name"]), resource


CHECKERS = (checkov, control_tower)


def guard_package() -> Path:
    """Unpack cfn-guard and the rules beside the package that brings them, once."""
    (archive,) = (TOOLS / "cfnguard").glob("lib/python3*/site-packages/cdklabs/*/_jsii/*.tgz")
    package = archive.parent / "package"
    if not package.exists():
        with tarfile.open(archive) as packed:
            packed.extractall(archive.parent, filter="data")
    return package


def output(command: Sequence[str | Path]) -> str:
    """Return what a command prints. Its exit code says nothing: findings make it fail, too."""
    environment = os.environ | {"LOG_LEVEL": "ERROR"}
    done = subprocess.run(  # noqa: S603 - the commands are made here
        command, capture_output=True, text=True, check=False, env=environment, cwd=SCRATCH
    )
    if not done.stdout:
        raise SystemExit(f"{command[0]} printed nothing:\n{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(main())
