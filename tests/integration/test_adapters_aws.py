"""What only the real adapters can show: lost answers, partial failures, refusals, limits."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError
from botocore.stub import Stubber

from cpd_exporter.adapters.aws.client import in_parallel, translated
from cpd_exporter.adapters.aws.lake import S3Lake
from cpd_exporter.adapters.aws.queue import MAX_POSTPONEMENT_SECONDS, SqsQueue
from cpd_exporter.adapters.aws.timeline import DynamoDbTimeline
from cpd_exporter.adapters.aws.topic import MAX_MESSAGE_BYTES, SnsTopic, batches, size
from cpd_exporter.errors import ConfigurationError, TransientError
from cpd_exporter.model.breaker import Breaker, BreakerChange, DayCount
from cpd_exporter.model.event import Event
from cpd_exporter.model.job import Job, JobKind
from cpd_exporter.model.message import PageMessage
from cpd_exporter.model.page import (
    ConditionalWrite,
    Page,
    PageState,
    WorkKind,
    replacing,
    reserving,
    sweep_of,
)
from cpd_exporter.model.sweep_request import SweepRequest
from cpd_exporter.model.watermark import Watermark
from cpd_exporter.model.window import Window
from tests.contracts.account import BUCKET, TABLE, Account, lost_answers, opened

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
FOR_GOOD = 4
"""Lost answers that exhaust botocore's own attempts."""


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    with opened(monkeypatch) as account:
        yield account


@pytest.fixture
def waits() -> list[float]:
    return []


