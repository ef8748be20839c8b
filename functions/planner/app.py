"""The planner's function: a command in, an answer out."""

from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from cpd_exporter import bootstrap
from cpd_exporter.errors import ConfigurationError, ExporterError, MalformedInputError
from cpd_exporter.model.command import Command, Status, read_command
from cpd_exporter.planner.planner import Answer
from cpd_exporter.planner.status import answer_json, read_status, tick_metrics

# The client of `sam remote invoke` waits for a minute and then invokes again, so a tick ends within
# 45 seconds of its 50: it calls the API for 15, waits for the last answer until 30, and begins
# nothing else that takes long after 25.
TIME_TO_FINISH_MS = 25_000
"""What a tick needs left to begin with more work: to send, and to move the watermark."""

SECONDS_LEFT_TO_ASK = 35
SECONDS_LEFT_AFTER_ANSWER = 20
"""What a tick needs left to call the API once more, and has left when it awaits no answer."""

logger = Logger(use_rfc3339=True, utc=True)
metrics = Metrics()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: Any, context: LambdaContext) -> dict[str, Any]:
    """Run one command.

    A schedule has nobody to read a stack trace. So a failure that an operator must mend is
    answered, logged once and counted as ``TickFailed``; a malformed command counts as
    ``CommandRefused``, since its sender reads the answer.
    """
    logger.append_keys(tick=context.aws_request_id)
    metrics.add_metric("Commands", MetricUnit.Count, 1)
    try:
        command = read_command(event)
        planner = bootstrap.planner()
        if isinstance(command, Status):
            return {"tenants": [read_status(planner.timeline, planner.clock)]}
        seconds = context.get_remaining_time_in_millis() / 1000
        bootstrap.planner_pace().limit(
            closes_in=seconds - SECONDS_LEFT_TO_ASK, ends_in=seconds - SECONDS_LEFT_AFTER_ANSWER
        )
        answer = planner.handle(command, has_time_left=lambda: _has_time_left(context))
    except ExporterError as error:
        return _answer(Answer(error=error))
    metrics.add_metric("ApiCalls", MetricUnit.Count, answer.api_calls)
    if answer.tick is not None:
        for name, value in tick_metrics(answer.tick, planner.clock()).items():
            unit = MetricUnit.Seconds if name.endswith("Seconds") else MetricUnit.Count
            metrics.add_metric(name, unit, value)
    return _answer(answer, command)


def _has_time_left(context: LambdaContext) -> bool:
    return context.get_remaining_time_in_millis() > TIME_TO_FINISH_MS


def _answer(answer: Answer, command: Command | None = None) -> dict[str, Any]:
    """Log and count the outcome, and write the answer."""
    error, body = answer.error, answer_json(answer)
    is_refused = isinstance(error, MalformedInputError)
    metric = "CommandRefused" if is_refused else "TickFailed"
    metrics.add_metric(metric, MetricUnit.Count, int(error is not None))
    if error is None and command is not None:
        logger.info("tick", command=command.command, **body["tenants"][0])
    else:
        name = type(error).__name__
        logger.error(str(error), error=name, accepted=dict(answer.accepted))
    if isinstance(error, ConfigurationError):
        bootstrap.discard()
    return body
