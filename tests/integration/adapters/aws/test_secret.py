"""The secret, as an operator may leave it; and the hosts of the API."""

import json

import pytest
from botocore.stub import Stubber

from cpd_exporter.adapters.aws.secret import (
    ApiSecret,
    ClientSecret,
    SecretsManagerCredentials,
    stored_credentials,
)
from cpd_exporter.adapters.thrive.endpoints import endpoints
from cpd_exporter.errors import ConfigurationError, TransientError
from cpd_exporter.model.options import Audience, Authentication, Environment
from tests.contracts.account import MotoAccount

SECRET = "cpd/credentials"
TENANT = "eu-west-2_AbcdEfghI"
API_MEMBERS = {"tenantId": TENANT, "apiSecret": "s3cret"}
CLIENT_MEMBERS = {"tenantId": TENANT, "clientId": "id", "clientSecret": "s3cret"}


def holding(account: MotoAccount, content: str) -> None:
    account.secretsmanager.create_secret(Name=SECRET, SecretString=content)


def basic(account: MotoAccount) -> SecretsManagerCredentials[ApiSecret]:
    return SecretsManagerCredentials(account.secretsmanager, SECRET, ApiSecret)


def oauth2(account: MotoAccount) -> SecretsManagerCredentials[ClientSecret]:
    return SecretsManagerCredentials(account.secretsmanager, SECRET, ClientSecret)


