"""The APIs that a stack may export, and the comparison of one with the lake."""

import contextlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from cpd_exporter.adapters.aws.secret import stored_credentials
from cpd_exporter.adapters.thrive.api import ThriveApi
from cpd_exporter.adapters.thrive.factory import build_api
from cpd_exporter.errors import ExporterError
from cpd_exporter.model.entry import Entry
from cpd_exporter.model.local_time import is_divisible
from cpd_exporter.model.options import Audience, Authentication, Environment, Scope
from cpd_exporter.model.window import Window
from cpd_exporter.source.counter import count
from cpd_exporter.source.window_reader import Reading, read_window
from local.driver import Progress
from local.errors import UserError
from local.stack.deploy import DeployedStack
from simulator import Simulator, demo_profile, running, seeded
from simulator.source import to_ms

_PARTS = 8


@dataclass(frozen=True)
class Comparison:
    """How many entries the API has in the time that is exported, and which of them are missing."""

    entries: int
    missing: tuple[str, ...]


class ExportSource(Protocol):
    """An API that a stack exports."""

    @property
    def parameters(self) -> Mapping[str, str]:
        """The template parameters of a stack that exports this API."""

    @property
    def secret(self) -> Mapping[str, str]:
        """The content of the stack's secret."""

    def count_calls(self, stack: DeployedStack) -> int:
        """Count the calls that the API has received so far."""

    def compare(
        self, stack: DeployedStack, progress: Progress, lake: Collection[str]
    ) -> Comparison:
        """Compare the IDs in the lake with the API's."""


@dataclass(frozen=True)
class SimulatedSource:
    """The project's own simulator; it counts calls and entries itself."""

    simulator: Simulator
    parameters: Mapping[str, str]
    secret: Mapping[str, str]

    def count_calls(self, stack: DeployedStack) -> int:  # noqa: ARG002 - the protocol's
        return self.simulator.count()

    def compare(
        self,
        stack: DeployedStack,  # noqa: ARG002 - the protocol's
        progress: Progress,
        lake: Collection[str],
    ) -> Comparison:
        window = (to_ms(progress.exported_from), to_ms(progress.exported_through))
        ids = {entry.log_entry_id for entry in self.simulator.store.between(*window)}
        return Comparison(len(ids), tuple(sorted(ids - set(lake))))


@contextlib.contextmanager
def simulated(
    entries: int, seed: int, parameters: Mapping[str, str], *, oauth2: bool
) -> Iterator[SimulatedSource]:
    """Serve a simulator over HTTP in this process; none of its entries is faulty."""
    simulator = Simulator(seeded(demo_profile(datetime.now(UTC), entries=entries, seed=seed)))
    accepted = simulator.credentials
    secret = {"tenantId": accepted.tenant_id}
    if oauth2:
        secret |= {"clientId": accepted.client_id, "clientSecret": accepted.client_secret}
    else:
        secret |= {"apiSecret": accepted.api_secret}
    with running(simulator) as url:
        yield SimulatedSource(simulator, {**parameters, "ApiUrl": url}, secret)


@dataclass(frozen=True)
class ServiceSource:
    """The real service, or any other server; only its API says how many entries there are."""

    environment: Environment
    audience: Audience
    scope: Scope
    parameters: Mapping[str, str]
    secret: Mapping[str, str]

    def count_calls(self, stack: DeployedStack) -> int:
        return sum_logged(stack, "apiCalls")

    def compare(
        self, stack: DeployedStack, progress: Progress, lake: Collection[str]
    ) -> Comparison:
        """Compare by the API's own total; if that differs, read every entry again."""
        window = Window(progress.exported_from, progress.exported_through)
        try:
            api = _retrying(_api, self, stack)
            if _retrying(count, api, window).total == len(lake) + progress.quarantined:
                return Comparison(len(lake), ())
            ids = {entry.id for entry in _entries(api, window, _zone(self))}
        except ExporterError as error:
            raise UserError(f"the export cannot be checked: {error}") from error
        return Comparison(len(ids), tuple(sorted(ids - set(lake))))


def _api(source: ServiceSource, stack: DeployedStack) -> ThriveApi:
    """Build the exporter's own API client, with the credentials in the stack's secret."""
    credentials = stored_credentials(
        stack.account.secrets, stack.outputs["CredentialsSecretArn"], Authentication.AUTO
    )
    _, api = build_api(
        credentials,
        source.environment,
        source.audience,
        source.scope,
        api_url=source.parameters.get("ApiUrl", ""),
        filter_time_zone=_zone(source),
        clock=_now,
    )
    return api


def _zone(source: ServiceSource) -> ZoneInfo:
    return ZoneInfo(source.parameters.get("FilterTimeZone", "UTC"))


def _entries(api: ThriveApi, window: Window, zone: tzinfo) -> Iterator[Entry]:
    may_split = is_divisible(window, zone)
    reading = _retrying(read_window, api, window, may_split=may_split)
    if isinstance(reading, Reading):
        yield from reading.entries
    else:
        for part in window.split(_PARTS):
            yield from _entries(api, part, zone)


_retrying = Retrying(
    retry=retry_if_exception_type(ExporterError),
    stop=stop_after_attempt(5),
    wait=wait_fixed(1),
    reraise=True,
)
"""One unreadable response says nothing about the export, so the check retries as workers do."""


def sum_logged(stack: DeployedStack, *path: str) -> int:
    """Sum up a field, such as ``changes``, ``created``, over the logs of both functions."""
    logs = stack.account.logs
    total = 0
    for group in logs.describe_log_groups()["logGroups"]:
        for page in logs.get_paginator("filter_log_events").paginate(
            logGroupName=group["logGroupName"], filterPattern=f'"{path[-1]}"'
        ):
            for event in page["events"]:
                if event["message"].startswith("{"):
                    total += _field(json.loads(event["message"]), *path)
    return total


def _field(line: Any, *path: str) -> int:
    for name in path:
        line = line.get(name) if isinstance(line, dict) else None
    return line if isinstance(line, int) else 0


def _now() -> datetime:
    return datetime.now(UTC)
