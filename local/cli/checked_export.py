"""One export from beginning to end, as `run` and `demo` show it."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path

from rich import progress as bars

from local import lake
from local.cli.console import console
from local.driver import Progress, export_all
from local.sources import ExportSource
from local.stack.deploy import DeployedStack, deployed
from local.subscriber import Subscriber
from local.summary import Summary


@contextlib.contextmanager
def stack_for(
    source: ExportSource, port: int, parameters: dict[str, str]
) -> Iterator[DeployedStack]:
    """Deploy a stack that exports the source, and fill its secret."""
    started_at = time.monotonic()

    def say(what: str) -> None:
        console.print(f"[dim]{time.monotonic() - started_at:5.1f} s[/]  {what}", highlight=False)

    with deployed({**source.parameters, **parameters}, port=port, say=say) as stack:
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
    )
    with bars.Progress(*columns, console=console) as display:
        exported = display.add_task("Percent of the time", total=100)
        received = display.add_task("Notifications", total=None)

        def show(progress: Progress) -> None:
            display.update(exported, completed=progress.exported_percent)
            display.update(received, completed=len(subscriber.events))

        progress = export_all(stack, show=show)
        copy = lake.copy(stack, output)
        display.update(received, total=copy.rows.total())
        subscriber.await_events(
            copy.rows.total(), lambda count: display.update(received, completed=count)
        )
    seconds = time.monotonic() - started_at
    api_calls = source.count_calls(stack) - calls_before
    comparison = source.compare(stack, progress, copy.rows.keys())
    return Summary.of(progress, copy, subscriber, comparison, api_calls=api_calls, seconds=seconds)
