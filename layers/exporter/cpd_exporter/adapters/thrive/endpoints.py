"""The hosts of the API and of its token endpoints, as the vendor documents them."""

import ipaddress
from dataclasses import dataclass

import httpx

from cpd_exporter.errors import ConfigurationError
from cpd_exporter.model.options import Audience, Environment

_DOMAINS = {
    Environment.PRODUCTION: "api.learn.link",
    Environment.STAGING: "api.learnstaging.link",
    Environment.PRODUCTION_MEA: "api.mea.learn.tech",
    Environment.STAGING_MEA: "api.meastaging.learn.tech",
}

_TOKEN_HOSTS = {Audience.PUBLIC: "public", Audience.WEBHOOKS: "user"}


@dataclass(frozen=True, slots=True)
class Endpoints:
    """``api`` is the base URL of ``/rest/v1``, ``tokens`` that of ``/oauth2/token``."""

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
    """The environment's hosts. A given ``api_url`` replaces them all."""
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
