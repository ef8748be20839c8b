"""The composition root: builds planner and worker once per cold start.

What cannot be built for lack of something the operator must give is tried anew by the next
invocation: nothing of a failure is kept.
"""

import os
import secrets
from datetime import UTC, datetime, timedelta
from functools import cache

import boto3

from cpd_exporter.adapters.access import Access, BasicAccess, ClientCredentialsAccess
from cpd_exporter.adapters.aws import CLIENT_CONFIG
from cpd_exporter.adapters.credentials import ApiSecret, ClientSecret, SecretsManagerCredentials
from cpd_exporter.adapters.dynamodb import DynamoDbTimeline
from cpd_exporter.adapters.environments import Authentication, endpoints
from cpd_exporter.adapters.http import Http, new_client
from cpd_exporter.adapters.s3 import S3Lake
from cpd_exporter.adapters.sns import SnsTopic
from cpd_exporter.adapters.sqs import SqsQueue
from cpd_exporter.adapters.subscriber import SqsMailbox
from cpd_exporter.adapters.thrive import ThriveApi
from cpd_exporter.claiming import Effort
from cpd_exporter.commanding import Commander
from cpd_exporter.cutting import Cutting
from cpd_exporter.model.timeline import Patience
from cpd_exporter.planning import Plan, Planner
from cpd_exporter.settings import PlannerSettings, Settings, WorkerSettings
from cpd_exporter.working import Worker

VISIBILITY = 6
"""How often a worker's time-out fits into the queue's visibility time-out (see the template)."""


@cache
def planner() -> Planner:
    """The planner, as its function's environment describes it."""
    settings = PlannerSettings.read(os.environ)
    tenant_id, api = _tenant(settings)
    plan = Plan(
        origin=settings.first_date,
        cutting=Cutting(slack=settings.filter_slack_seconds, settle=settings.settle_seconds),
        patience=Patience(in_queue=VISIBILITY * settings.worker_timeout_seconds),
    )
    return Planner(api, _timeline(settings, tenant_id), _queue(settings), _now, _new_token, plan)


def commander() -> Commander:
    """Who takes the operator's commands, for the planner to carry out."""
    built = planner()
    return Commander(built.api, built.timeline, built.clock, built.new_token)


@cache
def worker() -> Worker:
    """The worker, as its function's environment describes it."""
    settings = WorkerSettings.read(os.environ)
    tenant_id, api = _tenant(settings)
    return Worker(
        api=api,
        timeline=_timeline(settings, tenant_id),
        lake=S3Lake(boto3.client("s3", config=CLIENT_CONFIG), settings.lake_bucket),
        topic=SnsTopic(boto3.client("sns", config=CLIENT_CONFIG), settings.topic_arn),
        queue=pages_queue(),
        clock=_now,
        new_token=_new_token,
        effort=Effort(
            slack=settings.filter_slack_seconds,
            lease=settings.worker_timeout_seconds + timedelta(seconds=5),
            deletion_delay=settings.deletion_delay_seconds,
            most_deletions=settings.most_deletions_a_day,
            volatile=settings.fingerprint_exclude,
        ),
        mailbox=SqsMailbox(boto3.client("sqs", config=CLIENT_CONFIG)),
    )


@cache
def pages_queue() -> SqsQueue:
    """The queue between the two, which is needed even where nothing else can be built."""
    return _queue(Settings.read(os.environ))


def forget() -> None:
    """Build anew next time: an operator may have mended the secret, its tenant included."""
    planner.cache_clear()
    worker.cache_clear()


def _tenant(settings: Settings) -> tuple[str, ThriveApi]:
    """Whose entries are exported, and the way to them: both come from the secret."""
    secrets_manager = boto3.client("secretsmanager", config=CLIENT_CONFIG)
    hosts = endpoints(settings.environment, settings.token_audience, api_url=settings.api_url)
    http = Http(new_client())
    access: Access
    match settings.authentication:
        case Authentication.BASIC:
            basic = SecretsManagerCredentials(secrets_manager, settings.secret_arn, ApiSecret)
            access, tenant_id = BasicAccess(basic), basic.read().tenant_id
        case Authentication.OAUTH2:
            client = SecretsManagerCredentials(secrets_manager, settings.secret_arn, ClientSecret)
            access = ClientCredentialsAccess(client, http, hosts, settings.scope, clock=_now)
            tenant_id = client.read().tenant_id
    volatile = settings.fingerprint_exclude
    return tenant_id, ThriveApi(http, hosts, access, clock=_now, volatile=volatile)


def _timeline(settings: Settings, tenant_id: str) -> DynamoDbTimeline:
    client = boto3.client("dynamodb", config=CLIENT_CONFIG)
    return DynamoDbTimeline(client, settings.state_table, tenant_id)


def _queue(settings: Settings) -> SqsQueue:
    return SqsQueue(boto3.client("sqs", config=CLIENT_CONFIG), settings.queue_url)


def _now() -> datetime:
    return datetime.now(UTC)


def _new_token() -> str:
    return secrets.token_hex(8)
