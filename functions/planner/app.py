"""The planner's function: a command in, what was done out."""

from typing import Any

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from cpd_exporter import bootstrap, reporting
from cpd_exporter.errors import ConfigurationError, ExporterError, MalformedInputError
from cpd_exporter.model.messages import Command, Status, read_command
from cpd_exporter.planning import Planner

TIME_TO_FINISH_MS = 40_000
"""What a tick needs after its last page was planned: to send, and to move the watermark."""

logger = Logger(use_rfc3339=True, utc=True)
metrics = Metrics()
tracer = Tracer()


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
def handler(event: Any, context: LambdaContext) -> dict[str, Any]:
    """Run one command. What an operator must mend is answered, logged once and counted as
    ``TickFailed``, not raised: a schedule has nobody to read a stack trace. A malformed command
    counts as ``CommandRefused``: whoever sent it reads the answer. A command that was ``taken``
    before its tick failed is carried out by later ticks.
    """
    logger.append_keys(tick=context.aws_request_id)
    metrics.add_metric("Commands", MetricUnit.Count, 1)
    taken: dict[str, Any] = {}
    try:
        command = read_command(event)
        planner = bootstrap.planner()
        if isinstance(command, Status):
            return {"tenants": [reporting.status(planner.timeline, planner.clock)]}
        calls = planner.api.calls
        try:
            taken = bootstrap.commander().take(command)
            return {"tenants": [_tick(planner, command, taken, context)]}
        finally:
            metrics.add_metric("ApiCalls", MetricUnit.Count, planner.api.calls - calls)
    except MalformedInputError as error:
        metrics.add_metric("CommandRefused", MetricUnit.Count, 1)
        return _failed(error, taken)
    except ExporterError as error:
        metrics.add_metric("TickFailed", MetricUnit.Count, 1)
        if isinstance(error, ConfigurationError):
            bootstrap.forget()
        return _failed(error, taken)


def _failed(error: ExporterError, taken: dict[str, Any]) -> dict[str, Any]:
    logger.error(str(error), error=type(error).__name__, taken=taken)
    answer: dict[str, Any] = {"error": {"type": type(error).__name__, "message": str(error)}}
    return answer | ({"taken": taken} if taken else {})


def _tick(
    planner: Planner, command: Command, taken: dict[str, Any], context: LambdaContext
) -> dict[str, Any]:
    """Run a tick, which begins to carry out the command that was taken."""
    report = planner.tick(
        may_go_on=lambda: context.get_remaining_time_in_millis() > TIME_TO_FINISH_MS
    )
    now = planner.clock()
    result = reporting.tick_result(report) | taken
    metrics.add_metric("PagesPlanned", MetricUnit.Count, report.planned)
    metrics.add_metric("PagesSent", MetricUnit.Count, report.sent)
    metrics.add_metric("PagesUndone", MetricUnit.Count, report.undone)
    metrics.add_metric("Holes", MetricUnit.Count, report.holes)
    lag = reporting.age_seconds(report.exported_through, now)
    metrics.add_metric("LagSeconds", MetricUnit.Seconds, lag)
    hole_age = reporting.age_seconds(report.oldest_hole or now, now)
    metrics.add_metric("HoleAgeSeconds", MetricUnit.Seconds, hole_age)
    if report.error is not None:
        raise report.error
    metrics.add_metric("TickFailed", MetricUnit.Count, 0)
    logger.info("tick", command=command.command, **result)
    return result
