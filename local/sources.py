"""What is exported, and how much there is of it."""

import contextlib
import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from cpd_exporter.adapters.aws.secret import ApiSecret, ClientSecret, SecretsManagerCredentials
from cpd_exporter.adapters.thrive.api import ThriveApi
from cpd_exporter.adapters.thrive.auth import Access, BasicAccess, ClientCredentialsAccess
from cpd_exporter.adapters.thrive.endpoints import endpoints
from cpd_exporter.adapters.thrive.http import Http, new_client
from cpd_exporter.errors import ExporterError
from cpd_exporter.model.entry import Entry
from cpd_exporter.model.options import Audience, Environment, Scope
from cpd_exporter.model.timestamps import SECOND
from cpd_exporter.model.window import Window
from cpd_exporter.source.counter import count
from cpd_exporter.source.window_reader import Reading, read_window
from local.driving import Progress
from local.problem import UserError
from local.stack import Stack
from simulator import Simulator, demo_profile, running, seeded
from simulator.source import to_ms

_PARTS = 8


@dataclass(frozen=True)
class Comparison:
    """How many entries the API has in the time that is exported, and which of them are missing."""

    entries: int
    missing: tuple[str, ...]


class Source(Protocol):
    @property
    def parameters(self) -> Mapping[str, str]:
        """The template's, for a stack that exports this."""

    @property
    def secret(self) -> Mapping[str, str]:
        """What the stack's secret has to hold."""

    def calls(self, stack: Stack) -> int:
        """How often the API was called so far."""

    def compare(self, stack: Stack, progress: Progress, lake: Collection[str]) -> Comparison:
        """Hold the IDs in the lake against the API's."""


@dataclass(frozen=True)
class Simulated:
    """The project's own simulator, which can be asked directly."""

    simulator: Simulator
    parameters: Mapping[str, str]
    secret: Mapping[str, str]

    def calls(self, stack: Stack) -> int:
        return self.simulator.count()

    def compare(self, stack: Stack, progress: Progress, lake: Collection[str]) -> Comparison:
        window = (to_ms(progress.exported_from), to_ms(progress.exported_through))
        ids = {entry.log_entry_id for entry in self.simulator.store.between(*window)}
        return Comparison(len(ids), tuple(sorted(ids - set(lake))))


@contextlib.contextmanager
def simulated(
    entries: int, seed: int, parameters: Mapping[str, str], *, oauth2: bool
) -> Iterator[Simulated]:
    """A simulator with so many entries, none faulty, over HTTP in this process."""
    simulator = Simulator(seeded(demo_profile(datetime.now(UTC), entries=entries, seed=seed)))
    accepted = simulator.credentials
    secret = {"tenantId": accepted.tenant_id}
    if oauth2:
        secret |= {"clientId": accepted.client_id, "clientSecret": accepted.client_secret}
    else:
        secret |= {"apiSecret": accepted.api_secret}
    with running(simulator) as url:
        yield Simulated(simulator, {**parameters, "ApiUrl": url}, secret)


@dataclass(frozen=True)
class Foreign:
    """The real service, or any other server: all there is to go by is what its API answers."""

    environment: Environment
    audience: Audience
    scope: Scope
    parameters: Mapping[str, str]
    secret: Mapping[str, str]

    def calls(self, stack: Stack) -> int:
        return metric(stack, "ApiCalls")

    def compare(self, stack: Stack, progress: Progress, lake: Collection[str]) -> Comparison:
        """By the API's own total; where that disagrees, by reading everything again."""
        api = self._api(stack)
        window = Window(progress.exported_from, progress.exported_through)
        try:
            if _patiently(count, api, window).total == len(lake) + progress.quarantined:
                return Comparison(len(lake), ())
            ids = {entry.id for entry in _entries(api, window)}
        except ExporterError as error:
            raise UserError(f"the export cannot be checked: {error}") from error
        return Comparison(len(ids), tuple(sorted(ids - set(lake))))

    def _api(self, stack: Stack) -> ThriveApi:
        """The exporter's own client, signed in by the stack's secret."""
        hosts = endpoints(
            self.environment, self.audience, api_url=self.parameters.get("ApiUrl", "")
        )
        where = stack.account.secrets, stack.outputs["CredentialsSecretArn"]
        http = Http(new_client())
        access: Access
        if "apiSecret" in self.secret:
            access = BasicAccess(SecretsManagerCredentials(*where, ApiSecret))
        else:
            credentials = SecretsManagerCredentials(*where, ClientSecret)
            access = ClientCredentialsAccess(credentials, http, hosts, self.scope, clock=_now)
        zone = ZoneInfo(self.parameters.get("FilterTimeZone", "UTC"))
        return ThriveApi(http, hosts, access, clock=_now, filter_time_zone=zone)


def _entries(api: ThriveApi, window: Window) -> Iterator[Entry]:
    may_split = window.length >= 2 * SECOND
    reading = _patiently(read_window, api, window, may_split=may_split)
    if isinstance(reading, Reading):
        yield from reading.entries
    else:
        for part in window.split(_PARTS):
            yield from _entries(api, part)


_patiently = Retrying(
    retry=retry_if_exception_type(ExporterError),
    stop=stop_after_attempt(5),
    wait=wait_fixed(1),
    reraise=True,
)
"""As workers do: one answer that cannot be read says nothing of the export."""


def metric(stack: Stack, name: str) -> int:
    """A metric's sum over all that both functions wrote to their logs."""
    logs = stack.account.logs
    total = 0.0
    for group in logs.describe_log_groups()["logGroups"]:
        for page in logs.get_paginator("filter_log_events").paginate(
            logGroupName=group["logGroupName"], filterPattern=f'"{name}"'
        ):
            for event in page["events"]:
                if event["message"].startswith("{"):
                    total += sum(json.loads(event["message"]).get(name, []))
    return int(total)


def _now() -> datetime:
    return datetime.now(UTC)
