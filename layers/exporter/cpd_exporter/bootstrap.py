"""The composition root: builds planner and worker once per cold start.

``build_planner`` and ``build_worker`` are pure; tests and simulation call them too. If building
fails, an operator has to mend something, and the next invocation builds anew.
"""

# ruff: noqa: PLC0415
# A function imports what it uses alone: importing takes most of a cold start.

import os
import secrets
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

import boto3
import httpx

from cpd_exporter.adapters.aws.client import CLIENT_CONFIG
from cpd_exporter.adapters.aws.dynamodb import has_items
from cpd_exporter.adapters.aws.lake import S3Lake
from cpd_exporter.adapters.aws.queue import SqsQueue
from cpd_exporter.adapters.aws.secret import stored_credentials
from cpd_exporter.adapters.aws.timeline import DynamoDbTimeline
from cpd_exporter.adapters.thrive.factory import build_api
from cpd_exporter.adapters.thrive.http import new_client
from cpd_exporter.adapters.thrive.pace import CallPace
from cpd_exporter.errors import EmptySecretError, NotSetUpError
from cpd_exporter.model.resend_policy import ResendPolicy
from cpd_exporter.ports import (
    Clock,
    EntriesApi,
    Lake,
    NewToken,
    PlannerLake,
    PlannerTimeline,
    Queue,
    ReplayQueue,
    Topic,
    WorkerTimeline,
)
from cpd_exporter.settings import PlannerSettings, Settings, WorkerSettings

if TYPE_CHECKING:
    from cpd_exporter.planner.limits import PlannerLimits
    from cpd_exporter.planner.planner import Planner
    from cpd_exporter.worker.context import WorkerLimits
    from cpd_exporter.worker.worker import Worker

VISIBILITY_PER_TIMEOUT = 1.2
"""The work queue's visibility time-out, in time-outs of the worker (see the template)."""

MAX_LEASE = timedelta(minutes=3)
"""Long work renews its lease, so that a dead worker's work is free again within minutes."""

MAX_PLANNER_SILENCE_SECONDS = 12.0
"""How long the planner waits for the API: a tick ends within 45 seconds."""


def build_planner(
    *,
    api: EntriesApi,
    timeline: PlannerTimeline,
    queue: Queue,
    clock: Clock,
    new_token: NewToken,
    limits: "PlannerLimits",
    lake: PlannerLake,
) -> "Planner":
    """Build the planner of any world, real or simulated."""
    from cpd_exporter.planner.planner import Planner

    return Planner(api, timeline, queue, clock, new_token, limits, lake)


def build_worker(
    *,
    api: EntriesApi,
    timeline: WorkerTimeline,
    lake: Lake,
    topic: Topic,
    replay_queue: ReplayQueue,
    clock: Clock,
    new_token: NewToken,
    limits: "WorkerLimits",
) -> "Worker":
    """Build the worker of any world, real or simulated."""
    from cpd_exporter.worker.context import WorkerContext
    from cpd_exporter.worker.worker import Worker

    return Worker(
        WorkerContext(
            api=api,
            timeline=timeline,
            lake=lake,
            topic=topic,
            replay_queue=replay_queue,
            clock=clock,
            new_token=new_token,
            limits=limits,
        )
    )


