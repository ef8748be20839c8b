"""The timeline in DynamoDB: lost answers, transactions in the way, consistent reads."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from botocore.stub import Stubber

from cpd_exporter.adapters.aws.timeline import DynamoDbTimeline
from cpd_exporter.errors import TransientError
from cpd_exporter.model.breaker import Breaker, BreakerChange, DayCount
from cpd_exporter.model.job import Job, JobKind
from cpd_exporter.model.page import (
    ConditionalWrite,
    Page,
    PageFlag,
    PageState,
    WorkKind,
    replacing,
    reserving,
    sweep_of,
)
from cpd_exporter.model.watermark import Watermark
from cpd_exporter.model.window import Window
from tests.contracts.account import TABLE, MotoAccount, lost_answers
from tests.support.aws import DAY, START, WATERMARK

FOR_GOOD = 4
"""Lost answers that exhaust botocore's own attempts."""


class TestTimeline:
    @pytest.fixture
    def timeline(self, account: MotoAccount, waits: list[float]) -> DynamoDbTimeline:
        timeline = DynamoDbTimeline(account.dynamodb, TABLE, "t", sleep=waits.append)
        timeline.begin(Watermark("timeline", START, START, START, START))
        return timeline

    @pytest.fixture
    def page(self, timeline: DynamoDbTimeline) -> Page:
        page = Page(Window(START, START + DAY), 1, "timeline", "planned")
        timeline.append([page], after=START)
        return page

    def test_an_update_whose_answer_is_lost(
        self, account: MotoAccount, timeline: DynamoDbTimeline, page: Page
    ) -> None:
        changed = replace(page, revision="changed", state=PageState.WRITING)
        with lost_answers(account.dynamodb, "UpdateItem"):
            assert timeline.update(page, changed)
        assert timeline.page(START) == changed

    def test_an_update_whose_answer_is_lost_for_good(
        self, account: MotoAccount, timeline: DynamoDbTimeline, page: Page
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
        self, account: MotoAccount, timeline: DynamoDbTimeline, page: Page
    ) -> None:
        more = Page(Window(START + DAY, START + 2 * DAY), 1, "timeline", "planned")
        with lost_answers(account.dynamodb, "TransactWriteItems"):
            assert timeline.append([more], after=START + DAY)
        assert list(timeline.pages(START)) == [page, more]

    def test_an_append_whose_answer_is_lost_for_good(
        self, account: MotoAccount, timeline: DynamoDbTimeline
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
        self, account: MotoAccount, timeline: DynamoDbTimeline, page: Page
    ) -> None:
        parts = [Page(window, 2, "timeline", "split") for window in page.window.split(3)]
        with lost_answers(account.dynamodb, "TransactWriteItems"):
            assert timeline.commit(replacing(page, parts))
        assert list(timeline.pages(START)) == parts

    def test_a_prepend_whose_answer_is_lost_for_good(
        self, account: MotoAccount, timeline: DynamoDbTimeline, page: Page
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
        self, account: MotoAccount, timeline: DynamoDbTimeline, page: Page
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
        self, account: MotoAccount, timeline: DynamoDbTimeline
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
        self, account: MotoAccount, timeline: DynamoDbTimeline
    ) -> None:
        further = replace(JOB, revision="2", cursor=START + DAY)
        with lost_answers(account.dynamodb, "PutItem"):
            timeline.add_job(JOB)
        with lost_answers(account.dynamodb, "UpdateItem"):
            assert timeline.update_job(JOB, further)
        assert list(timeline.jobs()) == [further]

    def test_deletions_are_counted_once_though_the_answer_is_lost(
        self, account: MotoAccount, timeline: DynamoDbTimeline
    ) -> None:
        first = Breaker("1", DayCount("2026-01-01", 1))
        second = replace(first, revision="2", published=DayCount("2026-01-01", 2))
        with lost_answers(account.dynamodb, "PutItem"):
            assert timeline.update_breaker(BreakerChange(None, first))
        with lost_answers(account.dynamodb, "PutItem"):
            assert timeline.update_breaker(BreakerChange(first, second))
        assert timeline.breaker() == second

    def test_a_beginning_whose_answer_is_lost(self, account: MotoAccount) -> None:
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
        self, account: MotoAccount, timeline: DynamoDbTimeline, page: Page, waits: list[float]
    ) -> None:
        with Stubber(account.dynamodb) as stub:
            self.cancelled(stub, "None", "TransactionConflict")
            self.cancelled(stub, "ConditionalCheckFailed", "TransactionConflict")
            stub.add_response("transact_write_items", {})
            assert timeline.commit([ConditionalWrite(page, replace(page, revision="2"))])
        assert len(waits) == 2

    def test_a_transaction_that_stays_in_anothers_way_is_left_to_the_queue(
        self, account: MotoAccount, timeline: DynamoDbTimeline, page: Page, waits: list[float]
    ) -> None:
        with Stubber(account.dynamodb) as stub:
            self.cancelled(stub, "None", "TransactionConflict", times=7)
            with pytest.raises(TransientError, match="TransactionConflict"):
                timeline.append([page], after=START)
        assert len(waits) == 6
        assert sum(waits) <= 5

    @pytest.mark.parametrize("reason", ["ThrottlingError", "ProvisionedThroughputExceeded"])
    def test_a_transaction_that_is_cancelled_for_want_of_room_is_tried_again(
        self,
        account: MotoAccount,
        timeline: DynamoDbTimeline,
        page: Page,
        reason: str,
        waits: list[float],
    ) -> None:
        with Stubber(account.dynamodb) as stub:
            self.cancelled(stub, "ConditionalCheckFailed", reason, times=3)
            stub.add_response("transact_write_items", {})
            assert timeline.commit([ConditionalWrite(page, replace(page, revision="2"))])
        assert len(waits) == 3

    @pytest.mark.parametrize("reason", ["ThrottlingError", "ProvisionedThroughputExceeded"])
    def test_a_transaction_that_finds_no_room_for_long_is_left_to_the_queue(
        self, account: MotoAccount, timeline: DynamoDbTimeline, page: Page, reason: str
    ) -> None:
        with Stubber(account.dynamodb) as stub:
            self.cancelled(stub, "ConditionalCheckFailed", reason, times=7)
            with pytest.raises(TransientError, match=reason):
                timeline.commit([ConditionalWrite(page, replace(page, revision="2"))])

    def test_a_single_write_in_a_transactions_way_is_tried_again(
        self, account: MotoAccount, timeline: DynamoDbTimeline, page: Page, waits: list[float]
    ) -> None:
        with Stubber(account.dynamodb) as stub:
            stub.add_client_error("update_item", "TransactionConflictException")
            stub.add_response("update_item", {})
            timeline.mark_sent([page], START)
            stub.assert_no_pending_responses()
        assert len(waits) == 1

    def test_the_page_at_an_instant_is_one_read_of_one_page(
        self, account: MotoAccount, timeline: DynamoDbTimeline, page: Page
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
        self, account: MotoAccount, timeline: DynamoDbTimeline, page: Page
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
        self, account: MotoAccount, timeline: DynamoDbTimeline, page: Page
    ) -> None:
        # An emulator is always consistent: only the request shows it.
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
        others = (timeline.sweeps, timeline.sweep_requests, timeline.jobs, timeline.refusals)
        assert [read for other in others for read in other()] == []
        assert [read for flag in PageFlag for read in timeline.flagged(flag)] == []
        for event in events:
            account.dynamodb.meta.events.unregister(f"provide-client-params.dynamodb.{event}", note)
        assert len(asked) == 15
        assert all(params["ConsistentRead"] for params in asked)

    def test_pages_are_streamed(self, account: MotoAccount, timeline: DynamoDbTimeline) -> None:
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
        self, account: MotoAccount, timeline: DynamoDbTimeline, page: Page
    ) -> None:
        timeline.update(page, replace(page, revision="done", state=PageState.DONE))
        timeline.commit(
            [ConditionalWrite(None, sweep_of([page], revision="sweeps are never in it"))]
        )
        indexed = account.dynamodb.scan(TableName=TABLE, IndexName="undone")
        assert indexed["Items"] == []


JOB = Job("sweep:1", JobKind.SWEEP, START, START + DAY, START, START, "asked")
