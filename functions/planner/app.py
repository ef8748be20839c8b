"""The planner's function: a command in, an answer out."""

import warnings
from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from cpd_exporter import bootstrap
from cpd_exporter.errors import (
    ConfigurationError,
    ExporterError,
    MalformedInputError,
    NotSetUpError,
)
from cpd_exporter.model.command import Command, Status, read_command
from cpd_exporter.planner.month_table import read_months
from cpd_exporter.planner.planner import Planner
from cpd_exporter.planner.report import Answer
from cpd_exporter.planner.status import answer_json, read_status, tick_fields, tick_metrics
from cpd_exporter.planner.summary import summarise

# The client of `sam remote invoke` waits for a minute and then invokes again, so a tick ends within
# 45 seconds of its 50: it calls the API for 15, waits for the last answer until 30, and begins
# nothing else that takes long after 25.
TIME_TO_FINISH_MS = 25_000
"""What a tick needs left to begin with more work: to send, and to move the watermark."""

SECONDS_LEFT_TO_ASK = 35
SECONDS_LEFT_AFTER_ANSWER = 20
"""What a tick needs left to call the API once more, and has left when it awaits no answer."""

# Each metric costs, so most invocations emit none or one.
warnings.filterwarnings("ignore", message="No application metrics to publish")

_unstored_error: list[str] = []
"""Why this environment's last tick ended before it could store its own end, if it did."""

logger = Logger(use_rfc3339=True, utc=True)
metrics = Metrics()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
def handler(event: Any, context: LambdaContext) -> dict[str, Any]:
    """Run one command.

    A schedule has nobody to read a stack trace. So a failure that an operator must mend is
    answered, logged once and counted as ``TickFailed``; the sender of a malformed command reads the
    answer, so nothing counts it.
    """
    logger.append_keys(tick=context.aws_request_id)
    command: Command | None = None
    try:
        command = read_command(event)
        planner = bootstrap.planner()
        if isinstance(command, Status):
            return _status(planner, command)
        seconds = context.get_remaining_time_in_millis() / 1000
        bootstrap.planner_pace().limit(
            closes_in=seconds - SECONDS_LEFT_TO_ASK, ends_in=seconds - SECONDS_LEFT_AFTER_ANSWER
        )
        answer = planner.handle(command, has_time_left=lambda: _has_time_left(context))
    except NotSetUpError as error:
        return _wait_for_secret(str(error), is_look=isinstance(command, Status))
    except ExporterError as error:
        if isinstance(command, Status):
            return _answer_blind(error)
        return _answer(Answer(error=error))
    _unstored_error[:] = [] if answer.tick else [str(answer.error)]
    logger.append_keys(apiCalls=answer.api_calls)
    if answer.tick is not None:
        now = planner.clock()
        logger.append_keys(command=command.command, **tick_fields(answer.tick, now))
        for name, value in tick_metrics(answer.tick, now).items():
            unit = MetricUnit.Seconds if name.endswith("Seconds") else MetricUnit.Count
            metrics.add_metric(name, unit, value)
    return _answer(answer)


def _status(planner: Planner, command: Status) -> dict[str, Any]:
    """Answer with the state. Looking raises no alarm: it emits no metric."""
    status, now = read_status(planner.timeline, planner.queue, planner.clock), planner.clock()
    if _unstored_error and status["lastTick"]:
        status["lastTick"]["error"] = _unstored_error[0]
    if command.months:
        status["months"] = read_months(planner.timeline)
    return {"summary": summarise(status, now), "tenants": [status]}


def _answer_blind(error: ExporterError) -> dict[str, Any]:
    """Answer to a look that failed: the reason is what there is to see."""
    logger.warning(str(error), error=type(error).__name__)
    if isinstance(error, ConfigurationError):
        bootstrap.discard()
    return {"summary": f"attention: {error}"} | answer_json(Answer(error=error))


def _has_time_left(context: LambdaContext) -> bool:
    return context.get_remaining_time_in_millis() > TIME_TO_FINISH_MS


def _wait_for_secret(remedy: str, *, is_look: bool) -> dict[str, Any]:
    """Answer for a new stack, which lags behind nothing: nobody has to be called at night."""
    _say_once(remedy)
    if not is_look:
        metrics.add_metric("LagSeconds", MetricUnit.Seconds, 0)
    return {"summary": remedy, "tenants": [], "notSetUp": remedy}


@cache
def _say_once(remedy: str) -> None:
    logger.warning(remedy)


def _answer(answer: Answer) -> dict[str, Any]:
    """Log and count the outcome, and write the answer."""
    error, body = answer.error, answer_json(answer)
    if error is None:
        logger.info("tick", **body["tenants"][0])
        return body
    if not isinstance(error, MalformedInputError):
        metrics.add_metric("TickFailed", MetricUnit.Count, 1)
    logger.error(str(error), error=type(error).__name__, accepted=dict(answer.accepted))
    if isinstance(error, ConfigurationError):
        bootstrap.discard()
    return body
