"""The topic in SNS: batches, refusals, lost answers."""

from typing import Any

import pytest
from botocore.stub import Stubber
from msgspec.structs import replace

from cpd_exporter.adapters.aws.topic import MAX_MESSAGE_BYTES, SnsTopic, batches, size
from cpd_exporter.errors import ConfigurationError, TransientError
from cpd_exporter.model.event import Event
from tests.contracts.account import MotoAccount, lost_answers
from tests.support.aws import numbered_events


class TestTopic:
    @pytest.fixture
    def topic(self, account: MotoAccount, waits: list[float]) -> SnsTopic:
        return SnsTopic(account.sns, account.topic_arn, sleep=waits.append)

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
        grouped = list(batches(events))
        assert [event for batch in grouped for event in batch] == events
        assert [len(batch) for batch in grouped] == [2, 2, 1, 1, 1, 10, 10, 5]
        assert all(sum(map(size, batch)) <= MAX_MESSAGE_BYTES for batch in grouped)

    def test_what_is_refused_for_good_is_named_and_the_rest_tried_again(
        self, account: MotoAccount, topic: SnsTopic, waits: list[float]
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
            assert topic.publish(numbered_events(3)) == {"event-1": "InvalidParameter"}
            stub.assert_no_pending_responses()
        assert len(waits) == 1

    def test_throttling_is_nobodys_fault(self, account: MotoAccount, topic: SnsTopic) -> None:
        throttled = {1: ("KMS.ThrottlingException", True)}
        with Stubber(account.sns) as stub:
            stub.add_response("publish_batch", self.answer([0], throttled))
            stub.add_response("publish_batch", self.answer([1], {}))
            assert topic.publish(numbered_events(2)) == {}
            stub.assert_no_pending_responses()

    def test_an_outage_that_lasts(self, account: MotoAccount, topic: SnsTopic) -> None:
        with Stubber(account.sns) as stub:
            stub.add_response("publish_batch", self.answer([0], {1: ("InternalError", False)}))
            for _ in range(4):
                stub.add_response("publish_batch", self.answer([], {1: ("InternalError", False)}))
            with pytest.raises(TransientError, match=r"1 of a batch \(InternalError\)"):
                topic.publish(numbered_events(2))

    def test_an_event_that_is_not_mentioned_is_not_sent(
        self, account: MotoAccount, topic: SnsTopic
    ) -> None:
        with Stubber(account.sns) as stub:
            for _ in range(5):
                stub.add_response("publish_batch", self.answer([], {}))
            with pytest.raises(TransientError, match="no answer"):
                topic.publish(numbered_events(1))

    @pytest.mark.parametrize("culprit", range(10))
    def test_of_a_batch_that_is_refused_whole_only_the_culprit_is(
        self, account: MotoAccount, topic: SnsTopic, culprit: int
    ) -> None:
        events = numbered_events(10)
        # SNS takes no empty value.
        events[culprit] = replace(events[culprit], attributes={"change": ""})
        assert topic.publish(events).keys() == {f"event-{culprit}"}
        received = {message["Body"] for message in account.received(account.subscriber_url)}
        assert received == {f"body {n}" for n in range(10) if n != culprit}

    @pytest.mark.parametrize("fault", [True, False])
    def test_a_missing_permission_refuses_no_event(
        self, account: MotoAccount, topic: SnsTopic, fault: bool
    ) -> None:
        with Stubber(account.sns) as stub:
            failed = {0: ("AuthorizationError", fault), 1: ("AuthorizationError", fault)}
            stub.add_response("publish_batch", self.answer([], failed))
            with pytest.raises(ConfigurationError, match="sns:Publish"):
                topic.publish(numbered_events(2))

    def test_a_lost_answer_may_repeat_events_but_loses_none(
        self, account: MotoAccount, topic: SnsTopic
    ) -> None:
        with lost_answers(account.sns, "PublishBatch"):
            assert topic.publish(numbered_events(3)) == {}
        bodies = [message["Body"] for message in account.received(account.subscriber_url)]
        assert sorted(bodies) == sorted(["body 0", "body 1", "body 2"] * 2)
