"""The commands: `python -m local --help`."""

import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from rich import progress as bars
from rich.console import Console
from rich.text import Text

from cpd_exporter.model.options import Audience, Authentication, Environment, Scope
from local import lake
from local.driving import PATIENCE_SECONDS, Progress, export_all, invoke
from local.emulator import is_ready
from local.problem import UserError
from local.sources import Foreign, Source, simulated
from local.stack import Stack, at_port, deployed
from local.subscriber import Subscriber, subscribed
from local.summary import Summary
from local.template import check

_WATCH_SECONDS = 2

console = Console(stderr=True)
app = typer.Typer(
    help="The exporter on this machine: its own template, deployed into an emulated account.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

_SOURCE, _RESULT = "What to export", "What to make of it"

EnvironmentOption = Annotated[
    Environment | None,
    typer.Option("--environment", help="Export from the real service.", rich_help_panel=_SOURCE),
]
ApiUrl = Annotated[
    str,
    typer.Option(
        help="Export from any server that speaks this API: the part before /rest/v1 and "
        "/oauth2/token. Without it, and without --environment: from a simulator.",
        rich_help_panel=_SOURCE,
    ),
]
TenantId = Annotated[str, typer.Option(help="Asked for if missing.", rich_help_panel=_SOURCE)]
Auth = Annotated[
    Authentication,
    typer.Option(
        help="The secret comes from CPD_API_SECRET (basic), or CPD_CLIENT_ID and "
        "CPD_CLIENT_SECRET (oauth2), or is asked for.",
        rich_help_panel=_SOURCE,
    ),
]
ScopeOption = Annotated[Scope, typer.Option("--scope", rich_help_panel=_SOURCE)]
TokenAudience = Annotated[Audience, typer.Option(rich_help_panel=_SOURCE)]
FirstDate = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d"], help="First day to export (UTC).", rich_help_panel=_SOURCE),
]
SettleSeconds = Annotated[
    int | None,
    typer.Option(help="How long an entry may take to show up.", rich_help_panel=_SOURCE),
]
FilterTimeZone = Annotated[
    str | None,
    typer.Option(
        help="IANA time zone in which the API's filter reads dates.", rich_help_panel=_SOURCE
    ),
]
DeletionDelaySeconds = Annotated[
    int | None,
    typer.Option(
        help="How long an entry must be missing before a sweep tells its deletion.",
        rich_help_panel=_SOURCE,
    ),
]
Entries = Annotated[
    int, typer.Option(min=1, help="How many the simulator has.", rich_help_panel=_SOURCE)
]
Seed = Annotated[int, typer.Option(help="Decides the simulator's data.", rich_help_panel=_SOURCE)]
Port = Annotated[
    int, typer.Option(min=0, max=65535, help="The emulated account's; 0 takes a free one.")
]
Output = Annotated[
    Path, typer.Option(help="Folder for a copy of the lake.", rich_help_panel=_RESULT)
]


@dataclass(frozen=True)
class Choice:
    """Which API is exported, and how."""

    environment: Environment | None
    api_url: str
    tenant_id: str
    auth: Authentication
    scope: Scope
    token_audience: Audience
    first_date: datetime | None
    settle_seconds: int | None
    filter_time_zone: str | None
    deletion_delay_seconds: int | None
    entries: int = 5000
    seed: int = 1

    @contextlib.contextmanager
    def source(self) -> Iterator[Source]:
        """The real service, a named server, or for the time of this context a simulator."""
        parameters = self._parameters()
        check(parameters)
        if self.environment or self.api_url:
            environment = self.environment or Environment.PRODUCTION
            yield Foreign(environment, self.token_audience, self.scope, parameters, self._secret())
        elif self.tenant_id:
            raise UserError("--tenant-id needs --environment or --api-url beside it")
        else:
            oauth2 = self.auth is Authentication.OAUTH2
            with simulated(self.entries, self.seed, parameters, oauth2=oauth2) as simulator:
                yield simulator

    def _parameters(self) -> dict[str, str]:
        """Only what is given: the rest is the template's own defaults."""
        if self.first_date and self.first_date.replace(tzinfo=UTC) > datetime.now(UTC):
            raise UserError("--first-date is in the future: there is nothing to export")
        given = {
            "Environment": self.environment,
            "ApiUrl": self.api_url,
            "Authentication": self.auth,
            "Scope": self.scope,
            "TokenAudience": self.token_audience,
            "FirstDate": self.first_date and f"{self.first_date:%Y-%m-%d}",
            "SettleSeconds": self.settle_seconds,
            "FilterTimeZone": self.filter_time_zone,
            "DeletionDelaySeconds": self.deletion_delay_seconds,
        }
        return {name: str(value) for name, value in given.items() if value not in (None, "")}

    def _secret(self) -> dict[str, str]:
        secret = {"tenantId": self.tenant_id or _asked("--tenant-id", "Tenant ID", hidden=False)}
        if self.auth is Authentication.BASIC:
            return secret | {"apiSecret": _from_environment("CPD_API_SECRET", "API secret")}
        return secret | {
            "clientId": _from_environment("CPD_CLIENT_ID", "Client ID", hidden=False),
            "clientSecret": _from_environment("CPD_CLIENT_SECRET", "Client secret"),
        }