class TestTimeline:
    @pytest.fixture
    def timeline(self, account: Account, waits: list[float]) -> DynamoDbTimeline:
        timeline = DynamoDbTimeline(account.dynamodb, TABLE, "t", sleep=waits.append)
        timeline.begin(Watermark("timeline", START, START, START, START))
        return timeline

    @pytest.fixture
    def page(self, timeline: DynamoDbTimeline) -> Page:
        page = Page(Window(START, START + DAY), 1, "timeline", "planned")
        timeline.append([page], after=START)
        return page

    def test_an_update_whose_answer_is_lost(
        self, account: Account, timeline: DynamoDbTimeline, page: Page
    ) -> None:
        changed = replace(page, revision="changed", state=PageState.WRITING)
        with lost_answers(account.dynamodb, "UpdateItem"):
            assert timeline.update(page, changed)
        assert timeline.page(START) == changed

    def test_an_update_whose_answer_is_lost_for_good(
        self, account: Account, timeline: DynamoDbTimeline, page: Page
    ) -> None:
        changed = replace(page, revision="changed", state=PageState.WRITING)
        with (
            lost_answers(account.dynamodb, "UpdateItem", FOR_GOOD),
            pytest.raises(TransientError),
        ):
            timeline.update(page, changed)
        assert timeline.update(page, changed)
        assert not timeline.update(page, replace(changed, revision="late"))

    def test_an_append_whose_answer_is_lost(
        self, account: Account, timeline: DynamoDbTimeline, page: Page
    ) -> None:
        more = Page(Window(START + DAY, START + 2 * DAY), 1, "timeline", "planned")
        with lost_answers(account.dynamodb, "TransactWriteItems"):
            assert timeline.append([more], after=START + DAY)
        assert list(timeline.pages(START)) == [page, more]

    def test_an_append_whose_answer_is_lost_for_good(
        self, account: Account, timeline: DynamoDbTimeline
    ) -> None:
        page = Page(Window(START, START + DAY), 1, "timeline", "planned")
        with (
            lost_answers(account.dynamodb, "TransactWriteItems", FOR_GOOD),
            pytest.raises(TransientError),
        ):
            timeline.append([page], after=START)
        assert timeline.append([page], after=START)
        assert list(timeline.pages(START)) == [page]

    def test_a_split_whose_answer_is_lost(
        self, account: Account, timeline: DynamoDbTimeline, page: Page
    ) -> None:
        parts = [Page(window, 2, "timeline", "split") for window in page.window.split(3)]
        with lost_answers(account.dynamodb, "TransactWriteItems"):
            assert timeline.commit(replacing(page, parts))
        assert list(timeline.pages(START)) == parts

    def test_a_prepend_whose_answer_is_lost_for_good(
        self, account: Account, timeline: DynamoDbTimeline, page: Page
    ) -> None:
        past = Page(Window(START - DAY, START), 1, "timeline", "planned")
        with (
            lost_answers(account.dynamodb, "TransactWriteItems", FOR_GOOD),
            pytest.raises(TransientError),
        ):
            timeline.prepend([past], before=START)
        assert timeline.prepend([past], before=START)
        assert list(timeline.pages(START - DAY)) == [past, page]

    def test_a_merge_whose_answer_is_lost_for_good(
        self, account: Account, timeline: DynamoDbTimeline, page: Page
    ) -> None:
        sweep = sweep_of([page], revision="swept")
        timeline.commit(reserving([page], sweep, revision="reserved"))
        reserved = next(timeline.pages(START))
        merged = replace(sweep, kind=WorkKind.PAGE, state=PageState.DONE, revision="merged")
        writes = [ConditionalWrite(reserved, merged), ConditionalWrite(sweep, None)]
        with (
            lost_answers(account.dynamodb, "TransactWriteItems", FOR_GOOD),
            pytest.raises(TransientError),
        ):
            timeline.commit(writes)
        assert timeline.commit(writes)
        assert (list(timeline.pages(START)), list(timeline.sweeps())) == ([merged], [])

    def test_moves_of_the_watermark_whose_answers_are_lost(
        self, account: Account, timeline: DynamoDbTimeline
    ) -> None:
        with lost_answers(account.dynamodb, "UpdateItem"):
            assert timeline.update_watermark(
                WATERMARK, replace(WATERMARK, exported_through=START + DAY)
            )
        with lost_answers(account.dynamodb, "UpdateItem"):
            assert timeline.update_watermark(
                WATERMARK, replace(WATERMARK, exported_from=START - DAY)
            )

    def test_a_request_that_goes_on_though_the_answer_is_lost(
        self, account: Account, timeline: DynamoDbTimeline
    ) -> None:
        further = replace(JOB, revision="2", cursor=START + DAY)
        with lost_answers(account.dynamodb, "PutItem"):
            timeline.add_job(JOB)
        with lost_answers(account.dynamodb, "UpdateItem"):
            assert timeline.update_job(JOB, further)
        assert list(timeline.jobs()) == [further]

    def test_deletions_are_counted_once_though_the_answer_is_lost(
        self, account: Account, timeline: DynamoDbTimeline
    ) -> None:
        first = Breaker("1", DayCount("2026-01-01", 1))
        second = replace(first, revision="2", published=DayCount("2026-01-01", 2))
        with lost_answers(account.dynamodb, "PutItem"):
            assert timeline.update_breaker(BreakerChange(None, first))
        with lost_answers(account.dynamodb, "PutItem"):
            assert timeline.update_breaker(BreakerChange(first, second))
        assert timeline.breaker() == second

    def test_a_beginning_whose_answer_is_lost(self, account: Account) -> None:
        other = DynamoDbTimeline(account.dynamodb, TABLE, "other")
        watermark = Watermark("timeline", START, START, START, START)
        with lost_answers(account.dynamodb, "PutItem"):
            assert other.begin(watermark) == watermark

    @staticmethod
    def cancelled(stub: Stubber, *reasons: str, times: int = 1) -> None:
        for _ in range(times):
            stub.add_client_error(
                "transact_write_items",
                "TransactionCanceledException",
                modeled_fields={"CancellationReasons": [{"Code": reason} for reason in reasons]},
            )

    def test_a_transaction_in_anothers_way_is_tried_again(
        self, account: Account, timeline: DynamoDbTimeline, page: Page, waits: list[float]
    ) -> None:
        with Stubber(account.dynamodb) as stub:
            self.cancelled(stub, "None", "TransactionConflict")
            self.cancelled(stub, "ConditionalCheckFailed", "TransactionConflict")
            stub.add_response("transact_write_items", {})
            assert timeline.commit([ConditionalWrite(page, replace(page, revision="2"))])
        assert len(waits) == 2

    def test_a_transaction_that_stays_in_anothers_way_is_left_to_the_queue(
        self, account: Account, timeline: DynamoDbTimeline, page: Page, waits: list[float]
    ) -> None:
        with Stubber(account.dynamodb) as stub:
            self.cancelled(stub, "None", "TransactionConflict", times=5)
            with pytest.raises(TransientError, match="TransactionConflict"):
                timeline.append([page], after=START)
        assert len(waits) == 4

    @pytest.mark.parametrize("reason", ["ThrottlingError", "ProvisionedThroughputExceeded"])
    def test_a_transaction_that_is_cancelled_for_want_of_room_is_left_to_the_queue(
        self, account: Account, timeline: DynamoDbTimeline, page: Page, reason: str
    ) -> None:
        with Stubber(account.dynamodb) as stub:
            self.cancelled(stub, "ConditionalCheckFailed", reason)
            with pytest.raises(TransientError, match=reason):
                timeline.commit([ConditionalWrite(page, replace(page, revision="2"))])

    def test_a_single_write_in_a_transactions_way_is_tried_again(
        self, account: Account, timeline: DynamoDbTimeline, page: Page, waits: list[float]
    ) -> None:
        with Stubber(account.dynamodb) as stub:
            stub.add_client_error("update_item", "TransactionConflictException")
            stub.add_response("update_item", {})
            timeline.mark_sent([page], START)
            stub.assert_no_pending_responses()
        assert len(waits) == 1

    def test_the_page_at_an_instant_is_one_read_of_one_page(
        self, account: Account, timeline: DynamoDbTimeline, page: Page
    ) -> None:
        timeline.append(
            [Page(Window(START + DAY, START + 2 * DAY), 1, "timeline", "r")], after=START + DAY
        )
        answers: list[int] = []

        def note(parsed: dict[str, Any], **_: Any) -> None:
            answers.append(len(parsed["Items"]))

        account.dynamodb.meta.events.register("after-call.dynamodb.Query", note)
        assert timeline.page_at(START + timedelta(hours=30)) is not None
        account.dynamodb.meta.events.unregister("after-call.dynamodb.Query", note)
        assert answers == [1]

    def test_the_page_at_an_instant_is_found_amid_a_merge(
        self, account: Account, timeline: DynamoDbTimeline, page: Page
    ) -> None:
        # An emulator's queries are never torn: this answer is put together from before and after.
        torn: list[Any] = []

        def keep(parsed: dict[str, Any], **_: Any) -> None:
            torn.append(parsed["Items"])

        def tear(parsed: dict[str, Any], **_: Any) -> None:
            parsed["Items"] = torn.pop() if torn else parsed["Items"]

        later = Page(Window(START + DAY, START + 2 * DAY), 1, "timeline", "planned")
        merged = Page(Window(START, START + 2 * DAY), 2, "timeline", "merged")
        timeline.append([later], after=START + DAY)
        events = account.dynamodb.meta.events
        events.register("after-call.dynamodb.Query", keep)
        assert timeline.page_at(START) == page
        events.unregister("after-call.dynamodb.Query", keep)
        assert timeline.commit([ConditionalWrite(page, merged), ConditionalWrite(later, None)])
        events.register("after-call.dynamodb.Query", tear)
        found = timeline.page_at(START + timedelta(hours=30))
        events.unregister("after-call.dynamodb.Query", tear)
        assert torn == []
        assert found == merged

    def test_every_read_is_consistent(
        self, account: Account, timeline: DynamoDbTimeline, page: Page
    ) -> None:
        # An emulator is always consistent: only the request tells.
        asked: list[dict[str, Any]] = []

        def note(params: dict[str, Any], **_: Any) -> None:
            asked.append(params)

        events = ("GetItem", "Query")
        for event in events:
            account.dynamodb.meta.events.register(f"provide-client-params.dynamodb.{event}", note)
        timeline.watermark()
        timeline.page(START)
        timeline.page(START, WorkKind.SWEEP)
        timeline.page_at(START)
        timeline.breaker()
        reads = [*timeline.pages(START), *timeline.pages_before(START + DAY), *timeline.undone()]
        assert reads == [page] * 3
        others = (
            timeline.flagged,
            timeline.sweeps,
            timeline.sweep_requests,
            timeline.jobs,
            timeline.refusals,
        )
        assert [read for other in others for read in other()] == []
        for event in events:
            account.dynamodb.meta.events.unregister(f"provide-client-params.dynamodb.{event}", note)
        assert len(asked) == 13
        assert all(params["ConsistentRead"] for params in asked)

    def test_pages_are_streamed(self, account: Account, timeline: DynamoDbTimeline) -> None:
        large = [
            Page(
                Window(START + n * DAY, START + (n + 1) * DAY),
                1,
                "timeline",
                "r",
                error="e" * 30_000,
            )
            for n in range(99)
        ]
        timeline.append(large, after=START)
        calls = 0

        def count(**_: Any) -> None:
            nonlocal calls
            calls += 1

        account.dynamodb.meta.events.register("before-call.dynamodb.Query", count)
        pages = timeline.pages(START)
        next(pages)
        at_first = calls
        rest = sum(1 for _ in pages)
        account.dynamodb.meta.events.unregister("before-call.dynamodb.Query", count)
        assert rest == 98
        assert at_first == 1
        assert calls > 2

    def test_done_pages_leave_the_index(
        self, account: Account, timeline: DynamoDbTimeline, page: Page
    ) -> None:
        timeline.update(page, replace(page, revision="done", state=PageState.DONE))
        timeline.commit(
            [ConditionalWrite(None, sweep_of([page], revision="sweeps are never in it"))]
        )
        indexed = account.dynamodb.scan(TableName=TABLE, IndexName="undone")
        assert indexed["Items"] == []


