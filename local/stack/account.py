"""The AWS clients of one emulated account."""

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_iam import IAMClient
    from types_boto3_lambda import LambdaClient
    from types_boto3_logs import CloudWatchLogsClient
    from types_boto3_s3 import S3Client
    from types_boto3_secretsmanager import SecretsManagerClient
    from types_boto3_sns import SNSClient
    from types_boto3_sqs import SQSClient


@dataclass(frozen=True)
class EmulatedAccount:
    """One account's endpoint and credentials; it makes each client when first used."""

    endpoint: str
    region: str
    access_key_id: str
    secret_access_key: str

    @cached_property
    def _session(self) -> boto3.Session:
        return boto3.Session(self.access_key_id, self.secret_access_key, region_name=self.region)

    @cached_property
    def _options(self) -> dict[str, Any]:
        config = Config(
            max_pool_connections=32,
            # A tick may take two minutes: the client must not give up or call again before.
            read_timeout=150,
            retries={"total_max_attempts": 1},
            # The endpoint is on this machine, so no proxy leads to it.
            proxies={},
        )
        return {"endpoint_url": self.endpoint, "config": config}

    @cached_property
    def cloudformation(self) -> "CloudFormationClient":
        return self._session.client("cloudformation", **self._options)

    @cached_property
    def dynamodb(self) -> "DynamoDBClient":
        return self._session.client("dynamodb", **self._options)

    @cached_property
    def functions(self) -> "LambdaClient":
        return self._session.client("lambda", **self._options)

    @cached_property
    def iam(self) -> "IAMClient":
        return self._session.client("iam", **self._options)

    @cached_property
    def logs(self) -> "CloudWatchLogsClient":
        return self._session.client("logs", **self._options)

    @cached_property
    def s3(self) -> "S3Client":
        return self._session.client("s3", **self._options)

    @cached_property
    def secrets(self) -> "SecretsManagerClient":
        return self._session.client("secretsmanager", **self._options)

    @cached_property
    def sns(self) -> "SNSClient":
        return self._session.client("sns", **self._options)

    @cached_property
    def sqs(self) -> "SQSClient":
        return self._session.client("sqs", **self._options)
