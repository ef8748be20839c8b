"""Who may ask: HTTP Basic with the API secret, and OAuth 2.0 client credentials (RFC 6749)."""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

from simulator.behaviour import Behaviour
from simulator.refusal import Refused

READING_SCOPES = frozenset({"api/read", "api/all"})
NOT_STORED = {"Cache-Control": "no-store", "Pragma": "no-cache"}


@dataclass(frozen=True, slots=True)
class Credentials:
    """What the service accepts: the pair for Basic, and the client's pair for a token."""

    tenant_id: str = "eu-west-2_Simulat0r"
    api_secret: str = "simulator-api-secret"  # noqa: S105 - guards made-up data only
    client_id: str = "simulator-client"
    client_secret: str = "simulator-client-secret"  # noqa: S105 - as above


@dataclass(frozen=True, slots=True)
class _Token:
    expires_at: datetime
    scopes: frozenset[str]


class Access:
    """The tokens given out, and the two decisions. Not safe for threads: its owner locks."""

    def __init__(self, credentials: Credentials, rng: Random) -> None:
        self.credentials = credentials
        self._rng = rng
        self._tokens: dict[str, _Token] = {}

    def revoke_tokens(self) -> None:
        """Every token given out so far answers 401 from now on."""
        self._tokens.clear()

    def authorise(self, authorization: str | None, now: datetime) -> None:
        """Let a reading call pass, or refuse with 401, or 403 for a token without the scope."""
        scheme, _, parameter = (authorization or "").partition(" ")
        if scheme.lower() == "basic":
            expected = (self.credentials.tenant_id, self.credentials.api_secret)
            if _basic_pair(parameter) == expected:
                return
            raise _unauthorised("The tenant ID or the API secret is wrong")
        if scheme.lower() == "bearer":
            token = self._tokens.get(parameter.strip())
            if token is None or token.expires_at <= now:
                raise _unauthorised("The access token is unknown or has expired")
            if not token.scopes & READING_SCOPES:
                raise Refused(403, "The access token lacks the scope api/read")
            return
        raise _unauthorised("Credentials are missing")

    def grant(
        self,
        tenant_id: str,
        headers: Mapping[str, str],
        body: str,
        behaviour: Behaviour,
        now: datetime,
    ) -> dict[str, Any]:
        """Answer `POST /oauth2/token/{tenantId}`; refusals have the bodies of RFC 6749."""
        if tenant_id != self.credentials.tenant_id:
            raise Refused(404, f"Tenant {tenant_id} not found")
        content_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type != "application/x-www-form-urlencoded":
            raise _refused(400, "invalid_request", "the body must be form-urlencoded")
        form = dict(parse_qsl(body, keep_blank_values=True))
        self._authenticate(headers.get("authorization"), form, behaviour)
        if "grant_type" not in form:
            raise _refused(400, "invalid_request", "grant_type is missing")
        if form["grant_type"] != "client_credentials":
            raise _refused(400, "unsupported_grant_type", "only client_credentials is supported")
        scopes = frozenset(form.get("scope", "").split()) or behaviour.scopes
        if not scopes <= behaviour.scopes:
            raise _refused(400, "invalid_scope", "the client may not ask for this scope")
        text = f"{self._rng.getrandbits(256):064x}"
        lifetime = behaviour.token_lifetime_seconds
        self._tokens[text] = _Token(now + timedelta(seconds=lifetime), scopes)
        return {
            "access_token": text,
            "token_type": "Bearer",
            "expires_in": lifetime,
            "scope": " ".join(sorted(scopes)),
        }

    def _authenticate(
        self, authorization: str | None, form: Mapping[str, str], behaviour: Behaviour
    ) -> None:
        expected = (self.credentials.client_id, self.credentials.client_secret)
        in_body = "client_secret" in form
        if authorization is not None and in_body:
            raise _refused(400, "invalid_request", "more than one way of client authentication")
        if in_body:
            pair = (form.get("client_id", ""), form["client_secret"])
            accepted = behaviour.client_credentials_in != "basic" and pair == expected
        else:
            scheme, _, parameter = (authorization or "").partition(" ")
            given = _basic_pair(parameter) if scheme.lower() == "basic" else None
            # RFC 6749 wants the pair form-urlencoded before it is encoded for Basic; few do so.
            decoded = given and (unquote_plus(given[0]), unquote_plus(given[1]))
            accepted = behaviour.client_credentials_in != "body" and expected in (given, decoded)
        if not accepted:
            raise _refused(
                behaviour.invalid_client_status,
                "invalid_client",
                "client authentication failed",
                {} if in_body else {"WWW-Authenticate": 'Basic realm="token"'},
            )


def _basic_pair(parameter: str) -> tuple[str, str] | None:
    try:
        user, colon, password = base64.b64decode(parameter, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (user, password) if colon else None


def _unauthorised(message: str) -> Refused:
    return Refused(401, message, headers={"WWW-Authenticate": 'Basic realm="api", Bearer'})


def _refused(
    status: int, error: str, description: str, headers: Mapping[str, str] | None = None
) -> Refused:
    return Refused(
        status,
        description,
        headers=NOT_STORED | dict(headers or {}),
        body={"error": error, "error_description": description},
    )
