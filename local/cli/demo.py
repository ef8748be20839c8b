"""`python -m local demo`: two exports of a simulator, the second of which finds nothing new."""

from local import lake
from local.cli.checked_export import export_and_check, stack_for
from local.cli.console import console, write_report
from local.cli.options import DemoOptions
from local.errors import UserError
from local.sources import simulated
from local.subscriber import subscribed


def demo(options: DemoOptions) -> None:
    """Export a simulator's entries, and then again, which must find nothing new."""
    output = options.output
    lake.check(output)
    with (
        simulated(options.entries, options.seed, {}, oauth2=False) as source,
        stack_for(source, options.port, {"ScheduleState": "DISABLED"}) as stack,
        subscribed(stack) as subscriber,
    ):
        first = export_and_check(stack, source, subscriber, output)
        console.print("Once more, which must find nothing new")
        second = export_and_check(stack, source, subscriber, output)
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
