"""The command line: `python -m local --help`."""

import sys

import typer
from rich.text import Text

from local.cli import options
from local.cli.console import console
from local.cli.demo import demo
from local.cli.interrupt import exit_on_signals
from local.cli.run import run
from local.cli.send import send
from local.cli.up import up
from local.errors import UserError

app = typer.Typer(
    help="The exporter on this machine: its own template, deployed into an emulated account.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(options.with_flags(options.RunOptions, run))
app.command()(options.with_flags(options.DemoOptions, demo))
app.command()(options.with_flags(options.UpOptions, up))
app.command()(options.with_flags(options.SendOptions, send))


def main() -> None:
    """Run a command; a ``UserError`` ends it with one message and exit code 1."""
    exit_on_signals()
    try:
        app()
    except UserError as error:
        message = Text.assemble(("Error: ", "bold red"), str(error))
        console.print(message, soft_wrap=True)
        sys.exit(1)
