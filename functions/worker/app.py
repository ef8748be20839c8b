"""The worker's function: a message that names a page in, its objects and events out."""

from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.data_classes import SQSEvent, event_source
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from cpd_exporter import bootstrap
from cpd_exporter.claiming import WorkReport
from cpd_exporter.errors import ConfigurationError, ExporterError
from cpd_exporter.model.messages import read_work
from cpd_exporter.model.rows import Change
from cpd_exporter.sending import seconds_until_retry

ENOUGH_TO_JUDGE = 20
"""Known entries from which on a sweep's share of edited ones says something: if nearly all are
edited at once, a member is volatile that should be left out of the fingerprint."""

TIME_FOR_A_PAGE_MS = 60_000
"""What a replay or a verification needs left to begin with another page; the rest of it is the next
message's."""

logger = Logger(use_rfc3339=True, utc=True)
metrics = Metrics()
tracer = Tracer()


@logger.inject_lambda_context(clear_state=True)
@tracer.capture_lambda_handler(capture_response=False)
@metrics.log_metrics
@event_source(data_class=SQSEvent)
def handler(event: SQSEvent, context: LambdaContext) -> None:
    """Work off one message. A failure is raised, so that the queue keeps the message and its
    poller slows down; the message then waits as long as the failure calls for.
    """
    for record in event.records:
        _work(record, context)


def _work(record: SQSRecord, context: LambdaContext) -> None:
    try:
        work = read_work(record.body)
        logger.append_keys(work=work.model_dump(mode="json", by_alias=True))
        worker = bootstrap.worker()
        calls = worker.api.calls
        try:
            report = worker.work(
                work,
                may_go_on=lambda: context.get_remaining_time_in_millis() > TIME_FOR_A_PAGE_MS,
            )
        finally:
            metrics.add_metric("ApiCalls", MetricUnit.Count, worker.api.calls - calls)
    except ExporterError as error:
        receives = int(record.attributes.approximate_receive_count)
        seconds = seconds_until_retry(error, receives)
        logger.error(
            str(error), error=type(error).__name__, receives=receives, retry_in_seconds=seconds
        )
        metrics.add_metric("WorkFailed", MetricUnit.Count, 1)
        _postpone(record, seconds)
        if isinstance(error, ConfigurationError):
            bootstrap.forget()
        raise error from None
    _measure(report)
    if report.error is not None:
        metrics.add_metric("WorkFailed", MetricUnit.Count, 1)
        logger.error(str(report.error), error=type(report.error).__name__)
    logger.info(
        "page",
        outcome=report.outcome,
        told={change.value: count for change, count in report.told.items()},
        quarantined=report.quarantined,
        replayed=report.replayed,
        differences=report.differences,
        report=report.report,
    )


def _measure(report: WorkReport) -> None:
    for change in Change:
        name = f"Entries{change.capitalize()}"
        metrics.add_metric(name, MetricUnit.Count, report.told.get(change, 0))
    metrics.add_metric("EntriesQuarantined", MetricUnit.Count, report.quarantined)
    if report.replayed:
        metrics.add_metric("EntriesReplayed", MetricUnit.Count, report.replayed)
    if report.differences is not None:
        metrics.add_metric("VerifyDifferences", MetricUnit.Count, report.differences)
    if report.held:
        metrics.add_metric("DeletionsHeld", MetricUnit.Count, report.held)
    if report.known >= ENOUGH_TO_JUDGE:
        edited = 100 * report.told.get(Change.UPDATED, 0) / report.known
        metrics.add_metric("EditedPercent", MetricUnit.Percent, edited)


def _postpone(record: SQSRecord, seconds: int) -> None:
    try:
        bootstrap.pages_queue().postpone(record.receipt_handle, seconds)
    except ExporterError as error:
        # The queue's own visibility time-out applies then.
        logger.warning(str(error), error=type(error).__name__)
