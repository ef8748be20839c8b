"""The command line: `python -m local --help`."""

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

import typer
from typer.exceptions import TyperException

from local.cli import options
from local.cli.interrupt import exit_on_signals
from local.cli.refusal import refusal
from local.cli.typed import arguments
from local.errors import UserError

app = typer.Typer(
    help="The exporter on this machine: its own template, deployed into an emulated account.",
    add_completion=False,
    pretty_exceptions_enable=False,
    # Rich's help takes seconds to import, and says no more.
    rich_markup_mode=None,
)


def _add(name: str, chosen: type[Any], purpose: str) -> None:
    """Add a command that is imported only when it is called: help takes no second then."""

    def call(given: Any) -> None:
        command: Callable[[Any], None] = getattr(import_module(f"local.cli.{name}"), name)
        command(given)

    call.__name__ = name
    app.command(name, help=purpose)(options.with_flags(chosen, call))


_add(
    "run",
    options.RunOptions,
    "Export everything once, check that nothing is missing, and copy the lake into a folder.",
)
_add(
    "demo",
    options.DemoOptions,
    "Export a simulator's entries twice, then change some of them and watch a sweep.",
)
_add("up", options.UpOptions, "Keep a stack up until interrupted; one line of JSON says where.")
_add("send", options.SendOptions, "Send a command to the planner of a stack that is up.")
_add("change", options.ChangeOptions, "Change entries in the simulator of a stack that is up.")
_add("status", options.StatusOptions, "Show how far an export is, as text or as a page.")


def main() -> None:
    """Run a command; a mistake ends it with one line: exit code 2 if it was typed, else 1."""
    exit_on_signals()
    try:
        sys.argv[1:] = arguments(sys.argv[1:]) or ["--help"]
        sys.exit(app(standalone_mode=False))
    except TyperException as error:
        _end(refusal(error), error.exit_code)
    except typer.Abort:
        _end("there was no answer, so nothing was done")
    except UserError as error:
        _end(str(error))
    except OSError as error:
        place = f"{error.filename} cannot be used: " if error.filename else ""
        _end(f"{place}{error.strerror or error}")
    except Exception as error:
        if not type(error).__module__.startswith("botocore"):
            raise
        _end(f"the emulated account does not answer as it should ({error}): is the stack still up?")


def _end(message: str, code: int = 1) -> None:
    from rich.text import Text  # noqa: PLC0415  # see above

    from local.cli.console import console  # noqa: PLC0415

    console.print(Text.assemble(("Error: ", "bold red"), message), soft_wrap=True)
    sys.exit(code)
