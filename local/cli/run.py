"""`python -m local run`: one export, checked and copied into a folder."""

from local import lake
from local.cli.checked_export import export_and_check, stack_for
from local.cli.chosen_source import chosen_source
from local.cli.console import check_report, console, write_report
from local.cli.options import RunOptions
from local.subscriber import subscribed


def run(options: RunOptions) -> None:
    """Export everything once, check that nothing is missing, and copy the lake into a folder."""
    lake.check(options.output)
    if options.report:
        check_report(options.report)
    with (
        chosen_source(options) as source,
        stack_for(source, options.port, {"ScheduleState": "DISABLED"}) as stack,
        subscribed(stack) as subscriber,
    ):
        summary = export_and_check(stack, source, subscriber, options.output)
    summary.show(console, options.output)
    if options.report:
        write_report(options.report, summary.as_json())
    summary.demand_completeness()
    console.print(
        f"Next: look at {options.output}/entries/, keep a stack up with `make up`, or deploy it to "
        "AWS (README, Deploy it)",
        highlight=False,
        soft_wrap=True,
    )
