"""Both functions as Lambda calls them: AWS by moto, the API by the simulator over HTTP.

Whatever is logged must hold neither a secret nor anything that an entry says."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest

from cpd_exporter import bootstrap
from cpd_exporter.adapters.thrive.http import new_client
from simulator import Behaviour, EntryStore, Simulator, running
from tests.contracts.account import BUCKET, REGION, TABLE, opened
from tests.support.deployment import BASIC, CANARIES, CREDENTIALS, Deployment, lately


@pytest.fixture(scope="module")
def api() -> Iterator[tuple[Simulator, str]]:
    simulator = Simulator(EntryStore(), credentials=CREDENTIALS)
    with running(simulator) as url:
        yield simulator, url


@pytest.fixture
def stack(
    api: tuple[Simulator, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Deployment]:
    simulator, url = api
    simulator.store, simulator.behaviour = lately(), Behaviour()
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("POWERTOOLS_TRACE_DISABLED", "true")
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "CpdExporter")
    with opened(monkeypatch) as account, ExitStack() as clients:
        # A function's client lives as long as its environment: here, as long as a test.
        monkeypatch.setattr(
            bootstrap, "new_client", lambda **own: clients.enter_context(new_client(**own))
        )
        stack = Deployment(account, simulator, monkeypatch, capsys)
        arn = account.secretsmanager.create_secret(Name="credentials")["ARN"]
        stack.keep_secret(json.dumps(BASIC))
        stack.say(
            ENVIRONMENT="production",
            API_URL=url,
            AUTHENTICATION="basic",
            SCOPE="api/read",
            TOKEN_AUDIENCE="public",
            FILTER_TIME_ZONE="UTC",
            FIRST_DATE=f"{datetime.now(UTC) - timedelta(days=4):%Y-%m-%d}",
            SETTLE_SECONDS="120",
            SECRET_ARN=arn,
            TIMELINE_TABLE=TABLE,
            LAKE_BUCKET=BUCKET,
            TOPIC_ARN=account.topic_arn,
            QUEUE_URL=account.queue_url,
            WORKER_TIMEOUT_SECONDS="120",
            WORKER_CONCURRENCY="4",
        )
        yield stack
        stack.logged("ERROR")
        assert not [canary for canary in CANARIES if canary in stack.output]
