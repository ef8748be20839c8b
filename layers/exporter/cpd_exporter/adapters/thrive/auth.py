"""Authorization of requests: HTTP Basic, or OAuth 2.0 client credentials (RFC 6749)."""

import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Lock
from typing import Annotated, Protocol
from urllib.parse import quote_plus

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from cpd_exporter.adapters.aws.secret import ApiSecret, ClientSecret
from cpd_exporter.adapters.thrive.endpoints import Endpoints
from cpd_exporter.adapters.thrive.http import Http, Response, failure
from cpd_exporter.errors import AccessError, TransientError
from cpd_exporter.model.options import Scope
from cpd_exporter.ports import Clock

DEFAULT_TOKEN_SECONDS = 3600.0
"""The documented lifetime of a token. It counts where an answer names none."""


class CredentialsSource[Credentials: (ApiSecret, ClientSecret)](Protocol):
    """Holds credentials. Its ``remedy`` says how an operator mends them."""

    remedy: str

    def read(self) -> Credentials:
        """The credentials as last read."""

    def read_again(self) -> Credentials:
        """The credentials as they are now. An operator may have rotated them."""


class Access(Protocol):
    """Authorizes requests, for several threads at once.

    ``remedy`` says how an operator mends a 401, ``grant`` a 403.
    """

    remedy: str
    grant: str

    def authorization(self) -> str:
        """The ``Authorization`` header of the next request."""

    def renewed(self, refused: str) -> str:
        """The header to try after a 401; ``refused`` itself, if there is no other."""


class BasicAccess:
    """HTTP Basic: the tenant ID is the user, the API secret the password."""

    grant = "let the API secret read CPD entries"

    def __init__(self, credentials: CredentialsSource[ApiSecret]) -> None:
        self.remedy = credentials.remedy
        self._credentials = credentials

    def authorization(self) -> str:
        return _basic_header(self._credentials.read())

    def renewed(self, refused: str) -> str:  # noqa: ARG002  # as ``Access`` has it
        return _basic_header(self._credentials.read_again())


@dataclass(frozen=True, slots=True)
class _Token:
    header: str
    renew_at: float


class _Granted(BaseModel):
    """The members of the token endpoint's answer that matter here."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    access_token: Annotated[SecretStr, Field(min_length=1)]
    expires_in: Annotated[float, Field(ge=0, allow_inf_nan=False)] = DEFAULT_TOKEN_SECONDS


class _TokenRefusal(BaseModel):
    error: str


@dataclass(frozen=True, slots=True)
class _ClientForm:
    """One form in which a request carries the client's ID and secret."""

    name: str
    headers: dict[str, str]
    members: dict[str, str]


class ClientCredentialsAccess:
    """Bearer tokens, each renewed before it expires.

    The API does not document where its token endpoint expects the client's ID and secret. The RFC
    prefers Basic, so Basic comes first and the body last. A form that worked is tried first later.
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
        self._accepted_form: str | None = None
        self._token: _Token | None = None
        self._lock = Lock()

    def authorization(self) -> str:
        with self._lock:
            if self._token is None or self._monotonic() >= self._token.renew_at:
                credentials = self._credentials.read()
                token = self._request_token(credentials)
                self._token = token or self._request_with_fresh_secret(credentials)
            return self._token.header

    def renewed(self, refused: str) -> str:
        with self._lock:
            # Another thread may have renewed the token in the meantime.
            if self._token is None or self._token.header == refused:
                self._token = self._request_with_fresh_secret(None)
            return self._token.header

    def _request_with_fresh_secret(self, refused: ClientSecret | None) -> _Token:
        """Request a token with the secret as it is now, unless that one was ``refused``."""
        credentials = self._credentials.read_again()
        token = None if credentials == refused else self._request_token(credentials)
        if token is None:
            raise AccessError(f"the token endpoint refuses the client: {self.remedy}")
        return token

    def _request_token(self, credentials: ClientSecret) -> _Token | None:
        """A new token, or ``None`` where the endpoint refuses the client in every form."""
        forms = sorted(
            _client_forms(credentials), key=lambda form: form.name != self._accepted_form
        )
        for form in forms:
            requested_at = self._monotonic()
            response = self._http.request(
                "POST",
                self._endpoints.token(credentials.tenant_id),
                headers={"Accept": "application/json", **form.headers},
                form={
                    "grant_type": "client_credentials",
                    "scope": self._scope.value,
                    **form.members,
                },
            )
            if response.status == 200:
                token = _read_token(response, requested_at)
                self._accepted_form = form.name
                return token
            if response.status not in (400, 401):
                raise self._failure(response)
            if _error_of(response) == "invalid_scope":
                raise AccessError(
                    f"the token endpoint does not grant the scope {self._scope}: {self.grant}"
                )
        return None

    def _failure(self, response: Response) -> TransientError:
        """An error that no page is at fault for, so that none becomes a hole."""
        error = failure(response, self._clock())
        if isinstance(error, TransientError) and not isinstance(error, AccessError):
            return error
        return AccessError(
            f"{response.request} answered {response.status}: are the tenant ID, the environment "
            f"and the API URL right? If it is the tenant ID, {self.remedy}"
        )


def _basic_header(credentials: ApiSecret) -> str:
    return _basic(credentials.tenant_id, credentials.api_secret.get_secret_value())


def _basic(user: str, password: str) -> str:
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


def _client_forms(credentials: ClientSecret) -> Iterator[_ClientForm]:
    identity, secret = credentials.client_id, credentials.client_secret.get_secret_value()
    encoded = quote_plus(identity), quote_plus(secret)
    yield _ClientForm("basic", {"Authorization": _basic(*encoded)}, {})
    if encoded != (identity, secret):
        # The RFC wants both encoded, but some servers do not decode them.
        yield _ClientForm("basic, not encoded", {"Authorization": _basic(identity, secret)}, {})
    yield _ClientForm("body", {}, {"client_id": identity, "client_secret": secret})


def _read_token(response: Response, requested_at: float) -> _Token:
    try:
        granted = _Granted.model_validate_json(response.body)
    except ValidationError:
        raise AccessError(
            f"{response.request} answered something else than a token: is the API URL right?"
        ) from None
    lifetime = granted.expires_in
    return _Token(
        header=f"Bearer {granted.access_token.get_secret_value()}",
        renew_at=requested_at + lifetime - min(60.0, lifetime / 10),
    )


def _error_of(response: Response) -> str | None:
    """The error code of RFC 6749, if the body has one."""
    try:
        return _TokenRefusal.model_validate_json(response.body).error
    except ValidationError:
        return None
