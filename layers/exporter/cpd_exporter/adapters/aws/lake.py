"""The lake in an S3 bucket."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError
from tenacity import Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from cpd_exporter.adapters.aws.client import code_of, translated

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

PROGRESS_KEY = "progress.json"


class S3Lake:
    """Write-once objects and the progress in a bucket. Make ``client`` with ``CLIENT_CONFIG``."""

    def __init__(
        self, client: "S3Client", bucket: str, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._retrying = Retrying(
            retry=retry_if_exception(_is_concurrent_write),
            stop=stop_after_attempt(4),
            wait=wait_random_exponential(multiplier=0.1, max=2),
            sleep=sleep,
            reraise=True,
        )

    def put_new(self, key: str, body: bytes) -> bool:
        with translated("s3:PutObject", self.uri(key)):
            try:
                self._retrying(
                    self._client.put_object,
                    Bucket=self._bucket,
                    Key=key,
                    Body=body,
                    IfNoneMatch="*",
                    # Readers unzip by the key's extension. A content encoding would make some of
                    # them unzip twice.
                    ContentType=(
                        "application/gzip" if key.endswith(".gz") else "application/octet-stream"
                    ),
                )
            except ClientError as error:
                if code_of(error) != "PreconditionFailed":
                    raise
                return False
        return True

    def read(self, key: str) -> bytes | None:
        with translated("s3:GetObject", self.uri(key)):
            try:
                return self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
            except self._client.exceptions.NoSuchKey:
                return None

    def put_progress(self, body: bytes) -> None:
        with translated("s3:PutObject", self.uri(PROGRESS_KEY)):
            self._client.put_object(
                Bucket=self._bucket, Key=PROGRESS_KEY, Body=body, ContentType="application/json"
            )

    def delete_index(self, key: str) -> None:
        if not key.startswith("index/"):
            raise ValueError(f"not an index: {key}")
        with translated("s3:DeleteObject", self.uri(key)):
            self._client.delete_object(Bucket=self._bucket, Key=key)

    def entries_since(self, since: datetime) -> list[tuple[datetime, str]]:
        pages = self._client.get_paginator("list_objects_v2")
        with translated("s3:ListObjectsV2", self.uri("entries/")):
            return [
                (written_at, listed["Key"])
                for page in pages.paginate(Bucket=self._bucket, Prefix="entries/")
                for listed in page.get("Contents", ())
                if (written_at := listed["LastModified"].astimezone(UTC)) >= since
            ]

    def uri(self, key: str) -> str:
        return f"s3://{self._bucket}/{key}"


def _is_concurrent_write(error: BaseException) -> bool:
    """Whether another write to the key is under way. S3 wants its callers to try again."""
    return isinstance(error, ClientError) and code_of(error) == "ConditionalRequestConflict"