@cache
def planner() -> "Planner":
    """The planner, as its function's environment describes it.

    Raises ``NotSetUpError`` in a new stack, as long as its secret is empty.
    """
    from cpd_exporter.planner.limits import PlannerLimits
    from cpd_exporter.planner.slicer import SlicePolicy

    settings = PlannerSettings.read(os.environ)
    try:
        tenant_id, api = _tenant(
            settings, planner_pace(), new_client(max_silence_seconds=MAX_PLANNER_SILENCE_SECONDS)
        )
    except EmptySecretError as error:
        client = boto3.client("dynamodb", config=CLIENT_CONFIG)
        if has_items(client, settings.timeline_table):
            raise
        raise NotSetUpError(f"not set up yet: {error}") from None
    policy = SlicePolicy(settle=settings.settle_seconds)
    in_queue = VISIBILITY_PER_TIMEOUT * settings.worker_timeout_seconds
    return build_planner(
        api=api,
        timeline=_timeline(settings, tenant_id),
        queue=_queue(settings),
        clock=_now,
        new_token=_new_token,
        limits=PlannerLimits(
            origin=settings.first_date,
            slice_policy=policy,
            resend_policy=ResendPolicy(in_queue=in_queue),
            full_sweep=timedelta(days=settings.full_sweep_days),
            filter_time_zone=settings.filter_time_zone,
        ).within(settings.worker_calls_per_minute),
        lake=_lake(settings.lake_bucket),
    )


@cache
def worker() -> "Worker":
    """The worker, as its function's environment describes it."""
    from cpd_exporter.adapters.aws.replay_queue import SqsReplayQueue
    from cpd_exporter.adapters.aws.topic import SnsTopic, topic_client
    from cpd_exporter.worker.context import WorkerLimits

    settings = WorkerSettings.read(os.environ)
    seconds = settings.seconds_between_calls
    pace = CallPace(int(seconds > 0), seconds, patient=True)
    tenant_id, api = _tenant(settings, pace, new_client())
    return build_worker(
        api=api,
        timeline=_timeline(settings, tenant_id),
        lake=_lake(settings.lake_bucket),
        topic=SnsTopic(topic_client(), settings.topic_arn),
        replay_queue=SqsReplayQueue(boto3.client("sqs", config=CLIENT_CONFIG)),
        clock=_now,
        new_token=_new_token,
        limits=WorkerLimits(
            lease=min(settings.worker_timeout_seconds + timedelta(seconds=5), MAX_LEASE),
            deletion_delay=settings.deletion_delay_seconds,
            max_deletions=settings.max_deletions_per_day,
            fingerprint_exclude=settings.fingerprint_exclude,
            filter_time_zone=settings.filter_time_zone,
        ).within(seconds),
    )


@cache
def planner_pace() -> CallPace:
    """The pace of the planner's calls. Its handler bounds the time of each tick's."""
    return CallPace(PlannerSettings.read(os.environ).planner_calls_per_minute)


@cache
def work_queue() -> SqsQueue:
    """The work queue. The worker's handler postpones messages there, even where nothing else can be
    built.
    """
    return _queue(Settings.read(os.environ))


def discard() -> None:
    """Build anew next time: an operator may have mended the secret, its tenant included."""
    planner.cache_clear()
    planner_pace.cache_clear()
    worker.cache_clear()


def _tenant(settings: Settings, pace: CallPace, client: httpx.Client) -> tuple[str, EntriesApi]:
    """The tenant and its API: both come from the secret."""
    credentials = stored_credentials(
        boto3.client("secretsmanager", config=CLIENT_CONFIG),
        settings.secret_arn,
        settings.authentication,
    )
    return build_api(
        credentials,
        settings.environment,
        settings.token_audience,
        settings.scope,
        api_url=settings.api_url,
        fingerprint_exclude=settings.fingerprint_exclude,
        filter_time_zone=settings.filter_time_zone,
        clock=_now,
        client=client,
        pace=pace,
    )


def _timeline(settings: Settings, tenant_id: str) -> DynamoDbTimeline:
    client = boto3.client("dynamodb", config=CLIENT_CONFIG)
    return DynamoDbTimeline(client, settings.timeline_table, tenant_id)


def _lake(bucket: str) -> S3Lake:
    return S3Lake(boto3.client("s3", config=CLIENT_CONFIG), bucket)


def _queue(settings: Settings) -> SqsQueue:
    return SqsQueue(boto3.client("sqs", config=CLIENT_CONFIG), settings.queue_url)


def _now() -> datetime:
    return datetime.now(UTC)


def _new_token() -> str:
    return secrets.token_hex(8)