class TestLake:
    def test_a_put_whose_answer_is_lost_finds_its_object(self, account: Account) -> None:
        lake = S3Lake(account.s3, BUCKET)
        with lost_answers(account.s3, "PutObject"):
            assert not lake.put_new("entries/key.jsonl.gz", b"rows")
        assert lake.read("entries/key.jsonl.gz") == b"rows"

    def test_a_concurrent_write_is_waited_out(self, account: Account, waits: list[float]) -> None:
        lake = S3Lake(account.s3, BUCKET, sleep=waits.append)
        with Stubber(account.s3) as stub:
            for _ in range(2):
                stub.add_client_error("put_object", "ConditionalRequestConflict", "", 409)
            stub.add_response("put_object", {})
            assert lake.put_new("entries/key.jsonl.gz", b"rows")
        assert len(waits) == 2

    def test_one_that_does_not_end(self, account: Account, waits: list[float]) -> None:
        lake = S3Lake(account.s3, BUCKET, sleep=waits.append)
        with Stubber(account.s3) as stub:
            for _ in range(4):
                stub.add_client_error("put_object", "ConditionalRequestConflict", "", 409)
            with pytest.raises(TransientError, match="Conflict"):
                lake.put_new("entries/key.jsonl.gz", b"rows")
        assert len(waits) == 3

    def test_readers_unzip_by_the_key_alone(self, account: Account) -> None:
        S3Lake(account.s3, BUCKET).put_new("entries/key.jsonl.gz", b"rows")
        head = account.s3.head_object(Bucket=BUCKET, Key="entries/key.jsonl.gz")
        assert head["ContentType"] == "application/gzip"
        assert "ContentEncoding" not in head

    def test_a_key_that_may_not_be_read_is_not_a_missing_one(self, account: Account) -> None:
        with Stubber(account.s3) as stub:
            stub.add_client_error("get_object", "AccessDenied", "not authorized", 403)
            with pytest.raises(ConfigurationError, match="s3:GetObject"):
                S3Lake(account.s3, BUCKET).read("entries/key.jsonl.gz")


