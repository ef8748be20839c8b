"""Where the API is, and how it may be signed in to: the vendor's documented choices."""

import ipaddress
from dataclasses import dataclass
from enum import StrEnum

import httpx

from cpd_exporter.errors import ConfigurationError


class Environment(StrEnum):
    """A tenant's ID differs between staging and production."""

    PRODUCTION = "production"
    STAGING = "staging"
    PRODUCTION_MEA = "production-mea"
    STAGING_MEA = "staging-mea"


class Authentication(StrEnum):
    """``BASIC``: tenant ID and API secret. ``OAUTH2``: client credentials."""

    BASIC = "basic"
    OAUTH2 = "oauth2"


class Audience(StrEnum):
    """Which of an environment's two token endpoints is asked."""

    PUBLIC = "public"
    WEBHOOKS = "webhooks"


class Scope(StrEnum):
    """What a token may be asked to allow. The export needs no more than ``READ``."""

    READ = "api/read"
    WRITE = "api/write"
    ALL = "api/all"
    WEBHOOKS = "api/webhooks"


_DOMAINS = {
    Environment.PRODUCTION: "api.learn.link",
    Environment.STAGING: "api.learnstaging.link",
    Environment.PRODUCTION_MEA: "api.mea.learn.tech",
    Environment.STAGING_MEA: "api.meastaging.learn.tech",
}
_TOKEN_HOSTS = {Audience.PUBLIC: "public", Audience.WEBHOOKS: "user"}


@dataclass(frozen=True, slots=True)
class Endpoints:
    """``api`` is what ``/rest/v1`` stands below, ``tokens`` what ``/oauth2/token`` does."""

    api: str
    tokens: str

    @property
    def entries(self) -> str:
        return f"{self.api}/rest/v1/cpdEntries"

    @property
    def summaries(self) -> str:
        return f"{self.api}/rest/v1/cpdUserLogSummaries"

    def token(self, tenant_id: str) -> str:
        return f"{self.tokens}/oauth2/token/{tenant_id}"


def endpoints(environment: Environment, audience: Audience, *, api_url: str = "") -> Endpoints:
    """The environment's hosts; or all of it below ``api_url``, if that is given."""
    if api_url:
        base = _checked(api_url)
        return Endpoints(api=base, tokens=base)
    domain = _DOMAINS[environment]
    return Endpoints(
        api=f"https://public.{domain}", tokens=f"https://{_TOKEN_HOSTS[audience]}.{domain}"
    )


def _checked(api_url: str) -> str:
    try:
        url = httpx.URL(api_url)
    except httpx.InvalidURL as error:
        raise ConfigurationError(f"the API URL cannot be read: {error}") from None
    plain = url.scheme == "http" and _is_loopback(url.host)
    if not (url.host and (plain or url.scheme == "https")):
        raise ConfigurationError(
            "the API URL must be https://…, or http://… on this very machine (127.0.0.1)"
        )
    if url.userinfo or url.query or url.fragment:
        raise ConfigurationError(
            "the API URL is the part before /rest/v1, without user, query or fragment"
        )
    return str(url).rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
