"""The worker's function: a message that names a piece of work in, objects and events out."""

import warnings

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.data_classes import SQSEvent, event_source
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from cpd_exporter import bootstrap
from cpd_exporter.errors import ConfigurationError, ExporterError
from cpd_exporter.model.message import read_message
from cpd_exporter.worker.backoff import is_resent, seconds_until_retry
from cpd_exporter.worker.context import WorkReport
from cpd_exporter.worker.metrics import report_fields, report_metrics

TIME_FOR_A_PAGE_MS = 120_000
"""What a worker needs left to begin with another page of a job, or with more of a dense page.

The next message goes on with the rest.
"""

# Each metric costs, so most invocations emit none.
warnings.filterwarnings("ignore", message="No application metrics to publish")

logger = Logger(use_rfc3339=True, utc=True)
metrics = Metrics()


@logger.inject_lambda_context(clear_state=True)
@metrics.log_metrics
@event_source(data_class=SQSEvent)
def handler(event: SQSEvent, context: LambdaContext) -> None:
    """Work off one message.

    A failure of the work's own is raised, so that the queue keeps the message and its poller slows
    down. The message then waits as long as the failure calls for. In an outage, the message is
    dropped: the planner sends the work again.
    """
    for record in event.records:
        try:
            report = _work(record, context)
        except ExporterError as error:
            if is_resent(error):
                _drop(error)
                continue
            _fail(record, error)
            raise error from None
        _log(report)


def _work(record: SQSRecord, context: LambdaContext) -> WorkReport:
    message = read_message(record.body)
    logger.append_keys(work=message.model_dump(mode="json", by_alias=True))
    worker = bootstrap.worker()
    api = worker.context.api
    calls = api.calls
    try:
        return worker.handle(message, has_time_left=lambda: _has_time_left(context))
    finally:
        logger.append_keys(apiCalls=api.calls - calls)


def _has_time_left(context: LambdaContext) -> bool:
    return context.get_remaining_time_in_millis() > TIME_FOR_A_PAGE_MS


def _drop(error: ExporterError) -> None:
    """Log an outage, whose end the planner finds. The watermark's lag alarms if it lasts."""
    logger.error(str(error), error=type(error).__name__)
    if isinstance(error, ConfigurationError):
        bootstrap.discard()


def _fail(record: SQSRecord, error: ExporterError) -> None:
    """Log a failure, which Lambda counts, and let the message wait."""
    receives = int(record.attributes.approximate_receive_count)
    seconds = seconds_until_retry(error, receives)
    name = type(error).__name__
    logger.error(str(error), error=name, receives=receives, retry_in_seconds=seconds)
    try:
        bootstrap.work_queue().postpone(record.receipt_handle, seconds)
    except ExporterError as failure:
        # The queue's own visibility time-out applies then.
        logger.warning(str(failure), error=type(failure).__name__)


def _log(report: WorkReport) -> None:
    for name, value in report_metrics(report).items():
        unit = MetricUnit.Percent if name.endswith("Percent") else MetricUnit.Count
        metrics.add_metric(name, unit, value)
    logger.info("work", **report_fields(report))
    if report.error is not None:
        # The line above counts the calls already.
        logger.remove_keys(["apiCalls"])
        logger.error(str(report.error), error=type(report.error).__name__)