class TestQueue:
    @pytest.fixture
    def queue(self, account: Account, waits: list[float]) -> SqsQueue:
        return SqsQueue(account.sqs, account.queue_url, sleep=waits.append)

    @staticmethod
    def work(count: int) -> list[PageMessage]:
        return [
            PageMessage(
                tenant_id="t", start=START + n * DAY, end=START + (n + 1) * DAY, generation=1
            )
            for n in range(count)
        ]

    @staticmethod
    def answer(sent: range | list[int], failed: dict[int, str], fault: bool) -> dict[str, Any]:
        return {
            "Successful": [
                {"Id": str(n), "MessageId": "m", "MD5OfMessageBody": "md5"} for n in sent
            ],
            "Failed": [
                {"Id": str(n), "Code": code, "SenderFault": fault} for n, code in failed.items()
            ],
        }

    def test_what_failed_in_a_batch_is_sent_again(
        self, account: Account, queue: SqsQueue, waits: list[float]
    ) -> None:
        work = self.work(3)
        with Stubber(account.sqs) as stub:
            stub.add_response(
                "send_message_batch", self.answer([1], {0: "InternalError", 2: "x"}, False)
            )
            stub.add_response(
                "send_message_batch",
                self.answer([0, 2], {}, False),
                {
                    "QueueUrl": account.queue_url,
                    "Entries": [
                        {"Id": str(n), "MessageBody": work[n].model_dump_json(by_alias=True)}
                        for n in (0, 2)
                    ],
                },
            )
            assert queue.send(work) == [work[n] for n in (1, 0, 2)]
        assert len(waits) == 1

    def test_only_what_is_surely_sent_is_returned(self, account: Account, queue: SqsQueue) -> None:
        work = self.work(3)
        with Stubber(account.sqs) as stub:
            stub.add_response(
                "send_message_batch", self.answer([0, 2], {1: "InternalError"}, False)
            )
            for _ in range(4):
                stub.add_response(
                    "send_message_batch", self.answer([], {1: "InternalError"}, False)
                )
            assert queue.send(work) == [work[0], work[2]]

    def test_an_outage_amid_sending_keeps_what_is_sent(
        self, account: Account, queue: SqsQueue
    ) -> None:
        work = self.work(2)
        with Stubber(account.sqs) as stub:
            stub.add_response("send_message_batch", self.answer([0], {1: "InternalError"}, False))
            stub.add_client_error("send_message_batch", "RequestThrottled")
            assert queue.send(work) == [work[0]]

    def test_an_outage_of_everything_is_told(self, account: Account, queue: SqsQueue) -> None:
        with Stubber(account.sqs) as stub:
            stub.add_client_error("send_message_batch", "RequestThrottled")
            with pytest.raises(TransientError, match=r"sqs:SendMessage.*RequestThrottled"):
                queue.send(self.work(2))

    def test_a_lost_answer_may_repeat_messages_but_loses_none(
        self, account: Account, queue: SqsQueue
    ) -> None:
        work = self.work(2)
        with lost_answers(account.sqs, "SendMessageBatch"):
            assert queue.send(work) == work
        assert len(account.received(account.queue_url)) == 4

    def test_a_message_is_postponed(self, account: Account, queue: SqsQueue) -> None:
        queue.send(self.work(1))
        received = account.sqs.receive_message(QueueUrl=account.queue_url, VisibilityTimeout=600)
        queue.postpone(received["Messages"][0]["ReceiptHandle"], 0)
        assert len(account.received(account.queue_url)) == 1

    @pytest.mark.parametrize(
        ("seconds", "asked"), [(-5, 0), (12.4, 12), (1e9, MAX_POSTPONEMENT_SECONDS)]
    )
    def test_no_longer_than_is_allowed(
        self, account: Account, queue: SqsQueue, seconds: float, asked: int
    ) -> None:
        with Stubber(account.sqs) as stub:
            stub.add_response(
                "change_message_visibility",
                {},
                {"QueueUrl": account.queue_url, "ReceiptHandle": "r", "VisibilityTimeout": asked},
            )
            queue.postpone("r", seconds)
            stub.assert_no_pending_responses()

    @pytest.mark.parametrize("code", ["ReceiptHandleIsInvalid", "MessageNotInflight"])
    def test_a_message_that_is_gone_needs_no_postponing(
        self, account: Account, queue: SqsQueue, code: str
    ) -> None:
        with Stubber(account.sqs) as stub:
            stub.add_client_error("change_message_visibility", code)
            queue.postpone("r", 5)
            stub.assert_no_pending_responses()


