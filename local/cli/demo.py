"""`python -m local demo`: two exports of a simulator, and a sweep of what changed since."""

import time

from local import lake
from local.cli.checked_export import export_and_check, stack_for
from local.cli.chosen_source import made_by
from local.cli.console import check_report, console, write_report
from local.cli.options import DemoOptions
from local.driver import invoke, read_status
from local.errors import UserError
from local.sources import SimulatedSource, simulated
from local.stack.deploy import DeployedStack
from local.subscriber import Subscriber, subscribed
from simulator import ScheduledChange

CHANGES = {"edit": 3, "delete": 2, "back-date": 4}
"""What the demonstration changes, in as many entries."""
_DAYS = 40
_MAX_SWEEP_SECONDS = 600


def demo(options: DemoOptions) -> None:
    """Export a simulator's entries, then again, which must find nothing new; then sweep."""
    output = options.output
    lake.check(output)
    check_report(options.report)
    with (
        simulated(made_by(options), {}, oauth2=False) as source,
        stack_for(
            source, options.port, {"ScheduleState": "DISABLED", "DeletionDelaySeconds": "0"}
        ) as stack,
        subscribed(stack) as subscriber,
    ):
        first = export_and_check(stack, source, subscriber, output)
        console.print("Once more, which must find nothing new")
        second = export_and_check(stack, source, subscriber, output)
        found, wanted = _change_and_sweep(stack, source, subscriber)
    first.show(console, output)
    new = second.rows - first.rows + second.notifications - first.notifications
    console.print(f"New in the second run: {new}", highlight=False)
    write_report(
        options.report,
        {
            "entriesInApi": first.entries_in_api,
            "entriesInLake": first.entries_in_lake,
            "distinctNotifications": first.distinct_notifications,
            "secondRunNewEntries": new,
            "sweptChanges": found,
            "apiCalls": first.api_calls,
            "objects": first.objects,
            "seconds": first.seconds,
        },
    )
    first.demand_completeness()
    if new:
        raise UserError(
            f"the second export found {new} new rows or notifications: compare the two in the lake "
            f"under {output}"
        )
    if found != wanted:
        raise UserError(f"the sweeps published {found} of {wanted} changes")
    console.print("Next: keep a stack up with `make up`, or deploy to AWS (README, Deploy it)")


def _change_and_sweep(
    stack: DeployedStack, source: SimulatedSource, subscriber: Subscriber
) -> tuple[int, int]:
    """Change exported entries and sweep twice; returns how many events came, and how many should.

    A deletion is believed when two sweeps have missed the entry.
    """
    before, store = len(subscriber.events), source.simulator.store
    entries = {one.log_entry_id: one for one in store}
    for kind, count in CHANGES.items():
        made = ScheduledChange.model_validate({"kind": kind, "count": count})
        source.simulator.change(made, _DAYS)
    what = ", ".join(f"{count} {kind}" for kind, count in CHANGES.items())
    console.print(f"Changed in the API ({what}), and now two sweeps", highlight=False)
    after = {one.log_entry_id: one for one in store}
    wanted = sum(entries.get(id_) != after.get(id_) for id_ in entries.keys() | after.keys())
    for _ in range(2):
        invoke(stack, {"command": "sweep", "lookback": f"P{_DAYS + 1}D"})
        deadline = time.monotonic() + _MAX_SWEEP_SECONDS
        while time.monotonic() < deadline:
            status = read_status(stack)
            if not any(status["sweeps"].values()) and not status["jobs"]:
                break
            invoke(stack, {"command": "export"})
            time.sleep(1)
    subscriber.await_events(before + wanted, lambda _: None)
    found = len(subscriber.events) - before
    console.print(f"Changes published by the sweeps: {found} of {wanted}", highlight=False)
    return found, wanted
