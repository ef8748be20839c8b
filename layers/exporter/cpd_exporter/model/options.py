"""The documented choices of the API, and the form of a tenant ID."""

from enum import StrEnum


class Environment(StrEnum):
    """Where a tenant is. Its ID differs between staging and production."""

    PRODUCTION = "production"
    STAGING = "staging"
    PRODUCTION_MEA = "production-mea"
    STAGING_MEA = "staging-mea"


class Authentication(StrEnum):
    """``BASIC``: tenant ID and API secret. ``OAUTH2``: client credentials.

    ``AUTO``: OAuth 2.0 if the secret holds a client, Basic if it holds an API secret.
    """

    AUTO = "auto"
    BASIC = "basic"
    OAUTH2 = "oauth2"


class Audience(StrEnum):
    """Which of an environment's two token endpoints grants the tokens."""

    PUBLIC = "public"
    WEBHOOKS = "webhooks"


class Scope(StrEnum):
    """The access that a token grants. The export needs no more than ``READ``."""

    READ = "api/read"
    WRITE = "api/write"
    ALL = "api/all"
    WEBHOOKS = "api/webhooks"


SAFE_TENANT = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
"""The form of a tenant ID, which becomes part of lake keys and of event sources."""