class TestSecret:
    def test_for_basic(self, account: MotoAccount) -> None:
        holding(account, json.dumps({"tenantId": TENANT, "apiSecret": "s3cret"}))
        held = basic(account).read()
        assert held.tenant_id == TENANT
        assert held.api_secret.get_secret_value() == "s3cret"
        assert "s3cret" not in repr(held)

    def test_for_client_credentials(self, account: MotoAccount) -> None:
        holding(
            account, json.dumps({"tenantId": TENANT, "clientId": "id", "clientSecret": "s3cret"})
        )
        held = oauth2(account).read()
        assert (held.tenant_id, held.client_id) == (TENANT, "id")
        assert held.client_secret.get_secret_value() == "s3cret"
        assert "s3cret" not in repr(held)

    def test_may_hold_both_and_more(self, account: MotoAccount) -> None:
        members = ("tenantId", "apiSecret", "clientId", "clientSecret", "note")
        holding(account, json.dumps(dict.fromkeys(members, "x")))
        assert basic(account).read().api_secret.get_secret_value() == "x"
        assert oauth2(account).read().client_id == "x"

    def test_is_read_once_until_it_is_refused(self, account: MotoAccount) -> None:
        holding(account, json.dumps({"tenantId": TENANT, "apiSecret": "first"}))
        credentials = basic(account)
        first = credentials.read()
        rotated = json.dumps({"tenantId": TENANT, "apiSecret": "second"})
        account.secretsmanager.put_secret_value(SecretId=SECRET, SecretString=rotated)
        assert credentials.read() == first
        assert credentials.read_again().api_secret.get_secret_value() == "second"
        assert credentials.read().api_secret.get_secret_value() == "second"

    def test_must_not_change_its_tenant_on_the_way(self, account: MotoAccount) -> None:
        holding(account, json.dumps({"tenantId": TENANT, "apiSecret": "first"}))
        credentials = basic(account)
        first = credentials.read()
        other = json.dumps({"tenantId": "another", "apiSecret": "second"})
        account.secretsmanager.put_secret_value(SecretId=SECRET, SecretString=other)
        with pytest.raises(ConfigurationError, match="deploy a new stack for another"):
            credentials.read_again()
        assert credentials.read() == first

    @pytest.mark.parametrize(
        ("content", "fault"),
        [
            ("s3cret, not JSON", "the secret: not JSON"),
            ('{"tenantId": "t", "apiSecret": "s3cret', "the secret: not JSON"),
            ('["s3cret"]', "the secret: not valid"),
            ('{"apiSecret": "s3cret"}', "tenantId: missing"),
            ('{"tenantId": "t"}', "apiSecret: missing"),
            ('{"tenantId": "t", "apiSecret": ""}', "apiSecret: not valid"),
            ('{"tenantId": "t", "apiSecret": {"s3cret": 1}}', "apiSecret: not valid"),
            ('{"tenantId": "../s3cret", "apiSecret": "s3cret"}', "tenantId: not valid"),
            ('{"tenantId": "t s3cret", "apiSecret": "s3cret"}', "tenantId: not valid"),
            ('{"tenantId": "t\\n", "apiSecret": "s3cret"}', "tenantId: not valid"),
        ],
    )
    def test_that_cannot_be_used(self, account: MotoAccount, content: str, fault: str) -> None:
        holding(account, content)
        with pytest.raises(ConfigurationError) as raised:
            basic(account).read()
        message = str(raised.value)
        assert f"{SECRET} cannot be used ({fault})" in message
        command = "aws secretsmanager put-secret-value --secret-id cpd/credentials --secret-string "
        assert f"{command}file://secret.json" in message
        assert '{"tenantId": "...", "apiSecret": "..."}' in message
        assert "s3cret" not in message
        assert raised.value.__cause__ is None

    @pytest.mark.parametrize(
        ("authentication", "held", "line"),
        [
            (Authentication.OAUTH2, API_MEMBERS, "holds an API secret, but .* with a client: dep"),
            (Authentication.BASIC, CLIENT_MEMBERS, "holds a client, but .* with an API secret: d"),
        ],
    )
    def test_for_the_other_way_of_signing_in(
        self, account: MotoAccount, authentication: Authentication, held: object, line: str
    ) -> None:
        holding(account, json.dumps(held))
        credentials = stored_credentials(account.secretsmanager, SECRET, authentication)
        with pytest.raises(ConfigurationError, match=line) as raised:
            credentials.read()
        assert "Authentication=auto" in str(raised.value)
        assert "\n" not in str(raised.value)
        assert "s3cret" not in str(raised.value)

    @pytest.mark.parametrize(
        ("held", "kind"),
        [
            (API_MEMBERS, ApiSecret),
            (CLIENT_MEMBERS, ClientSecret),
            (API_MEMBERS | CLIENT_MEMBERS, ClientSecret),
            (API_MEMBERS | {"clientId": "", "clientSecret": ""}, ApiSecret),
        ],
    )
    def test_decides_how_to_sign_in(self, account: MotoAccount, held: object, kind: type) -> None:
        holding(account, json.dumps(held))
        found = stored_credentials(account.secretsmanager, SECRET, Authentication.AUTO)
        assert isinstance(found.read(), kind)

    def test_of_half_a_client_misses_the_other_half(self, account: MotoAccount) -> None:
        holding(account, json.dumps(API_MEMBERS | {"clientId": "id"}))
        found = stored_credentials(account.secretsmanager, SECRET, Authentication.AUTO)
        with pytest.raises(ConfigurationError, match="clientSecret: missing"):
            found.read()

    @pytest.mark.parametrize("content", ['{"tenantId": "t"}', "[]", "s3cret, not JSON"])
    def test_that_decides_nothing_names_both_ways(self, account: MotoAccount, content: str) -> None:
        holding(account, content)
        with pytest.raises(ConfigurationError, match="neither a client nor an API") as raised:
            stored_credentials(account.secretsmanager, SECRET, Authentication.AUTO)
        assert '"clientSecret": "..."} or {"tenantId": "..."' in str(raised.value)
        assert "s3cret" not in str(raised.value)

    def test_may_change_its_way_for_the_next_run(self, account: MotoAccount) -> None:
        holding(account, json.dumps(API_MEMBERS))
        before = stored_credentials(account.secretsmanager, SECRET, Authentication.AUTO)
        before.read()
        changed = json.dumps(CLIENT_MEMBERS)
        account.secretsmanager.put_secret_value(SecretId=SECRET, SecretString=changed)
        with pytest.raises(ConfigurationError, match="holds a client"):
            before.read_again()
        after = stored_credentials(account.secretsmanager, SECRET, Authentication.AUTO)
        assert isinstance(after.read(), ClientSecret)

    def test_that_is_not_filled_in_yet(self, account: MotoAccount) -> None:
        account.secretsmanager.create_secret(Name=SECRET)
        with pytest.raises(ConfigurationError, match=r"is empty.*put-secret-value"):
            basic(account).read()

    def test_that_is_not_there(self, account: MotoAccount) -> None:
        with pytest.raises(ConfigurationError, match="there is none"):
            basic(account).read()

    def test_that_is_not_text(self, account: MotoAccount) -> None:
        account.secretsmanager.create_secret(Name=SECRET, SecretBinary=b"s3cret")
        with pytest.raises(ConfigurationError, match="not JSON"):
            basic(account).read()

    def test_that_may_not_be_read(self, account: MotoAccount) -> None:
        with Stubber(account.secretsmanager) as stub:
            stub.add_client_error("get_secret_value", "AccessDeniedException")
            with pytest.raises(ConfigurationError, match="secretsmanager:GetSecretValue"):
                basic(account).read()

    def test_an_outage_is_no_fault_of_the_operator(self, account: MotoAccount) -> None:
        with Stubber(account.secretsmanager) as stub:
            stub.add_client_error("get_secret_value", "InternalServiceError")
            with pytest.raises(TransientError):
                basic(account).read()


