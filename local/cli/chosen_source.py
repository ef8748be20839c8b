"""The source that the options choose, with its secret from the environment or the user."""

import contextlib
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import typer
from pydantic.alias_generators import to_snake

from cpd_exporter.model.options import Authentication, Environment
from local.cli.options import DemoOptions, SourceOptions
from local.errors import UserError
from local.sources import ExportSource, Made, ServiceSource, simulated
from local.stack.deploy import WORKER_CONCURRENCY
from local.stack.template import check


@contextlib.contextmanager
def chosen_source(options: SourceOptions) -> Iterator[ExportSource]:
    """Yield the real service, a named server, or a simulator that runs within this context."""
    parameters = _parameters(options)
    check({"WorkerConcurrency": WORKER_CONCURRENCY, **parameters}, _option)
    if options.environment or options.api_url:
        yield ServiceSource(
            options.environment or Environment.PRODUCTION,
            options.token_audience,
            options.scope,
            parameters,
            _read_secret(options),
        )
    elif options.tenant_id:
        raise UserError("--tenant-id needs --environment or --api-url beside it")
    else:
        oauth2 = options.auth is not Authentication.BASIC
        with simulated(made_by(options), parameters, oauth2=oauth2) as source:
            yield source


def made_by(options: SourceOptions | DemoOptions) -> Made:
    """The simulator that the options describe."""
    if max(options.faulty, options.burst) > options.entries:
        raise UserError("--faulty and --burst are among --entries: they cannot be more")
    return Made(
        options.entries, options.seed, options.faulty, options.burst, tuple(options.switch or ())
    )


def _option(parameter: str) -> str:
    """The option that gives a parameter of the template."""
    name = "auth" if parameter == "Authentication" else to_snake(parameter)
    return f"--{name.replace('_', '-')}"


def _parameters(options: SourceOptions) -> dict[str, str]:
    """Return the template parameters that the user gave; the template has defaults for the rest."""
    first_date = options.first_date
    if first_date and first_date.replace(tzinfo=UTC) > datetime.now(UTC):
        raise UserError("--first-date is in the future: there is nothing to export")
    given = {
        "Environment": options.environment,
        "ApiUrl": options.api_url,
        "Authentication": options.auth,
        "Scope": options.scope,
        "TokenAudience": options.token_audience,
        "FirstDate": first_date and f"{first_date:%Y-%m-%d}",
        "SettleSeconds": options.settle_seconds,
        "FilterTimeZone": options.filter_time_zone,
        "ApiCallsPerMinute": options.api_calls_per_minute,
        "DeletionDelaySeconds": options.deletion_delay_seconds,
    }
    return {name: str(value) for name, value in given.items() if value not in {None, ""}}


def _read_secret(options: SourceOptions) -> dict[str, str]:
    tenant_id = options.tenant_id or _prompt("--tenant-id", "Tenant ID", hidden=False)
    if options.auth is Authentication.BASIC or _has_api_secret_only(options):
        return {"tenantId": tenant_id, "apiSecret": _read("CPD_API_SECRET", "API secret")}
    return {
        "tenantId": tenant_id,
        "clientId": _read("CPD_CLIENT_ID", "Client ID", hidden=False),
        "clientSecret": _read("CPD_CLIENT_SECRET", "Client secret"),
    }


def _has_api_secret_only(options: SourceOptions) -> bool:
    """Whether the environment decides for Basic, where the options leave that open."""
    is_open = options.auth is Authentication.AUTO
    return is_open and not os.environ.get("CPD_CLIENT_ID") and "CPD_API_SECRET" in os.environ


def _read(variable: str, name: str, *, hidden: bool = True) -> str:
    return os.environ.get(variable) or _prompt(variable, name, hidden=hidden)


def _prompt(given_by: str, name: str, *, hidden: bool) -> str:
    if not sys.stdin.isatty():
        raise UserError(f"{name} is missing: give it by {given_by}")
    return str(typer.prompt(name, hide_input=hidden, err=True))
