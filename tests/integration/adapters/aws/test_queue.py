"""The work queue in SQS: partial failures, lost answers, postponement."""

from typing import Any

import pytest
from botocore.stub import Stubber

from cpd_exporter.adapters.aws.queue import MAX_POSTPONEMENT_SECONDS, SqsQueue
from cpd_exporter.errors import TransientError
from tests.contracts.account import MotoAccount, lost_answers
from tests.support.aws import works_of


class TestQueue:
    @pytest.fixture
    def queue(self, account: MotoAccount, waits: list[float]) -> SqsQueue:
        return SqsQueue(account.sqs, account.queue_url, sleep=waits.append)

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
        self, account: MotoAccount, queue: SqsQueue, waits: list[float]
    ) -> None:
        work = works_of(3)
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

    def test_only_what_is_surely_sent_is_returned(
        self, account: MotoAccount, queue: SqsQueue
    ) -> None:
        work = works_of(3)
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
        self, account: MotoAccount, queue: SqsQueue
    ) -> None:
        work = works_of(2)
        with Stubber(account.sqs) as stub:
            stub.add_response("send_message_batch", self.answer([0], {1: "InternalError"}, False))
            stub.add_client_error("send_message_batch", "RequestThrottled")
            assert queue.send(work) == [work[0]]

    def test_an_outage_of_everything_is_raised(self, account: MotoAccount, queue: SqsQueue) -> None:
        with Stubber(account.sqs) as stub:
            stub.add_client_error("send_message_batch", "RequestThrottled")
            with pytest.raises(TransientError, match=r"sqs:SendMessage.*RequestThrottled"):
                queue.send(works_of(2))

    def test_a_lost_answer_may_repeat_messages_but_loses_none(
        self, account: MotoAccount, queue: SqsQueue
    ) -> None:
        work = works_of(2)
        with lost_answers(account.sqs, "SendMessageBatch"):
            assert queue.send(work) == work
        assert len(account.received(account.queue_url)) == 4

    def test_a_message_is_postponed(self, account: MotoAccount, queue: SqsQueue) -> None:
        queue.send(works_of(1))
        received = account.sqs.receive_message(QueueUrl=account.queue_url, VisibilityTimeout=600)
        queue.postpone(received["Messages"][0]["ReceiptHandle"], 0)
        assert len(account.received(account.queue_url)) == 1

    @pytest.mark.parametrize(
        ("seconds", "asked"), [(-5, 0), (12.4, 12), (1e9, MAX_POSTPONEMENT_SECONDS)]
    )
    def test_no_longer_than_is_allowed(
        self, account: MotoAccount, queue: SqsQueue, seconds: float, asked: int
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
        self, account: MotoAccount, queue: SqsQueue, code: str
    ) -> None:
        with Stubber(account.sqs) as stub:
            stub.add_client_error("change_message_visibility", code)
            queue.postpone("r", 5)
            stub.assert_no_pending_responses()