class TestTopic:
    @pytest.fixture
    def topic(self, account: Account, waits: list[float]) -> SnsTopic:
        return SnsTopic(account.sns, account.topic_arn, sleep=waits.append)

    @staticmethod
    def events(count: int) -> list[Event]:
        return [Event(f"event-{n}", f"entry-{n}", f"body {n}", {}) for n in range(count)]

    @staticmethod
    def answer(sent: list[int], failed: dict[int, tuple[str, bool]]) -> dict[str, Any]:
        return {
            "Successful": [{"Id": str(n), "MessageId": "m"} for n in sent],
            "Failed": [
                {"Id": str(n), "Code": code, "SenderFault": fault}
                for n, (code, fault) in failed.items()
            ],
        }

    def test_no_batch_holds_more_than_one_call_takes(self) -> None:
        # The emulator takes any number of bytes.
        sizes = [100_000] * 5 + [MAX_MESSAGE_BYTES] * 2 + [1] * 25
        events = [Event(str(n), "e", "x" * length, {}) for n, length in enumerate(sizes)]
        cut = list(batches(events))
        assert [event for batch in cut for event in batch] == events
        assert [len(batch) for batch in cut] == [2, 2, 1, 1, 1, 10, 10, 5]
        assert all(sum(map(size, batch)) <= MAX_MESSAGE_BYTES for batch in cut)

    def test_what_is_refused_for_good_is_named_and_the_rest_tried_again(
        self, account: Account, topic: SnsTopic, waits: list[float]
    ) -> None:
        with Stubber(account.sns) as stub:
            failed = {1: ("InvalidParameter", True), 2: ("InternalError", False)}
            stub.add_response("publish_batch", self.answer([0], failed))
            stub.add_response(
                "publish_batch",
                self.answer([2], {}),
                {
                    "TopicArn": account.topic_arn,
                    "PublishBatchRequestEntries": [
                        {"Id": "2", "Message": "body 2", "MessageAttributes": {}}
                    ],
                },
            )
            assert topic.publish(self.events(3)) == {"event-1": "InvalidParameter"}
            stub.assert_no_pending_responses()
        assert len(waits) == 1

    def test_throttling_is_nobodys_fault(self, account: Account, topic: SnsTopic) -> None:
        throttled = {1: ("KMS.ThrottlingException", True)}
        with Stubber(account.sns) as stub:
            stub.add_response("publish_batch", self.answer([0], throttled))
            stub.add_response("publish_batch", self.answer([1], {}))
            assert topic.publish(self.events(2)) == {}
            stub.assert_no_pending_responses()

    def test_an_outage_that_lasts(self, account: Account, topic: SnsTopic) -> None:
        with Stubber(account.sns) as stub:
            stub.add_response("publish_batch", self.answer([0], {1: ("InternalError", False)}))
            for _ in range(4):
                stub.add_response("publish_batch", self.answer([], {1: ("InternalError", False)}))
            with pytest.raises(TransientError, match=r"1 of a batch \(InternalError\)"):
                topic.publish(self.events(2))

    def test_an_event_that_is_not_mentioned_is_not_sent(
        self, account: Account, topic: SnsTopic
    ) -> None:
        with Stubber(account.sns) as stub:
            for _ in range(5):
                stub.add_response("publish_batch", self.answer([], {}))
            with pytest.raises(TransientError, match="no answer"):
                topic.publish(self.events(1))

    @pytest.mark.parametrize("culprit", range(10))
    def test_of_a_batch_that_is_refused_whole_only_the_culprit_is(
        self, account: Account, topic: SnsTopic, culprit: int
    ) -> None:
        events = self.events(10)
        # SNS takes no empty value.
        events[culprit] = replace(events[culprit], attributes={"change": ""})
        assert topic.publish(events).keys() == {f"event-{culprit}"}
        received = {message["Body"] for message in account.received(account.subscriber_url)}
        assert received == {f"body {n}" for n in range(10) if n != culprit}

    @pytest.mark.parametrize("fault", [True, False])
    def test_a_missing_permission_refuses_no_event(
        self, account: Account, topic: SnsTopic, fault: bool
    ) -> None:
        with Stubber(account.sns) as stub:
            failed = {0: ("AuthorizationError", fault), 1: ("AuthorizationError", fault)}
            stub.add_response("publish_batch", self.answer([], failed))
            with pytest.raises(ConfigurationError, match="sns:Publish"):
                topic.publish(self.events(2))

    def test_a_lost_answer_may_repeat_events_but_loses_none(
        self, account: Account, topic: SnsTopic
    ) -> None:
        with lost_answers(account.sns, "PublishBatch"):
            assert topic.publish(self.events(3)) == {}
        bodies = [message["Body"] for message in account.received(account.subscriber_url)]
        assert sorted(bodies) == sorted(["body 0", "body 1", "body 2"] * 2)


PAGE = Page(Window(START, START + DAY), 1, "timeline", "planned")
WATERMARK = Watermark("timeline", START, START, START, START)
JOB = Job("sweep:1", JobKind.SWEEP, START, START + DAY, START, START, "asked")

CALLS: dict[str, tuple[str, str, Callable[[Account], object]]] = {
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
        lambda a: SqsQueue(a.sqs, a.queue_url).send(TestQueue.work(1)),
    ),
    "sqs:ChangeMessageVisibility": (
        "sqs",
        "change_message_visibility",
        lambda a: SqsQueue(a.sqs, a.queue_url).postpone("r", 1),
    ),
    "sns:Publish": (
        "sns",
        "publish_batch",
        lambda a: SnsTopic(a.sns, a.topic_arn).publish(TestTopic.events(1)),
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
        self, account: Account, action: str, code: str, error: type[Exception]
    ) -> None:
        service, operation, call = CALLS[action]
        with Stubber(getattr(account, service)) as stub:
            stub.add_client_error(operation, code, "User: x is not authorized")
            with pytest.raises(error, match=f"{action}.*{code}") as raised:
                call(account)
        assert type(raised.value) is error

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

    def test_the_table_is_missing(self, account: Account) -> None:
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
