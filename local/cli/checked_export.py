"""One export from beginning to end, as `run` and `demo` show it."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from rich import progress as bars

from cpd_exporter.planner.summary import age
from local import lake
from local.cli.console import console
from local.driver import Progress, SecretError, export_all
from local.errors import UserError
from local.sources import ExportSource
from local.stack.deploy import DeployedStack, deployed
from local.subscriber import Subscriber
from local.summary import Summary

SECONDS_BETWEEN_LINES = 30


@contextlib.contextmanager
def stack_for(
    source: ExportSource, port: int, parameters: dict[str, str]
) -> Iterator[DeployedStack]:
    """Deploy a stack that exports the source, and fill its secret."""
    columns = (
        bars.SpinnerColumn(),
        bars.TimeElapsedColumn(),
        bars.TextColumn("{task.description}"),
    )
    with contextlib.ExitStack() as held:
        with bars.Progress(*columns, console=console) as display:
            task = display.add_task("", total=None)

            def say(what: str) -> None:
                display.update(task, description=what)
                if not console.is_terminal:
                    console.print(what, highlight=False)

            everything = {**source.parameters, **parameters}
            stack = held.enter_context(deployed(everything, port=port, say=say))
            stack.put_secret(source.secret)
            say(f"The stack is up at {stack.account.endpoint}")
        yield stack


def export_and_check(
    stack: DeployedStack, source: ExportSource, subscriber: Subscriber, output: Path
) -> Summary:
    """Export every entry up to now, and compare lake and notifications with the source."""
    calls_before, started_at = source.count_calls(stack), time.monotonic()
    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TimeElapsedColumn(),
        bars.TimeRemainingColumn(),
    )
    with bars.Progress(*columns, console=console) as display:
        # Months without entries take no time, so a bar of the time would jump.
        total = source.count_entries(stack)
        received = display.add_task("Entries received", total=total)
        shown_at = [started_at]

        def show(_: Progress) -> None:
            count, now = len(subscriber.events), time.monotonic()
            display.update(received, completed=count)
            # A bar needs a terminal.
            if not console.is_terminal and now - shown_at[0] >= SECONDS_BETWEEN_LINES:
                shown_at[0] = now
                of = f" of {total:,}" if total is not None else ""
                console.print(f"{count:,}{of} entries received after {age(now - started_at)}")

        try:
            progress = export_all(stack, show=show)
        except SecretError as error:
            raise UserError(
                f"{source.secret_names} gave no secret that the API takes: {error}"
            ) from None
        copying = display.add_task("Copying the lake", total=None)
        copy = lake.copy(stack, output)
        display.update(copying, total=copy.objects, completed=copy.objects)
        display.update(received, total=copy.rows.total())
        subscriber.await_events(
            copy.rows.total(), lambda count: display.update(received, completed=count)
        )
    seconds = time.monotonic() - started_at
    api_calls = source.count_calls(stack) - calls_before
    comparison = source.compare(stack, progress, copy.rows.keys())
    return Summary.of(progress, copy, subscriber, comparison, api_calls=api_calls, seconds=seconds)
