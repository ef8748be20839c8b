"""The tenant's credentials, from one secret in Secrets Manager."""

from typing import TYPE_CHECKING, Annotated

from botocore.exceptions import ClientError
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic.alias_generators import to_camel

from cpd_exporter.adapters.aws.client import code_of, translated
from cpd_exporter.errors import ConfigurationError, EmptySecretError
from cpd_exporter.model import exact_json
from cpd_exporter.model.options import SAFE_TENANT, Authentication

if TYPE_CHECKING:
    from types_boto3_secretsmanager import SecretsManagerClient

type Secret = Annotated[SecretStr, Field(min_length=1)]


class _SecretMembers(BaseModel):
    model_config = ConfigDict(
        alias_generator=to_camel, extra="ignore", frozen=True, hide_input_in_errors=True
    )

    tenant_id: Annotated[str, Field(pattern=f"^{SAFE_TENANT}$")]


class ApiSecret(_SecretMembers):
    """Credentials for HTTP Basic: the tenant ID is the user, the API secret the password."""

    api_secret: Secret


class ClientSecret(_SecretMembers):
    """Credentials for OAuth 2.0 client credentials."""

    client_id: Annotated[str, Field(min_length=1)]
    client_secret: Secret


class SecretsManagerCredentials[Credentials: (ApiSecret, ClientSecret)]:
    """Reads the secret once, and again after the API refused it.

    A secret with another tenant is refused: its entries must not get into this tenant's timeline.
    """

    def __init__(
        self, client: "SecretsManagerClient", secret: str, model: type[Credentials]
    ) -> None:
        self._client = client
        self._secret = secret
        self._model: type[Credentials] = model
        self._held: Credentials | None = None
        self.remedy = _remedy(secret, _form(model))

    def read(self) -> Credentials:
        """The credentials as last read."""
        if self._held is None:
            self._held = self._read()
        return self._held

    def read_again(self) -> Credentials:
        """The credentials as they are now. An operator may have rotated them."""
        fresh = self._read()
        if self._held is not None and fresh.tenant_id != self._held.tenant_id:
            raise ConfigurationError(
                f"the secret {self._secret} now names tenant {fresh.tenant_id}, but this run began "
                f"with {self._held.tenant_id}. Put back the credentials of "
                f"{self._held.tenant_id}, or deploy a new stack for {fresh.tenant_id}"
            )
        self._held = fresh
        return fresh

    def _read(self) -> Credentials:
        text = _text(self._client, self._secret, self.remedy)
        try:
            return self._model.model_validate_json(text)
        except ValidationError as error:
            if _model_of(text) not in {None, self._model}:
                needed = "an API secret" if self._model is ApiSecret else "a client"
                found = "a client" if self._model is ApiSecret else "an API secret"
                raise ConfigurationError(
                    f"the secret {self._secret} holds {found}, but this run signs in with "
                    f"{needed}: deploy with Authentication=auto, or {self.remedy}"
                ) from None
            faults = "; ".join(
                f"{'.'.join(map(str, fault['loc'])) or 'the secret'}: {_describe(fault['type'])}"
                for fault in error.errors(
                    include_url=False, include_context=False, include_input=False
                )
            )
        raise ConfigurationError(
            f"the secret {self._secret} cannot be used ({faults}): {self.remedy}"
        )


def stored_credentials(
    client: "SecretsManagerClient", secret: str, authentication: Authentication
) -> SecretsManagerCredentials[ApiSecret] | SecretsManagerCredentials[ClientSecret]:
    """The credentials that this way to sign in needs, from the secret with that ARN.

    ``AUTO`` reads the secret at once to learn the way. Raises ``ConfigurationError`` for a secret
    that holds neither.
    """
    model: type[ApiSecret | ClientSecret] | None
    match authentication:
        case Authentication.AUTO:
            remedy = _remedy(secret, f"{_form(ClientSecret)} or {_form(ApiSecret)}")
            model = _model_of(_text(client, secret, remedy))
            if model is None:
                raise ConfigurationError(
                    f"the secret {secret} holds neither a client nor an API secret: {remedy}"
                )
        case Authentication.BASIC:
            model = ApiSecret
        case Authentication.OAUTH2:
            model = ClientSecret
    if model is ApiSecret:
        return SecretsManagerCredentials(client, secret, ApiSecret)
    return SecretsManagerCredentials(client, secret, ClientSecret)


def _text(client: "SecretsManagerClient", secret: str, remedy: str) -> str:
    """The secret's content. ``remedy`` goes into the error of a secret that is empty."""
    with translated("secretsmanager:GetSecretValue", secret):
        try:
            return client.get_secret_value(SecretId=secret).get("SecretString", "")
        except ClientError as error:
            if code_of(error) != "ResourceNotFoundException":
                raise
            raise EmptySecretError(
                f"the secret {secret} is empty, or there is none: {remedy}"
            ) from None


def _model_of(text: str) -> type[ApiSecret | ClientSecret] | None:
    """What the secret's content is for: a client goes before an API secret. An empty value is
    none.
    """
    try:
        content = exact_json.load(text)
    except ValueError:
        return None
    if not isinstance(content, dict):
        return None
    if content.get("clientId") or content.get("clientSecret"):
        return ClientSecret
    return ApiSecret if content.get("apiSecret") else None


def _form(model: type[ApiSecret | ClientSecret]) -> str:
    members = ", ".join(f'"{field.alias}": "..."' for field in model.model_fields.values())
    return f"{{{members}}}"


def _remedy(secret: str, forms: str) -> str:
    return (
        "put the right values into the secret: aws secretsmanager put-secret-value "
        f"--secret-id {secret} --secret-string file://secret.json, where secret.json holds {forms}"
    )


def _describe(fault: str) -> str:
    """Describe a fault without quoting the content or saying where the JSON breaks off."""
    return {"json_invalid": "not JSON", "missing": "missing"}.get(fault, "not valid")
