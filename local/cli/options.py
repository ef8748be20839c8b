"""The options of each command, as one object; their fields become the command line's flags."""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from cpd_exporter.model.options import Audience, Authentication, Environment, Scope

_SOURCE, _RESULT = "What to export", "What to make of it"

Entries = Annotated[
    int, typer.Option(min=1, help="How many the simulator has.", rich_help_panel=_SOURCE)
]
Seed = Annotated[int, typer.Option(help="Decides the simulator's data.", rich_help_panel=_SOURCE)]
Faulty = Annotated[
    int,
    typer.Option(
        min=0, help="How many of the simulator's cannot be understood.", rich_help_panel=_SOURCE
    ),
]
Burst = Annotated[
    int,
    typer.Option(min=0, help="How many of its share a second.", rich_help_panel=_SOURCE),
]
Switches = Annotated[
    list[str] | None,
    typer.Option(
        help="A switch of the simulator, such as per_page_cap=50, fault=429,every=5 or "
        "change=edit,every=3; repeatable. `.venv/bin/python -m simulator --help` lists them.",
        rich_help_panel=_SOURCE,
    ),
]
Port = Annotated[
    int, typer.Option(min=0, max=65535, help="The emulated account's; 0 takes a free one.")
]
Output = Annotated[
    Path, typer.Option(help="Folder for a copy of the lake.", rich_help_panel=_RESULT)
]


@dataclass(frozen=True)
class SourceOptions:
    """Which API the stack exports, and how."""

    environment: Annotated[
        Environment | None,
        typer.Option(
            "--environment", help="Export from the real service.", rich_help_panel=_SOURCE
        ),
    ] = None
    api_url: Annotated[
        str,
        typer.Option(
            help="Export from any server that speaks this API: the part before /rest/v1 and "
            "/oauth2/token. Without it, and without --environment: from a simulator.",
            rich_help_panel=_SOURCE,
        ),
    ] = ""
    tenant_id: Annotated[
        str, typer.Option(help="Asked for if missing.", rich_help_panel=_SOURCE)
    ] = ""
    auth: Annotated[
        Authentication,
        typer.Option(
            help="The secret comes from CPD_CLIENT_ID and CPD_CLIENT_SECRET (oauth2), or from "
            "CPD_API_SECRET (basic), or is asked for. With auto, whichever is set decides.",
            rich_help_panel=_SOURCE,
        ),
    ] = Authentication.AUTO
    scope: Annotated[Scope, typer.Option("--scope", rich_help_panel=_SOURCE)] = Scope.READ
    token_audience: Annotated[Audience, typer.Option(rich_help_panel=_SOURCE)] = Audience.PUBLIC
    first_date: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%d"], help="First day to export (UTC).", rich_help_panel=_SOURCE
        ),
    ] = None
    settle_seconds: Annotated[
        int | None,
        typer.Option(help="How long an entry may take to show up.", rich_help_panel=_SOURCE),
    ] = None
    filter_time_zone: Annotated[
        str | None,
        typer.Option(
            help="IANA name of the time zone in which the API's filter reads dates.",
            rich_help_panel=_SOURCE,
        ),
    ] = None
    api_calls_per_minute: Annotated[
        int | None,
        typer.Option(
            help="The most calls of the API in a minute; 0 sets no limit.", rich_help_panel=_SOURCE
        ),
    ] = None
    deletion_delay_seconds: Annotated[
        int | None,
        typer.Option(
            help="How long an entry must be missing before a sweep publishes its deletion.",
            rich_help_panel=_SOURCE,
        ),
    ] = None
    entries: Entries = 5000
    seed: Seed = 1
    faulty: Faulty = 0
    burst: Burst = 0
    switch: Switches = None


@dataclass(frozen=True)
class RunOptions(SourceOptions):
    """The options of `run`."""

    port: Port = 0
    output: Output = Path("lake-copy")
    report: Annotated[
        Path | None,
        typer.Option(help="File for the summary as JSON.", rich_help_panel=_RESULT),
    ] = None


@dataclass(frozen=True)
class UpOptions(SourceOptions):
    """The options of `up`."""

    port: Port = 0
    replay_queue_arns: Annotated[
        str, typer.Option(help="Queues that a replay may publish to, with commas between.")
    ] = ""
    schedule: Annotated[
        bool, typer.Option("--schedule/--no-schedule", help="Export every minute by itself.")
    ] = True


@dataclass(frozen=True)
class DemoOptions:
    """The options of `demo`."""

    entries: Entries = 5000
    seed: Seed = 1
    faulty: Faulty = 0
    burst: Burst = 0
    switch: Switches = None
    port: Port = 0
    output: Output = Path("demo-lake")
    report: Annotated[Path, typer.Option(help="File for the report.", rich_help_panel=_RESULT)] = (
        Path("demo-report.json")
    )


UpPort = Annotated[
    int,
    typer.Option(min=0, max=65535, help="Of a stack that `up` keeps up; 0 takes the only one."),
]


@dataclass(frozen=True)
class SendOptions:
    """The options of `send`."""

    command: Annotated[str, typer.Argument(help="JSON, or a file with it: see events/.")]
    port: UpPort = 0


@dataclass(frozen=True)
class ChangeOptions:
    """The options of `change`."""

    kind: Annotated[str, typer.Argument(help="insert, back-date, edit, delete or move.")]
    count: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many entries.")] = 1
    days: Annotated[
        int, typer.Option(min=1, max=36_500, help="Of the last how many days of data.")
    ] = 30
    port: UpPort = 0


@dataclass(frozen=True)
class StatusOptions:
    """The options of `status`."""

    html: Annotated[bool, typer.Option("--html", help="Write one page instead of text.")] = False
    output: Annotated[Path, typer.Option(help="File for the page.")] = Path("status.html")
    source: Annotated[
        str,
        typer.Option(
            "--from", help="A file with the answer of a stack on AWS to status; - reads it."
        ),
    ] = ""
    port: UpPort = 0


def with_flags[T](options: type[T], command: Callable[[T], None]) -> Callable[..., None]:
    """Wrap a command, so that Typer sees each field of its options as a parameter."""

    def call(**values: Any) -> None:
        command(options(**values))

    hints = get_type_hints(options, include_extras=True)
    parameters = [
        inspect.Parameter(
            option.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if option.default is MISSING else option.default,
            annotation=hints[option.name],
        )
        for option in fields(options)  # type: ignore[arg-type]  # every options class is a dataclass
    ]
    call.__name__, call.__doc__ = command.__name__, command.__doc__
    call.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # Typer reads it
    return call
