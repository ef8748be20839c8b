"""The command line, as a shell starts it."""

import json
import subprocess
import sys

from local.places import ROOT

STATUS = '{"command": "status"}'


def test_help_imports_no_client() -> None:
    code = (
        "import sys; from local.cli.app import app\n"
        "slow = {'boto3', 'httpx', 'rich', 'uvicorn', 'moto'} & set(sys.modules)\n"
        "assert not slow, slow"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)  # noqa: S603


def test_make_passes_json_on_as_it_is() -> None:
    made = subprocess.run(  # noqa: S603  # the project's own Makefile
        ["make", "--dry-run", "send", f"ARGS={STATUS}"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    [line] = [line for line in made.splitlines() if "local send" in line]
    assert line.endswith('send --typed "$ARGS"')
    shown = subprocess.run(  # noqa: S603
        ["make", "--no-print-directory", "-f", "-", "show", f"ARGS={STATUS}"],  # noqa: S607
        input='export ARGS\nshow:\n\t@printf %s "$$ARGS"\n',
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert json.loads(shown) == {"command": "status"}