@app.command()
def run(
    environment: EnvironmentOption = None,
    api_url: ApiUrl = "",
    tenant_id: TenantId = "",
    auth: Auth = Authentication.BASIC,
    scope: ScopeOption = Scope.READ,
    token_audience: TokenAudience = Audience.PUBLIC,
    first_date: FirstDate = None,
    settle_seconds: SettleSeconds = None,
    filter_time_zone: FilterTimeZone = None,
    deletion_delay_seconds: DeletionDelaySeconds = None,
    entries: Entries = 5000,
    seed: Seed = 1,
    port: Port = 0,
    output: Output = Path("lake"),
    report: Annotated[
        Path | None,
        typer.Option(help="File for the summary as JSON.", rich_help_panel=_RESULT),
    ] = None,
) -> None:
    """Export everything once, check that nothing is missing, and copy the lake into a folder."""
    choice = Choice(
        environment,
        api_url,
        tenant_id,
        auth,
        scope,
        token_audience,
        first_date,
        settle_seconds,
        filter_time_zone,
        deletion_delay_seconds,
        entries,
        seed,
    )
    lake.check(output)
    with (
        choice.source() as source,
        _stack(source, port, {"ScheduleState": "DISABLED"}) as stack,
        subscribed(stack) as subscriber,
    ):
        summary = _export(stack, source, subscriber, output)
    summary.show(console, output)
    if report:
        _write(report, summary.as_json())
    summary.demand_completeness()


@app.command()
def demo(
    entries: Entries = 5000,
    seed: Seed = 1,
    port: Port = 0,
    output: Output = Path("demo-lake"),
    report: Annotated[
        Path, typer.Option(help="File for the report.", rich_help_panel=_RESULT)
    ] = Path("demo-report.json"),
) -> None:
    """Export a simulator's entries, and then again, which must find nothing new."""
    lake.check(output)
    with (
        simulated(entries, seed, {}, oauth2=False) as source,
        _stack(source, port, {"ScheduleState": "DISABLED"}) as stack,
        subscribed(stack) as subscriber,
    ):
        first = _export(stack, source, subscriber, output)
        console.print("Once more, which must find nothing new")
        second = _export(stack, source, subscriber, output)
    first.show(console, output)
    new = second.rows - first.rows + second.notifications - first.notifications
    console.print(f"New in the second run: {new}", highlight=False)
    _write(
        report,
        {
            "entriesInApi": first.entries_in_api,
            "entriesInLake": first.entries_in_lake,
            "distinctNotifications": first.distinct_notifications,
            "secondRunNewEntries": new,
            "apiCalls": first.api_calls,
            "objects": first.objects,
            "seconds": first.seconds,
        },
    )
    first.demand_completeness()
    if new:
        raise UserError("the second export found something new")


@app.command()
def up(
    environment: EnvironmentOption = None,
    api_url: ApiUrl = "",
    tenant_id: TenantId = "",
    auth: Auth = Authentication.BASIC,
    scope: ScopeOption = Scope.READ,
    token_audience: TokenAudience = Audience.PUBLIC,
    first_date: FirstDate = None,
    settle_seconds: SettleSeconds = None,
    filter_time_zone: FilterTimeZone = None,
    deletion_delay_seconds: DeletionDelaySeconds = None,
    entries: Entries = 5000,
    seed: Seed = 1,
    port: Port = 0,
    replay_queue_arns: Annotated[
        str, typer.Option(help="Queues that a replay may announce to, with commas between.")
    ] = "",
    schedule: Annotated[
        bool, typer.Option("--schedule/--no-schedule", help="Export every minute by itself.")
    ] = True,
) -> None:
    """Keep the stack up until interrupted; when it is ready, one line of JSON says where."""
    choice = Choice(
        environment,
        api_url,
        tenant_id,
        auth,
        scope,
        token_audience,
        first_date,
        settle_seconds,
        filter_time_zone,
        deletion_delay_seconds,
        entries,
        seed,
    )
    state = {
        "ScheduleState": "ENABLED" if schedule else "DISABLED",
        "Schedule": "rate(1 minute)",
    }
    if replay_queue_arns:
        state["ReplayQueueArns"] = replay_queue_arns
    with choice.source() as source, _stack(source, port, state) as stack:
        account = stack.account
        console.print(
            "Ready; Ctrl-C ends it. Clients need AWS_ACCESS_KEY_ID=test, "
            "AWS_SECRET_ACCESS_KEY=test and what the next line names.",
            soft_wrap=True,
        )
        ready = {
            "ready": True,
            "endpoint": account.endpoint,
            "region": account.region,
            "outputs": stack.outputs,
        }
        with contextlib.suppress(_Interrupted):
            print(json.dumps(ready), flush=True)
            while is_ready(account.endpoint):
                time.sleep(_WATCH_SECONDS)
            raise UserError(f"MiniStack ended (its log: {stack.log})")


