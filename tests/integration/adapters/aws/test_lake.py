"""The lake in S3: lost answers, concurrent writes, refusals."""

import pytest
from botocore.stub import Stubber

from cpd_exporter.adapters.aws.lake import S3Lake
from cpd_exporter.errors import ConfigurationError, TransientError
from tests.contracts.account import BUCKET, MotoAccount, lost_answers


class TestLake:
    def test_a_put_whose_answer_is_lost_finds_its_object(self, account: MotoAccount) -> None:
        lake = S3Lake(account.s3, BUCKET)
        with lost_answers(account.s3, "PutObject"):
            assert not lake.put_new("entries/key.jsonl.gz", b"rows")
        assert lake.read("entries/key.jsonl.gz") == b"rows"

    def test_a_concurrent_write_is_waited_out(
        self, account: MotoAccount, waits: list[float]
    ) -> None:
        lake = S3Lake(account.s3, BUCKET, sleep=waits.append)
        with Stubber(account.s3) as stub:
            for _ in range(2):
                stub.add_client_error("put_object", "ConditionalRequestConflict", "", 409)
            stub.add_response("put_object", {})
            assert lake.put_new("entries/key.jsonl.gz", b"rows")
        assert len(waits) == 2

    def test_one_that_does_not_end(self, account: MotoAccount, waits: list[float]) -> None:
        lake = S3Lake(account.s3, BUCKET, sleep=waits.append)
        with Stubber(account.s3) as stub:
            for _ in range(4):
                stub.add_client_error("put_object", "ConditionalRequestConflict", "", 409)
            with pytest.raises(TransientError, match="Conflict"):
                lake.put_new("entries/key.jsonl.gz", b"rows")
        assert len(waits) == 3

    def test_readers_unzip_by_the_key_alone(self, account: MotoAccount) -> None:
        S3Lake(account.s3, BUCKET).put_new("entries/key.jsonl.gz", b"rows")
        head = account.s3.head_object(Bucket=BUCKET, Key="entries/key.jsonl.gz")
        assert head["ContentType"] == "application/gzip"
        assert "ContentEncoding" not in head

    def test_a_key_that_may_not_be_read_is_not_a_missing_one(self, account: MotoAccount) -> None:
        with Stubber(account.s3) as stub:
            stub.add_client_error("get_object", "AccessDenied", "not authorized", 403)
            with pytest.raises(ConfigurationError, match="s3:GetObject"):
                S3Lake(account.s3, BUCKET).read("entries/key.jsonl.gz")
