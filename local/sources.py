"""The APIs that a stack may export, and the comparison of one with the lake."""

import contextlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from pydantic import ValidationError
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_fixed

from cpd_exporter.adapters.aws.secret import stored_credentials
from cpd_exporter.adapters.thrive.api import ThriveApi
from cpd_exporter.adapters.thrive.factory import build_api
from cpd_exporter.errors import ExporterError
from cpd_exporter.model.entry import Entry, read_entry
from cpd_exporter.model.local_time import is_divisible
from cpd_exporter.model.options import Audience, Authentication, Environment, Scope
from cpd_exporter.model.window import Window
from cpd_exporter.source.counter import count
from cpd_exporter.source.window_reader import Reading, read_window
from local.driver import Progress, without_remedy
from local.errors import UserError
from local.stack.deploy import DeployedStack
from simulator import (
    Behaviour,
    InjectedFault,
    Profile,
    ScheduledChange,
    Simulator,
    demo_profile,
    running,
    seeded,
)
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

    @property
    def secret_names(self) -> str:
        """Where the user gave the secret: what to mend if the API refuses it."""

    def count_entries(self, stack: DeployedStack) -> int | None:
        """About how many entries the API has; ``None`` if it does not say."""

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

    @property
    def secret_names(self) -> str:
        return "the simulator's own secret"

    def count_entries(self, stack: DeployedStack) -> int | None:  # noqa: ARG002 - the protocol's
        return len(self.simulator.store)

    def count_calls(self, stack: DeployedStack) -> int:  # noqa: ARG002 - the protocol's
        return self.simulator.count()

    def compare(
        self,
        stack: DeployedStack,  # noqa: ARG002 - the protocol's
        progress: Progress,
        lake: Collection[str],
    ) -> Comparison:
        window = (to_ms(progress.exported_from), to_ms(progress.exported_through))
        ids = {
            entry.log_entry_id
            for entry in self.simulator.store.between(*window)
            if isinstance(read_entry(entry.text.encode()), Entry)
        }
        return Comparison(len(ids), tuple(sorted(ids - set(lake))))


@dataclass(frozen=True)
class Made:
    """What a simulator holds, and how it behaves.

    ``switches`` are ``NAME=VALUE``; those of the names ``fault`` and ``change`` add up.
    """

    entries: int
    seed: int
    faulty: int = 0
    burst: int = 0
    switches: Sequence[str] = ()

    def profile(self) -> Profile:
        """The entries to make up: a demonstration's, up to a day ago."""
        demo = demo_profile(datetime.now(UTC), entries=self.entries, seed=self.seed)
        return replace(demo, faulty=self.faulty, burst=self.burst)

    def behaviour(self) -> Behaviour:
        """The switches, checked by the simulator's own model."""
        single: dict[str, Any] = {}
        rules: dict[str, list[Any]] = {"faults": [], "changes": []}
        try:
            for switch in self.switches:
                name, equals, value = switch.partition("=")
                if not equals:
                    raise UserError(f"--switch {switch} is no NAME=VALUE, such as per_page_cap=50")
                match name.replace("-", "_"):
                    case "fault":
                        rules["faults"].append(InjectedFault.parse(value))
                    case "change":
                        rules["changes"].append(ScheduledChange.parse(value))
                    case other:
                        single[other] = value.split() if other == "scopes" else value
            return Behaviour.model_validate(single | rules)
        except ValidationError as error:
            fault = error.errors()[0]
            name = ".".join(map(str, fault["loc"]))
            if fault["type"] == "extra_forbidden":
                wrong = f"the simulator has no switch {name}"
            else:
                demand = fault["msg"].partition(", unable")[0].replace("Input should", "must")
                wrong = f"{name} {demand}"
            raise UserError(f"--switch: {wrong}; docs/local.md says where all are listed") from None
        except ValueError as error:
            raise UserError(f"--switch: {error}") from None


@contextlib.contextmanager
def simulated(
    made: Made, parameters: Mapping[str, str], *, oauth2: bool
) -> Iterator[SimulatedSource]:
    """Serve a simulator over HTTP in this process."""
    behaviour = made.behaviour()  # a mistyped switch shows before many entries are made
    simulator = Simulator(seeded(made.profile()), behaviour, seed=made.seed)
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

    @property
    def secret_names(self) -> str:
        if "apiSecret" in self.secret:
            return "--tenant-id and CPD_API_SECRET"
        return "--tenant-id, CPD_CLIENT_ID and CPD_CLIENT_SECRET"

    def count_entries(self, stack: DeployedStack) -> int | None:
        try:
            return _api(self, stack).query(None, per_page=1).total
        except ExporterError:
            return None

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
            raise UserError(
                f"the export cannot be checked: {without_remedy(str(error))}"
            ) from error
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