@app.command()
def send(
    command: Annotated[str, typer.Argument(help="JSON, or a file with it: see events/.")],
    port: Annotated[int, typer.Option(min=1, max=65535, help="Of the stack that `up` keeps up.")],
) -> None:
    """Send a command to the planner of a stack that is up, and print its answer."""
    answer = invoke(at_port(port), _event(command))
    print(json.dumps(answer, indent=2))
    if error := answer.get("error"):
        raise UserError(error["message"])


def _event(command: str) -> dict[str, Any]:
    try:
        is_json = command.lstrip().startswith("{")
        event = json.loads(command if is_json else Path(command).read_text("utf-8"))
    except OSError as error:
        raise UserError(f"the command is neither a JSON object nor a file: {error}") from None
    except ValueError as error:
        raise UserError(f"the command is not JSON: {error}") from None
    if not isinstance(event, dict):
        raise UserError("the command is not a JSON object: see events/")
    return event


@contextlib.contextmanager
def _stack(source: Source, port: int, parameters: dict[str, str]) -> Iterator[Stack]:
    """A stack that exports the source, its secret filled."""
    started_at = time.monotonic()

    def say(what: str) -> None:
        console.print(f"[dim]{time.monotonic() - started_at:5.1f} s[/]  {what}", highlight=False)

    with deployed({**source.parameters, **parameters}, port=port, say=say) as stack:
        stack.put_secret(source.secret)
        say(f"The stack is up at {stack.account.endpoint}")
        yield stack


def _export(stack: Stack, source: Source, subscriber: Subscriber, output: Path) -> Summary:
    """Export all there is by now, and hold what arrived against the source."""
    calls_before, started_at = source.calls(stack), time.monotonic()
    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TimeElapsedColumn(),
    )
    with bars.Progress(*columns, console=console) as display:
        pages = display.add_task("Pages", total=None)
        received = display.add_task("Notifications", total=None)

        def show(progress: Progress) -> None:
            display.update(pages, completed=progress.done, total=progress.done + progress.waiting)
            display.update(received, completed=len(subscriber.events))

        progress = export_all(stack, show=show, patience=PATIENCE_SECONDS)
        copy = lake.copy(stack, output)
        display.update(received, total=copy.rows.total())
        subscriber.await_events(
            copy.rows.total(), lambda count: display.update(received, completed=count)
        )
    seconds, calls = time.monotonic() - started_at, source.calls(stack) - calls_before
    comparison = source.compare(stack, progress, copy.rows.keys())
    return Summary.of(progress, copy, subscriber, comparison, api_calls=calls, seconds=seconds)


def _write(path: Path, report: dict[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=2) + "\n")
    console.print(f"The report is in {path}", highlight=False)


def _from_environment(variable: str, name: str, *, hidden: bool = True) -> str:
    return os.environ.get(variable) or _asked(variable, name, hidden=hidden)


def _asked(given_by: str, name: str, *, hidden: bool) -> str:
    if not sys.stdin.isatty():
        raise UserError(f"{name} is missing: give it by {given_by}")
    return str(typer.prompt(name, hide_input=hidden, err=True))


class _Interrupted(SystemExit):
    """Ctrl-C, or a signal to end."""


def _interrupt(number: int, _frame: FrameType | None) -> None:
    # What follows is the way out, which a second Ctrl-C must not cut short.
    for end in _ENDS:
        signal.signal(end, signal.SIG_IGN)
    raise _Interrupted(128 + number)


_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> None:
    for end in _ENDS:
        signal.signal(end, _interrupt)
    try:
        app()
    except UserError as problem:
        message = Text.assemble(("Error: ", "bold red"), str(problem))
        console.print(message, soft_wrap=True)
        sys.exit(1)