HOSTS = [
    ("production", "https://public.api.learn.link", "https://user.api.learn.link"),
    ("staging", "https://public.api.learnstaging.link", "https://user.api.learnstaging.link"),
    ("production-mea", "https://public.api.mea.learn.tech", "https://user.api.mea.learn.tech"),
    (
        "staging-mea",
        "https://public.api.meastaging.learn.tech",
        "https://user.api.meastaging.learn.tech",
    ),
]


class TestHosts:
    @pytest.mark.parametrize(("environment", "public", "user"), HOSTS)
    def test_of_the_four_environments(self, environment: str, public: str, user: str) -> None:
        for audience, host in ((Audience.PUBLIC, public), (Audience.WEBHOOKS, user)):
            found = endpoints(Environment(environment), audience)
            assert found.entries == f"{public}/rest/v1/cpdEntries"
            assert found.token(TENANT) == f"{host}/oauth2/token/{TENANT}"

    @pytest.mark.parametrize(
        ("url", "base"),
        [
            ("https://example.org", "https://example.org"),
            ("https://example.org:8443/", "https://example.org:8443"),
            ("https://example.org/thrive/", "https://example.org/thrive"),
            ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
            ("http://127.9.9.9", "http://127.9.9.9"),
            ("http://localhost:8000/", "http://localhost:8000"),
            ("http://[::1]:8000", "http://[::1]:8000"),
        ],
    )
    @pytest.mark.parametrize("audience", Audience)
    def test_another_one_serves_everything(self, url: str, base: str, audience: Audience) -> None:
        found = endpoints(Environment.PRODUCTION, audience, api_url=url)
        assert found.entries == f"{base}/rest/v1/cpdEntries"
        assert found.token(TENANT) == f"{base}/oauth2/token/{TENANT}"

    @pytest.mark.parametrize(
        "url",
        [
            "http://example.org",
            "http://127.0.0.1.example.org",
            "http://localhost.example.org",
            "http://10.0.0.1",
            "ftp://127.0.0.1",
            "example.org",
            "//example.org",
            "https://",
            "https://user:s3cret@example.org",
            "https://example.org?key=s3cret",
            "https://example.org/#s3cret",
            "https://exa mple.org:port",
        ],
    )
    def test_that_must_not_be_asked(self, url: str) -> None:
        with pytest.raises(ConfigurationError, match="API URL") as raised:
            endpoints(Environment.PRODUCTION, Audience.PUBLIC, api_url=url)
        assert "s3cret" not in str(raised.value)
