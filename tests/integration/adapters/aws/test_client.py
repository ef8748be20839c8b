"""What the adapters make of AWS's errors, and of work in parallel."""

from collections.abc import Callable

import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError
from botocore.stub import Stubber

from cpd_exporter.adapters.aws.client import in_parallel, translated
from cpd_exporter.adapters.aws.lake import S3Lake
from cpd_exporter.adapters.aws.queue import SqsQueue
from cpd_exporter.adapters.aws.timeline import DynamoDbTimeline
from cpd_exporter.adapters.aws.topic import SnsTopic
from cpd_exporter.errors import ConfigurationError, TransientError
from cpd_exporter.model.page import (
    Page,
)
from cpd_exporter.model.sweep_request import SweepRequest
from cpd_exporter.model.window import Window
from tests.contracts.account import BUCKET, TABLE, MotoAccount
from tests.support.aws import DAY, START, WATERMARK, numbered_events, works_of

PAGE = Page(Window(START, START + DAY), 1, "timeline", "planned")


CALLS: dict[str, tuple[str, str, Callable[[MotoAccount], object]]] = {
    "dynamodb:GetItem": (
        "dynamodb",
        "get_item",
        lambda a: DynamoDbTimeline(a.dynamodb, TABLE, "t").page(START),
    ),
    "dynamodb:Query": (
        "dynamodb",
        "query",
        lambda a: list(DynamoDbTimeline(a.dynamodb, TABLE, "t").undone()),
    ),
    "dynamodb:PutItem": (
        "dynamodb",
        "put_item",
        lambda a: DynamoDbTimeline(a.dynamodb, TABLE, "t").begin(WATERMARK),
    ),
    "dynamodb:UpdateItem": (
        "dynamodb",
        "update_item",
        lambda a: DynamoDbTimeline(a.dynamodb, TABLE, "t").mark_sent([PAGE], START),
    ),
    "dynamodb:DeleteItem": (
        "dynamodb",
        "delete_item",
        lambda a: DynamoDbTimeline(a.dynamodb, TABLE, "t").drop_sweep_request(
            SweepRequest(START, START)
        ),
    ),
    "dynamodb:TransactWriteItems": (
        "dynamodb",
        "transact_write_items",
        lambda a: DynamoDbTimeline(a.dynamodb, TABLE, "t").append([PAGE], after=START),
    ),
    "s3:PutObject": ("s3", "put_object", lambda a: S3Lake(a.s3, BUCKET).put_new("k", b"")),
    "s3:GetObject": ("s3", "get_object", lambda a: S3Lake(a.s3, BUCKET).read("k")),
    "sqs:SendMessage": (
        "sqs",
        "send_message_batch",
        lambda a: SqsQueue(a.sqs, a.queue_url).send(works_of(1)),
    ),
    "sqs:ChangeMessageVisibility": (
        "sqs",
        "change_message_visibility",
        lambda a: SqsQueue(a.sqs, a.queue_url).postpone("r", 1),
    ),
    "sns:Publish": (
        "sns",
        "publish_batch",
        lambda a: SnsTopic(a.sns, a.topic_arn).publish(numbered_events(1)),
    ),
}


class TestErrors:
    """Every call, refused in every way."""

    @pytest.mark.parametrize("action", CALLS)
    @pytest.mark.parametrize(
        ("code", "error"),
        [
            ("AccessDenied", ConfigurationError),
            ("AccessDeniedException", ConfigurationError),
            ("ResourceNotFoundException", ConfigurationError),
            ("ThrottlingException", TransientError),
            ("InternalServerError", TransientError),
            ("SomethingNewException", TransientError),
        ],
    )
    def test_refusals_name_the_action(
        self, account: MotoAccount, action: str, code: str, error: type[Exception]
    ) -> None:
        service, operation, call = CALLS[action]
        with Stubber(getattr(account, service)) as stub:
            stub.add_client_error(operation, code, "User: x is not authorized")
            with pytest.raises(error, match=f"{action}.*{code}") as raised:
                call(account)
        assert type(raised.value) is error
        asks_an_operator = "allow the function's role this action" in str(raised.value)
        assert asks_an_operator == (error is ConfigurationError)

    def test_no_connection(self) -> None:
        with (
            pytest.raises(TransientError, match="EndpointConnectionError"),
            translated("s3:GetObject", "s3://b/k"),
        ):
            raise EndpointConnectionError(endpoint_url="https://example.org")

    def test_no_credentials(self) -> None:
        with (
            pytest.raises(ConfigurationError, match="credentials"),
            translated("s3:GetObject", "s3://b/k"),
        ):
            raise NoCredentialsError

    def test_the_table_is_missing(self, account: MotoAccount) -> None:
        with pytest.raises(ConfigurationError, match="nowhere"):
            DynamoDbTimeline(account.dynamodb, "nowhere", "t").watermark()


def test_after_an_error_nothing_more_is_begun() -> None:
    begun: list[int] = []

    def call(item: int) -> None:
        begun.append(item)
        raise TransientError("an outage")

    with pytest.raises(TransientError):
        in_parallel(call, range(1000), threads=1)
    assert len(begun) < 1000


def test_results_come_in_the_order_of_the_items() -> None:
    assert in_parallel(lambda n: n * n, range(100)) == [n * n for n in range(100)]
