"""Signing requests: HTTP Basic, or a bearer token by OAuth 2.0 client credentials (RFC 6749)."""

import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Lock
from typing import Annotated, Protocol
from urllib.parse import quote_plus

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from cpd_exporter.adapters.credentials import ApiSecret, ClientSecret
from cpd_exporter.adapters.environments import Endpoints, Scope
from cpd_exporter.adapters.http import Http, Response, failure
from cpd_exporter.errors import AccessError, TransientError
from cpd_exporter.ports import Clock

DEFAULT_LIFETIME = 3600.0
"""Seconds: what is documented, for an answer that does not name it."""


class CredentialsSource[Credentials: (ApiSecret, ClientSecret)](Protocol):
    """Where credentials come from; ``remedy`` tells the operator how to mend them."""

    remedy: str

    def read(self) -> Credentials:
        """The credentials as they were last read."""

    def read_again(self) -> Credentials:
        """The credentials as they are now: they may have been rotated."""


class Access(Protocol):
    """A way to sign requests. Safe to use from several threads at once.

    ``remedy`` tells the operator what to do about a 401, ``grant`` what about a 403.
    """

    remedy: str
    grant: str

    def authorization(self) -> str:
        """The ``Authorization`` header of the next request."""

    def renewed(self, refused: str) -> str:
        """The header to try once after 401; ``refused`` itself, if there is no other."""


class BasicAccess:
    """The tenant ID is the user, the API secret the password."""

    grant = "let the API secret read CPD entries"

    def __init__(self, credentials: CredentialsSource[ApiSecret]) -> None:
        self.remedy = credentials.remedy
        self._credentials = credentials

    def authorization(self) -> str:
        return _signed(self._credentials.read())

    def renewed(self, refused: str) -> str:
        return _signed(self._credentials.read_again())


@dataclass(frozen=True, slots=True)
class _Token:
    header: str
    renew_at: float


class _Granted(BaseModel):
    """The token endpoint's answer, as far as it matters here."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    access_token: Annotated[SecretStr, Field(min_length=1)]
    expires_in: Annotated[float, Field(ge=0, allow_inf_nan=False)] = DEFAULT_LIFETIME


class _Refused(BaseModel):
    error: str


@dataclass(frozen=True, slots=True)
class _Way:
    """One way of telling the token endpoint who asks."""

    name: str
    headers: dict[str, str]
    form: dict[str, str]


class ClientCredentialsAccess:
    """Bearer tokens, each renewed ahead of its end.

    Where the token endpoint wants the client's ID and secret is not documented: Basic is tried, as
    the RFC prefers, then the body, and what worked comes first from then on.
    """

    def __init__(
        self,
        credentials: CredentialsSource[ClientSecret],
        http: Http,
        endpoints: Endpoints,
        scope: Scope,
        *,
        clock: Clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.remedy = credentials.remedy
        self.grant = f"let the client ask for the scope {scope}, and see that it includes reading"
        self._credentials = credentials
        self._http = http
        self._endpoints = endpoints
        self._scope = scope
        self._clock = clock
        self._monotonic = monotonic
        self._worked: str | None = None
        self._token: _Token | None = None
        self._lock = Lock()

    def authorization(self) -> str:
        with self._lock:
            if self._token is None or self._monotonic() >= self._token.renew_at:
                credentials = self._credentials.read()
                self._token = self._ask(credentials) or self._ask_again(credentials)
            return self._token.header

    def renewed(self, refused: str) -> str:
        with self._lock:
            # Another thread may have renewed it in the meantime.
            if self._token is None or self._token.header == refused:
                self._token = self._ask_again(None)
            return self._token.header

    def _ask_again(self, refused: ClientSecret | None) -> _Token:
        """Ask with the secret as it is now, unless it is the one that was ``refused``."""
        credentials = self._credentials.read_again()
        token = None if credentials == refused else self._ask(credentials)
        if token is None:
            raise AccessError(f"the token endpoint refuses the client: {self.remedy}")
        return token

    def _ask(self, credentials: ClientSecret) -> _Token | None:
        """A new token; ``None`` where the client is refused, whichever way it says who it is."""
        for way in sorted(_ways(credentials), key=lambda way: way.name != self._worked):
            asked_at = self._monotonic()
            response = self._http.request(
                "POST",
                self._endpoints.token(credentials.tenant_id),
                headers={"Accept": "application/json", **way.headers},
                form={
                    "grant_type": "client_credentials",
                    "scope": self._scope.value,
                    **way.form,
                },
            )
            if response.status == 200:
                token = _read_token(response, asked_at)
                self._worked = way.name
                return token
            if response.status not in (400, 401):
                raise self._failure(response)
            if _error_of(response) == "invalid_scope":
                raise AccessError(
                    f"the token endpoint does not grant the scope {self._scope}: {self.grant}"
                )
        return None

    def _failure(self, response: Response) -> TransientError:
        """Never the fault of a page, so that none becomes a hole by it."""
        error = failure(response, self._clock())
        if isinstance(error, TransientError) and not isinstance(error, AccessError):
            return error
        return AccessError(
            f"{response.request} answered {response.status}: are the tenant ID, the environment "
            f"and the API URL right? If it is the tenant ID, {self.remedy}"
        )


def _signed(credentials: ApiSecret) -> str:
    return _basic(credentials.tenant_id, credentials.api_secret.get_secret_value())


def _basic(user: str, password: str) -> str:
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


def _ways(credentials: ClientSecret) -> Iterator[_Way]:
    identity, secret = credentials.client_id, credentials.client_secret.get_secret_value()
    encoded = quote_plus(identity), quote_plus(secret)
    yield _Way("basic", {"Authorization": _basic(*encoded)}, {})
    if encoded != (identity, secret):
        # The RFC encodes both first; not every server decodes them.
        yield _Way("basic, not encoded", {"Authorization": _basic(identity, secret)}, {})
    yield _Way("body", {}, {"client_id": identity, "client_secret": secret})


def _read_token(response: Response, asked_at: float) -> _Token:
    try:
        granted = _Granted.model_validate_json(response.body)
    except ValidationError:
        raise AccessError(
            f"{response.request} answered something else than a token: is the API URL right?"
        ) from None
    lifetime = granted.expires_in
    return _Token(
        header=f"Bearer {granted.access_token.get_secret_value()}",
        renew_at=asked_at + lifetime - min(60.0, lifetime / 10),
    )


def _error_of(response: Response) -> str | None:
    """The error's code by RFC 6749, where the body has that form."""
    try:
        return _Refused.model_validate_json(response.body).error
    except ValidationError:
        return None
