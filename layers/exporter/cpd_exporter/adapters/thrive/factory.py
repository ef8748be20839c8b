"""Builds the API's client for the tenant that the credentials name.

``bootstrap`` passes its settings, and ``local`` the parameters of the stack that it checks:

    credentials = stored_credentials(secrets_manager, secret_arn, authentication)
    tenant_id, api = build_api(
        credentials, environment, audience, scope, api_url=api_url, clock=clock
    )
"""

from datetime import UTC, tzinfo
from typing import TypeIs

import httpx

from cpd_exporter.adapters.aws.secret import ApiSecret, ClientSecret
from cpd_exporter.adapters.thrive.api import ThriveApi
from cpd_exporter.adapters.thrive.auth import (
    Access,
    BasicAccess,
    ClientCredentialsAccess,
    CredentialsSource,
)
from cpd_exporter.adapters.thrive.endpoints import endpoints
from cpd_exporter.adapters.thrive.http import Http, new_client
from cpd_exporter.adapters.thrive.pace import CallPace
from cpd_exporter.model.options import Audience, Environment, Scope
from cpd_exporter.ports import Clock

type AnyCredentials = CredentialsSource[ApiSecret] | CredentialsSource[ClientSecret]


def build_api(
    credentials: AnyCredentials,
    environment: Environment,
    audience: Audience,
    scope: Scope,
    *,
    clock: Clock,
    api_url: str = "",
    fingerprint_exclude: frozenset[str] = frozenset(),
    filter_time_zone: tzinfo = UTC,
    client: httpx.Client | None = None,
    pace: CallPace | None = None,
) -> tuple[str, ThriveApi]:
    """The tenant's ID, and the client that reads this tenant's entries.

    The credentials decide the authentication: an ``ApiSecret`` means Basic, a ``ClientSecret``
    OAuth 2.0. They are read here, so that credentials that cannot be used raise
    ``ConfigurationError`` at once. ``api_url`` overrides the environment's hosts.
    """
    hosts = endpoints(environment, audience, api_url=api_url)
    http = Http(new_client() if client is None else client, pace=pace)
    tenant_id = credentials.read().tenant_id
    access: Access
    if _hold_api_secret(credentials):
        access = BasicAccess(credentials)
    else:
        access = ClientCredentialsAccess(credentials, http, hosts, scope, clock=clock)
    api = ThriveApi(
        http,
        hosts,
        access,
        clock=clock,
        fingerprint_exclude=fingerprint_exclude,
        filter_time_zone=filter_time_zone,
    )
    return tenant_id, api


def _hold_api_secret(credentials: AnyCredentials) -> TypeIs[CredentialsSource[ApiSecret]]:
    return isinstance(credentials.read(), ApiSecret)
